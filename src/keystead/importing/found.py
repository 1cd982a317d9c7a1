"""What was read from another panel, in Keystead's words; made by the readers, judged by ``planning.py``.

Every customer of the source is in ``Found.customers``, also one of whom nothing can be carried: that one has no links,
and ``not_carried`` says why. So nobody is lost between a file and the plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from keystead.kit.secret import Secret
from keystead.vpn.accounting import NOTHING, Bytes
from keystead.vpn.periods import Period
from keystead.vpn.placement import Placement
from keystead.vpn.portable import PortablePlan
from keystead.vpn.termvalue import Held

NO_PERIOD = Period()


class Source(StrEnum):
    """The kinds of panels that can be read."""

    XUI = "3x-ui"
    MARZBAN = "marzban"
    VEIL_V2RAY = "veil-v2ray"
    VEIL_XRAY = "veil-xray"
    PASARGUARD = "pasarguard"
    REMNAWAVE = "remnawave"
    KEYSTEAD = "keystead"


class What(StrEnum):
    """What kind of thing is not carried, for programs; people read the sentence."""

    PROTOCOL = "protocol"
    TRANSPORT = "transport"
    SECURITY = "security"
    INBOUND = "inbound"
    FALLBACK = "fallback"
    MACHINE = "machine"
    TERMS = "terms"
    SUBSCRIPTION = "subscription"
    NAME = "name"
    RECORD = "record"


@dataclass(frozen=True)
class NotCarried:
    """Something that stays behind, with a sentence that a person understands without the panel at hand."""

    what: What
    sentence: str


@dataclass(frozen=True)
class FoundInbound:
    """A VLESS + REALITY listener of the source.

    ``public_key`` is derived from the private key, and compared with what the source shows wherever it shows one.
    ``short_ids`` and ``server_names`` are all the listener accepts: panels put any of them into links. ``placement``
    tells whether the source has it for one customer alone.
    """

    tag: str
    listen: str
    port: int
    private_key: Secret[str]
    public_key: str
    target: str
    server_names: tuple[str, ...]
    short_ids: tuple[str, ...]
    is_enabled: bool = True
    notes: tuple[NotCarried, ...] = ()
    placement: Placement = Placement.SHARED


@dataclass(frozen=True)
class FoundLink:
    """One way a customer connects: an inbound by its tag, and what the link says beside the inbound's own facts."""

    inbound: str
    flow: str
    short_id: str
    server_name: str


@dataclass(frozen=True)
class FoundTerms:
    """What was sold and how far it got: bytes both ways, moments in aware UTC.

    ``used`` is what counts against the quota of the running period; a source that keeps one sum for both ways has it
    all as download. ``lifetime`` is None where the source forgets at a reset. ``hold_s`` is a duration that waits for
    the first bytes. ``period_began_at`` is None where the source does not say it. ``address_limit`` and
    ``device_limit`` are as in Keystead's terms.
    """

    quota_bytes: int | None = None
    used: Bytes = NOTHING
    lifetime: Bytes | None = None
    expires_at: datetime | None = None
    hold_s: int | None = None
    period: Period = NO_PERIOD
    period_began_at: datetime | None = None
    address_limit: int | None = None
    device_limit: int | None = None


@dataclass(frozen=True)
class FoundCustomer:
    """A customer of the source.

    ``source_id`` is what the source itself knows the customer by and never gives to another. ``is_enabled`` is False
    for one whom a person disabled; what a quota or an end has stopped is told by the terms. ``links`` is empty when
    nothing can be carried. ``public_id`` and ``number`` are what bots know the customer by, where they know one.
    ``held`` takes the place of ``terms`` where the source has terms of our own making.
    """

    source_id: str
    name: str
    uuid: str | None
    links: tuple[FoundLink, ...] = ()
    is_enabled: bool = True
    created_at: datetime | None = None
    terms: FoundTerms = FoundTerms()
    subscription_token: Secret[str] | None = None
    not_carried: tuple[NotCarried, ...] = ()
    public_id: str | None = None
    number: int | None = None
    held: Held | None = None


@dataclass(frozen=True)
class Found:
    """Everything read from one source.

    ``notes`` are about the source as a whole. ``subscription_path`` is what stands before the token in the addresses
    that customers' apps poll, such as ``/sub/``; empty when tokens cannot be carried. ``plans`` are those of a source
    that has some of our making.
    """

    source: Source
    inbounds: tuple[FoundInbound, ...]
    customers: tuple[FoundCustomer, ...]
    notes: tuple[NotCarried, ...] = ()
    subscription_path: str = ""
    plans: tuple[PortablePlan, ...] = ()


def broken(source_id: str, name: str, problem: str) -> FoundCustomer:
    """Return a customer whose record cannot be understood: listed, with the reason, and nothing else."""
    return FoundCustomer(
        source_id, name, None, not_carried=(NotCarried(What.RECORD, f"the record is unclear: {problem}"),)
    )


def rolling_since(anchor: datetime, days: int, now: datetime) -> datetime:
    """Return when the running one of periods of so many days began, counted from any moment at which one begins."""
    length = timedelta(days=days)
    return anchor + ((now - anchor) // length) * length


def without_duplicates(notes: Sequence[NotCarried]) -> tuple[NotCarried, ...]:
    """Return notes in their order, each once."""
    return tuple(dict.fromkeys(notes))
