"""A second key pair as a value: served at the same ports as the one that links carry; ``pairs.py`` has its verbs."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keystead.engines.xray.state import BEHIND_TAG_PREFIX
from keystead.kit.crypto import Place
from keystead.vpn.sealed import SECOND_PRIVATE_KEY


class Stage(StrEnum):
    """Where a second pair is on its way: links follow when it is known to be served, or have turned away from it."""

    COMING = "coming"
    GOING = "going"


@dataclass(frozen=True)
class SecondPair:
    """A pair that a scope serves beside the one links carry.

    The younger of the two is in front (``is_front`` says whether this is it), whichever links carry: so links can turn
    back without the engine. ``server_names`` and ``short_ids`` are those of links with the pair behind. It came to its
    stage at ``turned_at``; ``kept_s`` is how long it is served once links have turned, ``until`` the end of that.

    One that was taken over from another panel, which ``origin`` names, is served until somebody retires it. No link of
    ours carries it, and it hides behind its panel's ``target``, where that is another one than ours.
    """

    id: int
    scope: str
    sealed_private_key: str
    public_key: str
    is_front: bool
    stage: Stage
    server_names: tuple[str, ...]
    short_ids: tuple[str, ...]
    made_at: datetime
    turned_at: datetime
    kept_s: int
    until: datetime | None
    origin: str | None = None
    target: str | None = None

    @property
    def is_foreign(self) -> bool:
        """Tell whether it was taken over from another panel."""
        return self.origin is not None

    @property
    def place(self) -> Place:
        """Return where the sealed private key stands."""
        return SECOND_PRIVATE_KEY.place(self.id)

    @property
    def tag(self) -> str:
        """Return the tag of the inbound behind the others, which has the older of the two pairs."""
        return tag_behind(self.id)


def tag_behind(pair_id: int) -> str:
    """Return the tag of the inbound that a second pair makes necessary."""
    return f"{BEHIND_TAG_PREFIX}{pair_id}"
