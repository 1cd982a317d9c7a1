"""The courier: carries deliveries that are due to their webhooks, again and again, until they arrive or are given up.

A delivery is claimed by a lease in its own transaction, sent with no transaction open, and finished in another one. A
process that is killed in between leaves a lease that runs out, and the event is sent again under the same id: an event
is never lost, and may arrive twice. Several couriers share one database without sending the same delivery at once.

Run by ``main``; woken after a commit that wrote events, and looking by itself every second.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from sqlalchemy import Connection

from keystead.db.session import Database
from keystead.kit.clock import Clock
from keystead.kit.crypto import KeyRing, Place
from keystead.kit.errors import KeysteadError
from keystead.kit.ids import Ids
from keystead.kit.log import get_logger
from keystead.kit.patience import delay_s
from keystead.kit.secret import Secret
from keystead.kit.waiting import within
from keystead.outbox import signing
from keystead.outbox.models import WEBHOOKS
from keystead.outbox.store import deliveries, webhooks
from keystead.outbox.store.deliveries import Attempt, Outcome, Parcel, State
from keystead.outgoing.client import Reply

log = get_logger()

JITTER = 0.2
# Longer than a request may take, its writing down included.
LEASE = timedelta(seconds=60)
GIVE_UP_ON_WEBHOOK_AFTER = timedelta(days=3)
TOGETHER_MAX = 32
TOGETHER_PER_WEBHOOK_MAX = 8
KEPT_FOR = timedelta(days=14)
KEPT_PER_WEBHOOK = 10_000
_LOOK_EVERY_S = 1.0
_PURGE_EVERY_S = 3600.0
_GONE = 410
_NO_SECRET = "its secret does not open; rotate it"  # noqa: S105 - a sentence

# Tells whoever keeps records that a webhook was disabled by itself: connection, account, webhook, reason.
OnDisabled = Callable[[Connection, int, int, str], None]


class Sender(Protocol):
    """Who sends (``outgoing.client``)."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one request and return how it went."""
        ...


@dataclass(frozen=True)
class Verdict:
    """What a reply means: where the delivery is now, when it is due again, and why its webhook ends, if it does."""

    state: State
    due_at: datetime
    webhook_ends: str | None = None


