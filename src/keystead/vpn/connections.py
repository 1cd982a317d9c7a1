"""The verbs of connections: whose may be seen, and the record that customers' addresses were read.

Connections are no rows: an engine tells of them, before the transaction or after it (operations/vpn/connections.py).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.engines.xray.state import AddressUse, LiveConnection, WatchState
from keystead.vpn.keyvalue import KeyIdent, VpnKey, labels_of
from keystead.vpn.lookup import IsApplied, is_visible, locate
from keystead.vpn.store import keys as key_store


class ConnectionSource(Protocol):
    """An engine whose live connections can be told, or that says why they cannot."""

    async def connections(self, labels: Collection[str] | None = None) -> list[LiveConnection]:
        """Return live connections of labels (None: of all, owned or not). Raises Unavailable and Unsupported."""
        ...

    async def seen(self, within_s: float, labels: Collection[str] | None = None) -> Mapping[str, float]:
        """Return how many seconds ago labels (None: all) were last seen. Raises Unavailable and Unsupported."""
        ...

    async def address_use(self, labels: Collection[str] | None = None) -> Mapping[str, AddressUse]:
        """Return from where labels with an address limit are used. Raises Unavailable and Unsupported."""
        ...

    async def state(self) -> WatchState:
        """Return how well connections can be seen and ended. Raises Unavailable."""
        ...


@dataclass(frozen=True)
class Presence:
    """Whether a key is connected: ``online`` connections (None: unknown), when it was last seen, from where.

    ``use`` is from how many addresses it is used now, of a key with a limit of them.

    ``addresses`` is None where they are not shown: without the permission, or unknown.
    """

    online: int | None = None
    last_seen_at: datetime | None = None
    addresses: tuple[str, ...] | None = None
    use: "ShownUse | None" = None


@dataclass(frozen=True)
class ShownUse:
    """How many addresses of a key are active and refused; ``addresses`` are those refused, None where not shown."""

    active: int
    refused: int
    addresses: tuple[str, ...] | None = None


@requires(Permission.VPN_TRAFFIC_READ)
def find(work: Work, *, ident: KeyIdent, is_applied: IsApplied) -> VpnKey:
    """Return the visible key whose connections the caller asks for; raise KeyNotFound."""
    return locate(work.connection, work.principal, ident, is_applied)


@requires(Permission.VPN_TRAFFIC_READ)
def owned(work: Work, *, numbers: Sequence[int], is_applied: IsApplied) -> dict[int, VpnKey]:
    """Return by number those of these keys that the caller can see."""
    account, confined = work.principal.account_id, work.principal.confined_to_token
    found = key_store.of_numbers(work.connection, account, issued_by=confined, numbers=numbers)
    return {key.number: key for key in found if is_visible(key, is_applied)}


@requires(Permission.VPN_ADDRESSES_READ)
def note_addresses_read(work: Work, *, numbers: Sequence[int]) -> None:
    """Record whose addresses the caller is about to be shown; the addresses themselves are kept nowhere."""
    subject = f"vpn key {numbers[0]}" if len(numbers) == 1 else "vpn keys"
    work.audit("vpn.addresses.read", subject, keys=list(numbers))


def labels_of_keys(keys: Iterable[VpnKey]) -> dict[str, int]:
    """Return every label of keys with the number of its key."""
    return {label: key.number for key in keys for label in labels_of(key.label)}


def presence_of(
    key: VpnKey,
    live: Sequence[LiveConnection] | None,
    addresses: Iterable[str] | None,
    now: datetime,
    *,
    use: AddressUse | None = None,
    seen_ago_s: float | None = None,
) -> Presence:
    """Return how a key is present; ``live`` are its connections, None when nobody knows them.

    ``seen_ago_s`` is for how long it has not been seen, where that is not noted yet.

    No address is shown when ``addresses``, those known besides, are None.
    """
    if live is None:
        return Presence(None, key.last_seen_at, None)
    moments = [now - timedelta(seconds=one.idle_s) for one in live]
    if key.last_seen_at is not None:
        moments.append(key.last_seen_at)
    if seen_ago_s is not None:
        moments.append(now - timedelta(seconds=seen_ago_s))
    shown = None if addresses is None else tuple(sorted({*addresses, *(one.peer_host for one in live)}))
    return Presence(len(live), max(moments, default=None), shown, _shown_use(use, is_shown=addresses is not None))


def _shown_use(use: AddressUse | None, *, is_shown: bool) -> ShownUse | None:
    return None if use is None else ShownUse(use.active, len(use.refused), tuple(use.refused) if is_shown else None)
