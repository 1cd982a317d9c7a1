"""When keys were last seen, and from where: noted from an engine's connections, beside every request.

The moment is written to the key's row, in one batch a minute and for keys that moved only; the first batch after a
start catches up on what was seen meanwhile. Addresses are personal data: they are kept in memory, for as long as a
setting says, and only if it says so. Run by the composition root.
"""

from datetime import timedelta

from keystead.db.session import Database
from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError, Unsupported
from keystead.kit.log import get_logger
from keystead.vpn.connections import ConnectionSource
from keystead.vpn.keyvalue import number_of
from keystead.vpn.store import keys as key_store

log = get_logger()

NOTE_EVERY_S = 60.0
LOOK_EVERY_S = 5.0
_CATCH_UP_S = 86_400.0
_ADDRESSES_MAX = 32


class RecentAddresses:
    """The distinct addresses a key was connected from, each forgotten so many seconds after it was last seen."""

    def __init__(self, kept_s: float) -> None:
        self.kept_s = kept_s
        self._seen: dict[int, dict[str, float]] = {}

    def note(self, number: int, address: str, now_s: float) -> None:
        """Take an address; the one unseen for longest goes when a key has too many."""
        known = self._seen.setdefault(number, {})
        known.pop(address, None)
        known[address] = now_s
        if len(known) > _ADDRESSES_MAX:
            del known[next(iter(known))]

    def of(self, number: int, now_s: float) -> list[str]:
        """Return the addresses of a key that are kept."""
        return [address for address, at_s in self._seen.get(number, {}).items() if now_s - at_s <= self.kept_s]

    def forget_old(self, now_s: float) -> None:
        """Drop every address that is kept no more."""
        for number in list(self._seen):
            kept = {address: at_s for address, at_s in self._seen[number].items() if now_s - at_s <= self.kept_s}
            if kept:
                self._seen[number] = kept
            else:
                del self._seen[number]


class Sightings:
    """Note what is seen of keys."""

    def __init__(
        self, source: ConnectionSource, *, database: Database, clock: Clock, addresses_kept_s: float = 0
    ) -> None:
        self._source = source
        self._database = database
        self._clock = clock
        self._recent = RecentAddresses(addresses_kept_s)
        self._noted_s: float | None = None

    def addresses(self, number: int) -> list[str]:
        """Return the addresses kept of a key; none unless a setting says so."""
        return self._recent.of(number, self._clock.monotonic_s())

    async def run(self) -> None:
        """Note until cancelled."""
        next_note_s = self._clock.monotonic_s()
        while True:
            try:
                if self._recent.kept_s > 0:
                    await self.look()
                if self._clock.monotonic_s() >= next_note_s:
                    next_note_s = self._clock.monotonic_s() + NOTE_EVERY_S
                    await self.note()
            except Unsupported:
                log.debug("connections are unknown here")
            except KeysteadError as error:
                log.warning("keys not noted as seen", reason=error.message)
            await self._clock.sleep(LOOK_EVERY_S)

    async def note(self) -> int:
        """Write when keys were last seen since the previous note; return of how many keys."""
        now_s, now = self._clock.monotonic_s(), self._clock.now()
        within_s = _CATCH_UP_S if self._noted_s is None else now_s - self._noted_s + LOOK_EVERY_S
        ago_s: dict[int, float] = {}
        for label, label_ago_s in (await self._source.seen(within_s)).items():
            number = number_of(label)
            if number is not None:
                ago_s[number] = min(label_ago_s, ago_s.get(number, label_ago_s))
        seen = [(number, now - timedelta(seconds=each)) for number, each in sorted(ago_s.items())]
        if seen:
            await self._database.write(lambda connection: key_store.note_seen(connection, seen))
        self._noted_s = now_s
        return len(seen)

    async def look(self) -> None:
        """Keep the addresses that keys are connected from now."""
        found = await self._source.connections()
        now_s = self._clock.monotonic_s()
        for one in found:
            number = number_of(one.label) if one.label is not None else None
            if number is not None:
                self._recent.note(number, one.peer_host, now_s)
        self._recent.forget_old(now_s)
