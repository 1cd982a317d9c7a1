"""The door of the hot path: who presents this token, without asking the database every time.

A good look-up is remembered for a few seconds and dropped at once when the token changes; expiry and address are
checked on each call. Wrong credentials from one place are counted, and past a limit that place has to wait, unless it
presents a token that was good before: an attacker behind a shared address does not lock its neighbours out. When a
token was last used is kept in memory and written in batches.

One door serves the event loop and the database's threads at the same time; a lock guards its memory, never a query.
"""

import ipaddress
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from keystead.access import tokens
from keystead.access.principal import Principal
from keystead.access.store import tokens as store
from keystead.access.tokens import Credential
from keystead.db.session import Database
from keystead.kit.clock import Clock
from keystead.kit.crypto import fingerprint
from keystead.kit.errors import Throttled, Unauthenticated

REMEMBER_S = 5.0
FLUSH_EVERY_S = 60.0
FAILURES_MAX = 20
FAILURES_WINDOW_S = 60.0
_TOKENS_MAX = 20_000
_PLACES_MAX = 10_000


@dataclass(frozen=True)
class _Known:
    credential: Credential
    looked_up_s: float


@dataclass
class _Failures:
    count: int
    ends_s: float


class TokenDoor:
    """Turn presented tokens into principals, remember, count and throttle."""

    def __init__(self, clock: Clock, *, tokens_max: int = _TOKENS_MAX, places_max: int = _PLACES_MAX) -> None:
        self._clock = clock
        self._tokens_max = tokens_max
        self._places_max = places_max
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._last_used: dict[int, datetime] = {}
        self._epoch = 0

    def recall(self, presented: str, *, address: str) -> Principal | None:
        """Return who presents a token that is remembered, without the database; None when ``admit`` has to be asked.

        Raises Unauthenticated after its expiry and Forbidden outside its addresses.
        """
        known = self._known.get(fingerprint(presented))
        if known is None or self._clock.monotonic_s() - known.looked_up_s > REMEMBER_S:
            return None
        return self._checked(known.credential, address)

    def admit(self, connection: Connection, presented: str, *, address: str) -> Principal:
        """Return who presents a token; look it up when it is not remembered.

        Raises Unauthenticated, Forbidden outside the token's addresses, and Throttled after too many failures from one
        place within a minute.
        """
        remembered = self.recall(presented, address=address)
        if remembered is not None:
            return remembered
        mark = fingerprint(presented)
        if mark not in self._known:
            self._refuse_throttled(address)
        epoch = self._epoch
        try:
            credential = tokens.look_up(connection, presented, self._clock.now())
        except Unauthenticated:
            self._note_failure(mark, address)
            raise
        self._remember(mark, credential, epoch)
        return self._checked(credential, address)

    def forget(self, token_id: int) -> None:
        """Drop what is remembered of a token; call it after the commit that changed it."""
        with self._lock:
            self._epoch += 1
            for mark in [mark for mark, known in self._known.items() if known.credential.token_id == token_id]:
                del self._known[mark]

    def forget_all(self) -> None:
        """Drop everything remembered; call it after a change of users or roles."""
        with self._lock:
            self._epoch += 1
            self._known.clear()

    async def flush_last_used(self, database: Database) -> int:
        """Write when tokens were last used since the previous flush, in one transaction; return how many.

        Called every ``FLUSH_EVERY_S`` and before closing. What a failing write did not store waits for the next one.
        """
        with self._lock:
            written = dict(self._last_used)
        if not written:
            return 0
        await database.write(lambda connection: store.touch(connection, sorted(written.items())))
        with self._lock:
            for token_id, at in written.items():
                if self._last_used.get(token_id) == at:
                    del self._last_used[token_id]
        return len(written)

    def _checked(self, credential: Credential, address: str) -> Principal:
        now = self._clock.now()
        tokens.check(credential, address=address, now=now)
        with self._lock:
            self._last_used[credential.token_id] = now
        return credential.principal

    def _remember(self, mark: str, credential: Credential, epoch: int) -> None:
        with self._lock:
            if epoch != self._epoch:  # a token changed while this one was looked up, perhaps this one
                return
            self._known[mark] = _Known(credential, self._clock.monotonic_s())
            self._known.move_to_end(mark)
            if len(self._known) > self._tokens_max:
                self._known.popitem(last=False)

    def _refuse_throttled(self, address: str) -> None:
        now_s = self._clock.monotonic_s()
        with self._lock:
            failures = self._failures.get(place(address))
            if failures is None or failures.count <= FAILURES_MAX or failures.ends_s <= now_s:
                return
            wait_s = math.ceil(failures.ends_s - now_s)
        raise Throttled("too many wrong credentials from this address; wait and try again", retry_after_s=wait_s)

    def _note_failure(self, mark: str, address: str) -> None:
        now_s = self._clock.monotonic_s()
        here = place(address)
        with self._lock:
            self._known.pop(mark, None)
            failures = self._failures.get(here)
            if failures is None or failures.ends_s <= now_s:
                self._failures[here] = _Failures(1, now_s + FAILURES_WINDOW_S)
                self._failures.move_to_end(here)
            else:
                failures.count += 1
            if len(self._failures) > self._places_max:
                self._failures.popitem(last=False)


def place(address: str) -> str:
    """Return what counts as one place: an IPv4 address, or the /64 that one IPv6 customer usually has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
