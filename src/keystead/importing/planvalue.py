"""What becomes of every customer of a source, as values: what is here already, and the plan.

A plan is applied by writing its inbounds and then its keys, one by one. Each key has a ``public_id`` that is made of
its origin alone and is unique in the database: what was written before is found again, wherever it broke off.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from keystead.importing.found import FoundInbound, NotCarried, Source
from keystead.kit.secret import Secret
from keystead.vpn.accounting import Bytes
from keystead.vpn.portable import PortablePlan
from keystead.vpn.termvalue import Held


@dataclass(frozen=True)
class ExistingKey:
    """A key that is here, tombstones included: they still hold their UUID."""

    number: int
    public_id: str
    uuid: str


@dataclass(frozen=True)
class ExistingInbound:
    """An inbound that is here."""

    tag: str
    listen: str
    port: int
    public_key: str
    server_names: tuple[str, ...]
    short_ids: tuple[str, ...]


@dataclass(frozen=True)
class ExistingPair:
    """The second key pair that is served at our port."""

    public_key: str
    server_names: tuple[str, ...]
    short_ids: tuple[str, ...]


@dataclass(frozen=True)
class Existing:
    """What an import meets: our own rows, the ports that other programs hold, and by whom.

    ``main`` is the inbound that new keys share, ``second`` the other pair served at its port; ``is_external`` says that
    somebody else runs the core.

    ``ports`` leaves out the panel that is imported from: it ends before the import is applied. ``tokens`` are the
    fingerprints of subscription tokens, ``plans`` are those of the account by name.
    """

    keys: tuple[ExistingKey, ...] = ()
    inbounds: tuple[ExistingInbound, ...] = ()
    ports: Mapping[int, str] = field(default_factory=dict)
    tokens: frozenset[str] = frozenset()
    plans: Mapping[str, PortablePlan] = field(default_factory=dict)
    main: ExistingInbound | None = None
    second: ExistingPair | None = None
    is_external: bool = False


class Standing(StrEnum):
    """What an inbound of the plan is to what is here.

    Not there yet, there, there with fewer names or short ids; or its pair is served beside ours at a port of ours.
    """

    NEW = "new"
    THERE = "there"
    WIDENED = "widened"
    BESIDE = "beside ours"


@dataclass(frozen=True)
class PlannedInbound:
    """An inbound to be there: ``tag`` is ours, ``server_names`` and ``short_ids`` are what it has to accept afterwards.

    ``flow`` is what most of its customers have, and what new keys in it are to get. ``links_carry`` is the public key
    in links that are handed out from here, where that is not the inbound's own.
    """

    tag: str
    standing: Standing
    found: FoundInbound
    flow: str
    server_names: tuple[str, ...]
    short_ids: tuple[str, ...]
    links_carry: str | None = None


@dataclass(frozen=True)
class PlannedKey:
    """A key to be issued, whole: its link stays what it was.

    ``inbound`` is the tag of a planned inbound. ``lifetime`` is what it has carried, ``used`` what is
    shown of that; ``held`` is what was sold and how
    far it got, with everything done that is due by now, so that nobody is told of it. ``number`` is a wish.
    """

    source_id: str
    public_id: str
    name: str
    uuid: str
    masked_uuid: str
    inbound: str
    flow: str
    short_id: str
    server_name: str
    is_enabled: bool
    created_at: datetime
    lifetime: Bytes
    used: Bytes
    held: Held | None
    subscription_token: Secret[str] | None
    number: int | None
    not_carried: tuple[NotCarried, ...]


@dataclass(frozen=True)
class Named:
    """A customer who is not taken over by this plan, and the sentences that say why."""

    source_id: str
    name: str
    reasons: tuple[NotCarried, ...] = ()


@dataclass(frozen=True)
class Question:
    """What a person has to decide for some customers at once: by which of their inbounds they are carried."""

    inbounds: tuple[str, ...]
    sentence: str
    customers: tuple[Named, ...]


@dataclass(frozen=True)
class ImportPlan:
    """What becomes of every customer of a source: each is in exactly one of the five.

    ``digest`` names what was read and answered (``naming.py``). ``plans`` are those that are to be made.
    """

    source: Source
    origin: str
    digest: str
    inbounds: tuple[PlannedInbound, ...]
    keys: tuple[PlannedKey, ...]
    there: tuple[Named, ...]
    collisions: tuple[Named, ...]
    questions: tuple[Question, ...]
    not_carried: tuple[Named, ...]
    notes: tuple[NotCarried, ...]
    subscription_path: str
    plans: tuple[PortablePlan, ...] = ()

    @property
    def asked(self) -> tuple[Named, ...]:
        """Return the customers of all questions."""
        return tuple(customer for question in self.questions for customer in question.customers)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is left to do."""
        return not self.keys and not self.plans

    @property
    def counts(self) -> dict[str, int]:
        """Return how many customers become what, and how many there are."""
        counts = {
            "new": len(self.keys),
            "there": len(self.there),
            "collisions": len(self.collisions),
            "questions": len(self.asked),
            "not_carried": len(self.not_carried),
        }
        return {**counts, "customers": sum(counts.values())}
