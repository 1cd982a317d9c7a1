"""Operations on live connections, once for all wires: who is connected, and how a key is present.

The engine is asked once a request, whatever the number of keys. Addresses are personal data: they are shown with a
permission of their own, and the record that they were read is committed before they are.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from keystead.access.permissions import Permission
from keystead.engines.xray.state import AddressUse, LiveConnection
from keystead.kit.errors import Unavailable, Unsupported
from keystead.kit.page import Page
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.vpn import connections
from keystead.vpn.connections import ConnectionSource, Presence
from keystead.vpn.keyvalue import KeyIdent, VpnKey, number_of
from keystead.vpn.sightings import LOOK_EVERY_S, NOTE_EVERY_S, Sightings

# A key is shown in time, without its presence if need be.
_PRESENCE_TIMEOUT_S = 1.0
_NUMBERS_AT_ONCE = 500
# What was seen before that stands in the key's row.
_NOTED_WITHIN_S = NOTE_EVERY_S + 2 * LOOK_EVERY_S


@dataclass(frozen=True)
class KeyConnection:
    """A live connection with its key; ``address`` and ``port`` are None where they are not shown."""

    key: VpnKey
    live: LiveConnection
    address: str | None
    port: int | None
    first_seen_at: datetime
    last_moved_at: datetime


@dataclass(frozen=True)
class ConnectionPage:
    """Connections of one page by id, and the id after which the next page begins."""

    items: list[KeyConnection]
    next: int | None


class ConnectionOperations:
    """What callers may ask about live connections."""

    def __init__(self, transactions: Transactions, source: ConnectionSource, sightings: Sightings) -> None:
        self._transactions = transactions
        self._source = source
        self._sightings = sightings

    async def of_key(self, call: Call, ident: KeyIdent, page: Page, *, with_addresses: bool) -> ConnectionPage:
        """Return live connections of a key; raise Unsupported where nobody knows them."""
        key = await self._transactions.read(
            call, connections.find, ident=ident, is_applied=self._transactions.is_applied
        )
        found = _after(page, await self._source.connections(list(connections.labels_of_keys([key]))))
        return await self._page(call, page, [(key, one) for one in found], with_addresses=with_addresses)

    async def of_all(self, call: Call, page: Page, *, with_addresses: bool) -> ConnectionPage:
        """Return live connections of the caller's keys; raise Unsupported where nobody knows them."""
        await self._owned(call, [])  # who may not ask is told so before the engine is asked
        numbered = [
            (number, one)
            for one in _after(page, await self._source.connections())
            if (number := number_of(one.label or "")) is not None
        ]
        found: list[tuple[VpnKey, LiveConnection]] = []
        for start in range(0, len(numbered), _NUMBERS_AT_ONCE):
            part = numbered[start : start + _NUMBERS_AT_ONCE]
            keys = await self._owned(call, sorted({number for number, _ in part}))
            found += [(keys[number], one) for number, one in part if number in keys]
            if len(found) > page.limit:
                break
        return await self._page(call, page, found, with_addresses=with_addresses)

    async def presence(self, call: Call, keys: Sequence[VpnKey], *, with_addresses: bool) -> Mapping[int, Presence]:
        """Return by number how keys are present that the caller was already allowed to see; one call for all."""
        labels = connections.labels_of_keys(keys)
        live, use, ago_s = await self._known(labels) if labels else ([], {}, {})
        now = self._transactions.clock.now()
        is_shown = with_addresses and _may_see_addresses(call)
        by_number: dict[int, list[LiveConnection]] = {key.number: [] for key in keys}
        for one in live or ():
            by_number[labels[one.label or ""]].append(one)
        seen_ago_s: dict[int, float] = {}
        for label, label_ago_s in ago_s.items():
            number = labels[label]
            seen_ago_s[number] = min(label_ago_s, seen_ago_s.get(number, label_ago_s))
        found = {
            key.number: connections.presence_of(
                key,
                None if live is None else by_number[key.number],
                self._sightings.addresses(key.number) if is_shown else None,
                now,
                use=use.get(key.label),
                seen_ago_s=seen_ago_s.get(key.number),
            )
            for key in keys
        }
        await self._note_read(call, [number for number, presence in found.items() if _shows_addresses(presence)])
        return found

    async def _known(
        self, labels: Collection[str]
    ) -> tuple[list[LiveConnection] | None, Mapping[str, AddressUse], Mapping[str, float]]:
        """Return connections, use of addresses, and how long ago labels were seen since that was noted last."""
        try:
            async with asyncio.timeout(_PRESENCE_TIMEOUT_S):
                names = list(labels)
                live, use, ago_s = await asyncio.gather(
                    self._source.connections(names),
                    self._source.address_use(names),
                    self._source.seen(_NOTED_WITHIN_S, names),
                )
                return live, use, {label: ago_s[label] for label in names if label in ago_s}
        except (TimeoutError, Unavailable, Unsupported):
            return None, {}, {}

    async def _owned(self, call: Call, numbers: Sequence[int]) -> dict[int, VpnKey]:
        return await self._transactions.read_many(
            call, connections.owned, numbers=numbers, is_applied=self._transactions.is_applied
        )

    async def _page(
        self, call: Call, page: Page, found: Sequence[tuple[VpnKey, LiveConnection]], *, with_addresses: bool
    ) -> ConnectionPage:
        is_shown = with_addresses and _may_see_addresses(call)
        now = self._transactions.clock.now()
        items = [_shown(key, one, now, is_shown=is_shown) for key, one in found[: page.limit]]
        if is_shown:
            await self._note_read(call, sorted({item.key.number for item in items}))
        return ConnectionPage(items, items[-1].live.id if len(found) > page.limit else None)

    async def _note_read(self, call: Call, numbers: Sequence[int]) -> None:
        if numbers:
            await self._transactions.write(call, connections.note_addresses_read, numbers=numbers)


def _may_see_addresses(call: Call) -> bool:
    return Permission.VPN_ADDRESSES_READ in call.principal.permissions


def _shows_addresses(presence: Presence) -> bool:
    return bool(presence.addresses or (presence.use is not None and presence.use.addresses))


def _after(page: Page, found: Sequence[LiveConnection]) -> list[LiveConnection]:
    return sorted((one for one in found if one.id > page.after), key=lambda one: one.id)


def _shown(key: VpnKey, one: LiveConnection, now: datetime, *, is_shown: bool) -> KeyConnection:
    return KeyConnection(
        key,
        one,
        one.peer_host if is_shown else None,
        one.peer_port if is_shown else None,
        now - timedelta(seconds=one.age_s),
        now - timedelta(seconds=one.idle_s),
    )
