"""An inbound as a value, and the verb that makes one: key pair, target, names and short ids are chosen once."""

from dataclasses import dataclass

from keystead.kit.crypto import Place
from keystead.vpn.placement import Placement


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
        return Place("vpn_inbounds", str(self.id), "private_key")