class Courier:
    """Carry deliveries; one per process."""

    def __init__(
        self, database: Database, sender: Sender, *, keys: KeyRing, clock: Clock, ids: Ids, on_disabled: OnDisabled
    ) -> None:
        self._database = database
        self._sender = sender
        self._keys = keys
        self._clock = clock
        self._ids = ids
        self._on_disabled = on_disabled
        self._wake = asyncio.Event()
        self._busy: Counter[int] = Counter()
        self._served: dict[int, int] = {}
        self._rounds = 0
        self._next_purge_s = 0.0
        self._attempted: dict[int, asyncio.Event] = {}

    def wake(self) -> None:
        """Take notice that events were written."""
        self._wake.set()

    async def when_attempted(self, number: int, timeout_s: float) -> bool:
        """Wait until this process has attempted a delivery; tell whether it has."""
        event = self._attempted.setdefault(number, asyncio.Event())
        try:
            return await within(self._clock, timeout_s, event.wait())
        finally:
            self._attempted.pop(number, None)

    async def run(self) -> None:
        """Carry until cancelled; what is on its way then comes due again when its lease has run out."""
        self._busy.clear()
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                await self._round(group)
                await within(self._clock, _LOOK_EVERY_S, self._wake.wait())

    async def claim(self) -> list[Parcel]:
        """Take what is due, as much as may be on its way together, turn and turn about among webhooks."""
        room = TOGETHER_MAX - self._busy.total()
        now = self._clock.now()
        due = await self._database.read(partial(deliveries.due_webhooks, at=now)) if room > 0 else []
        wanted = [webhook_id for webhook_id in due if self._busy[webhook_id] < TOGETHER_PER_WEBHOOK_MAX]
        if not wanted:
            return []
        wanted.sort(key=lambda webhook_id: self._served.get(webhook_id, 0))
        claim = self._ids.hex(16)

        def unit(connection: Connection) -> list[Parcel]:
            taken: list[Parcel] = []
            for webhook_id in wanted:
                limit = min(TOGETHER_PER_WEBHOOK_MAX - self._busy[webhook_id], room - len(taken))
                if limit > 0:
                    taken += deliveries.claim(connection, webhook_id, limit, at=now, until=now + LEASE, claim=claim)
            return taken

        parcels = await self._database.write(unit)
        self._rounds += 1
        self._served.update((parcel.webhook_id, self._rounds) for parcel in parcels)
        self._busy.update(parcel.webhook_id for parcel in parcels)
        return parcels

    async def deliver(self, parcel: Parcel) -> None:
        """Send a claimed delivery once and write down how it went."""
        try:
            at = self._clock.now()
            reply = await self._send(parcel, at)
            verdict = judge(parcel.attempts, reply, self._clock.now(), jitter=self._jitter())
            await self._database.write_soon(partial(self._finish, parcel=parcel, at=at, reply=reply, verdict=verdict))
        except KeysteadError as error:
            # The lease runs out, and it is sent again.
            log.warning("delivery not written down", webhook=parcel.webhook_id, reason=error.message)
        finally:
            self._busy[parcel.webhook_id] -= 1
            self._wake.set()
            if parcel.number in self._attempted:
                self._attempted[parcel.number].set()

    async def purge(self) -> int:
        """Drop old deliveries with their attempts; return how many."""
        before = self._clock.now() - KEPT_FOR
        return await self._database.write(lambda c: deliveries.purge(c, before=before, kept=KEPT_PER_WEBHOOK))

    async def _round(self, group: asyncio.TaskGroup) -> None:
        """Set out with what is due, and clear up now and then; what the database refuses is done at the next look."""
        try:
            for parcel in await self.claim():
                group.create_task(self.deliver(parcel), name=f"delivery {parcel.number}")
            if self._clock.monotonic_s() >= self._next_purge_s:
                await self.purge()
                self._next_purge_s = self._clock.monotonic_s() + _PURGE_EVERY_S
        except KeysteadError as error:
            log.warning("webhooks put off", reason=error.message)

    async def _send(self, parcel: Parcel, at: datetime) -> "Reply | _Unsent":
        body = parcel.body.encode()
        try:
            secrets = self._secrets(parcel, at)
        except KeysteadError as error:
            log.error("a webhook's secret does not open", webhook=parcel.webhook_id, reason=error.message)
            return _Unsent(_NO_SECRET)
        return await self._sender.post(parcel.url, signing.headers(secrets, parcel.event_id, at, body), body)

    def _secrets(self, parcel: Parcel, at: datetime) -> list[Secret[str]]:
        sealed = parcel.sealed
        opened = [self._keys.open(sealed.secret, place_of(parcel.webhook_id, "secret"))]
        if sealed.previous is not None and sealed.previous_until is not None and at < sealed.previous_until:
            opened.append(self._keys.open(sealed.previous, place_of(parcel.webhook_id, "previous_secret")))
        return opened

    def _finish(
        self, connection: Connection, *, parcel: Parcel, at: datetime, reply: "Reply | _Unsent", verdict: Verdict
    ) -> None:
        attempt = Attempt(at, reply.status, reply.problem, reply.duration_ms)
        if not deliveries.finish(connection, parcel, Outcome(attempt, verdict.state, verdict.due_at)):
            return
        if verdict.state is State.DELIVERED:
            webhooks.note_success(connection, parcel.webhook_id)
            return
        account_id, is_enabled, since = webhooks.note_failure(connection, parcel.webhook_id, at)
        reason = verdict.webhook_ends
        if reason is None and at - since >= GIVE_UP_ON_WEBHOOK_AFTER:
            reason = f"nothing was accepted since {since:%Y-%m-%d %H:%M} UTC"
        if is_enabled and reason is not None:
            webhooks.disable(connection, parcel.webhook_id, reason)
            self._on_disabled(connection, account_id, parcel.webhook_id, reason)
            log.warning("webhook disabled", webhook=parcel.webhook_id, reason=reason)

    def _jitter(self) -> float:
        """Return a random number from -JITTER to JITTER."""
        return JITTER * (int(self._ids.hex(4), 16) / 0xFFFFFFFF * 2 - 1)


@dataclass(frozen=True)
class _Unsent:
    """Stands in for the reply to something that could not even be signed."""

    problem: str
    status: None = None
    retry_after_s: None = None
    duration_ms: int = 0


def judge(attempts: int, reply: Reply | _Unsent, now: datetime, *, jitter: float = 0.0) -> Verdict:
    """Return what a reply means for a delivery that was attempted so many times; pure.

    Every 2xx is an arrival. 410 ends the webhook, as the Standard Webhooks specification has it. Anything else, a
    redirect included, is tried again after a longer wait each time, or after ``Retry-After`` when that is longer.
    """
    if reply.status is not None and 200 <= reply.status < 300:
        return Verdict(State.DELIVERED, now)
    if reply.status == _GONE:
        return Verdict(State.GIVEN_UP, now, "the receiver answered 410 Gone")
    wait_s = delay_s(attempts)
    if wait_s is None:
        return Verdict(State.GIVEN_UP, now)
    after = timedelta(seconds=max(wait_s * (1 + jitter), reply.retry_after_s or 0))
    return Verdict(State.WAITING, now + after)


def place_of(webhook_id: int, column: str) -> Place:
    """Return where a webhook's secret is sealed."""
    return Place(WEBHOOKS.name, str(webhook_id), column)
