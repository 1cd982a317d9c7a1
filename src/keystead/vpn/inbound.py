"""An inbound as a value; ``founding.py`` makes the shared one."""

from dataclasses import dataclass

from keystead.kit.crypto import Place
from keystead.vpn.placement import Placement
from keystead.vpn.sealed import INBOUND_PRIVATE_KEY


@dataclass(frozen=True)
class Inbound:
    """A listener of Xray that keys are served on."""

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

    @property
    def place(self) -> Place:
        """Return where the sealed private key stands."""
        return INBOUND_PRIVATE_KEY.place(self.id)
