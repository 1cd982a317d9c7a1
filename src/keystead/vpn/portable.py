"""An account's VPN side as values that can leave an instance: inbounds, plans, keys with all that belongs to them.

Made by ``exporting.py`` of rows, written and read as JSON by ``importing``. Secrets are None where they were left out.
"""

from dataclasses import dataclass
from datetime import datetime

from keystead.kit.secret import Secret
from keystead.vpn.accounting import Bytes
from keystead.vpn.placement import Placement
from keystead.vpn.termvalue import Held, Starts, Terms


@dataclass(frozen=True)
class PortableInbound:
    """An inbound; ``private_key`` is None where secrets were left out, or were not opened."""

    tag: str
    placement: Placement
    listen: str
    port: int
    private_key: Secret[str] | None
    public_key: str
    target: str
    server_names: tuple[str, ...]
    short_ids: tuple[str, ...]
    flow: str


@dataclass(frozen=True)
class PortablePlan:
    """A plan of the account."""

    name: str
    starts: Starts
    terms: Terms
    placement: Placement | None = None


@dataclass(frozen=True)
class PortableKey:
    """A key with what it carried and what was sold.

    ``lifetime`` is what is billed, ``shown`` the part of it since the last reset. ``uuid`` is None where secrets were
    left out, or were not opened.
    """

    public_id: str
    number: int
    name: str | None
    uuid: Secret[str] | None
    inbound: str
    flow: str
    short_id: str
    server_name: str
    is_enabled: bool
    created_at: datetime
    lifetime: Bytes
    shown: Bytes
    held: Held | None
    subscription_token: Secret[str] | None
