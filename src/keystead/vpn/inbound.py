"""An inbound as a value; ``founding.py`` makes the shared one."""

from dataclasses import dataclass
from datetime import datetime

from keystead.kit.crypto import Place
from keystead.vpn.placement import Placement
from keystead.vpn.sealed import INBOUND_PRIVATE_KEY


@dataclass(frozen=True)
class Inbound:
    """A listener of Xray that keys are served on.

    Its key pair is the one that links carry, made at ``pair_made_at``; ``second_pair_id`` names another one that is
    served at the same port.
    """

    id: int
    scope: str
    tag: str
    placement: Placement
    listen: str
    port: int
    sealed_private_key: str
    public_key: str
    target: str
    server_names: tuple[str, ...]
    short_ids: tuple[str, ...]
    flow: str
    pair_made_at: datetime | None = None
    second_pair_id: int | None = None

    @property
    def place(self) -> Place:
        """Return where the sealed private key stands."""
        return INBOUND_PRIVATE_KEY.place(self.id)
