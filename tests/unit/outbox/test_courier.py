"""The courier: what is claimed is claimed once, what is cut comes again under the same id, what fails waits longer."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select, update

from keystead.access import webhooks
from keystead.access.webhooks import NewSecret, WebhookChanges
from keystead.access.work import Work
from keystead.kit.errors import StorageBusy
from keystead.kit.page import Page
from keystead.kit.patience import DELAYS_S
from keystead.kit.reach import reach
from keystead.outbox import courier as courier_module
from keystead.outbox.courier import (
    GIVE_UP_ON_WEBHOOK_AFTER,
    KEPT_FOR,
    LEASE,
    TOGETHER_MAX,
    TOGETHER_PER_WEBHOOK_MAX,
    Courier,
    judge,
)
from keystead.outbox.events import Event
from keystead.outbox.models import ATTEMPTS, DELIVERIES, WEBHOOKS
from keystead.outbox.store.deliveries import Delivery, State
from keystead.outgoing.client import Problem, Reply
from tests.support.clock import START
from tests.support.receiver import Received, is_genuine
from tests.support.work import Workplace

ANYWHERE = reach([])
GOOD = Reply(204)


@dataclass
class FakeSender:
    """A world that answers as it is told, and keeps what it was sent."""

    replies: list[Reply] = field(default_factory=list)
    sent: list[Received] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self.sent.append(Received(url, dict(headers), body, None))
        if self.gate is not None:
            await self.gate.wait()
        await asyncio.sleep(0)
        return self.replies.pop(0) if self.replies else GOOD

    @property
    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.sent]


@dataclass
class Office:
    """A workplace with couriers."""

    place: Workplace
    sender: FakeSender = field(default_factory=FakeSender)
    disabled: list[tuple[int, str]] = field(default_factory=list)

    def courier(self) -> Courier:
        return Courier(
            self.place.database,
            self.sender,
            keys=self.place.keys,
            clock=self.place.clock,
            ids=self.place.ids,
            on_disabled=self._note,
        )

    def _note(self, connection: Connection, account_id: int, webhook_id: int, reason: str) -> None:
        assert account_id == self.place.account_id
        self.disabled.append((webhook_id, reason))

    async def webhook(self, *events: Event) -> NewSecret:
        return await self.place.do(
            webhooks.create, url="https://example.com/hook", description="", events=events, reach=ANYWHERE
        )

    async def emit(self, count: int = 1, event: Event = Event.VPN_KEY_RESET) -> int:
        def unit(work: Work) -> int:
            for number in range(count):
                work.emit(event, "vpn key 1", {"number": number})
            return work.emitted

        return await self.place.do(unit)

    async def carry(self, courier: Courier | None = None) -> int:
        """Carry everything that is due once."""
        carrier = courier or self.courier()
        parcels = await carrier.claim()
        await asyncio.gather(*(carrier.deliver(parcel) for parcel in parcels))
        return len(parcels)

    async def deliveries(self, webhook_id: int = 1) -> list[Delivery]:
        found = await self.place.do(webhooks.list_deliveries, webhook_id, Page(1000), None)
        return sorted(found, key=lambda delivery: delivery.number)

    async def count(self, table: Any) -> int:
        return await self.place.database.read(
            lambda c: int(c.execute(select(func.count()).select_from(table)).scalar_one())
        )


@pytest.fixture
def office(workplace: Workplace) -> Office:
    return Office(workplace)


async def test_an_event_arrives_signed_once_with_an_id_and_the_time_of_the_attempt(office: Office) -> None:
    made = await office.webhook()
    await office.emit()
    office.place.clock.advance(3)

    assert await office.carry() == 1
    assert await office.carry() == 0

    (request,) = office.sender.sent
    assert is_genuine(made.secret.reveal(), request, now=office.place.clock.now().timestamp())
    assert request.headers["webhook-timestamp"] == str(int(START.timestamp()) + 3)
    assert request.json == {"type": "vpn.key.reset", "timestamp": "2026-03-01T12:00:00Z", "data": {"number": 0}}
    (delivery,) = await office.deliveries()
    assert (delivery.state, delivery.attempts) == (State.DELIVERED, 1)


async def test_an_event_nobody_wants_leaves_no_row_and_uses_up_no_id(office: Office) -> None:
    before = office.place.ids.uuid().int & 0xFFFF

    assert await office.emit() == 0
    await office.webhook(Event.VPN_KEY_CREATED)
    assert await office.emit() == 0
    assert await office.count(DELIVERIES) == 0
    assert (office.place.ids.uuid().int & 0xFFFF) - before <= 2  # the webhook's own secret is one


async def test_an_event_goes_away_with_its_transaction(office: Office) -> None:
    await office.webhook()

    def unit(work: Work) -> None:
        work.emit(Event.VPN_KEY_RESET, "vpn key 1", {})
        raise StorageBusy("no")

    with pytest.raises(StorageBusy):
        await office.place.do(unit)
    assert await office.count(DELIVERIES) == 0


async def test_two_couriers_never_carry_the_same_delivery_at_once(office: Office) -> None:
    for _ in range(5):
        await office.webhook()
    await office.emit(8)
    couriers = [office.courier(), office.courier()]

    while sum(await asyncio.gather(*(office.carry(courier) for courier in couriers))):
        pass

    sent = [(request.path, request.headers["webhook-id"]) for request in office.sender.sent]
    assert len(sent) == 40
    assert len(set(office.sender.ids)) == 8
    assert await office.count(ATTEMPTS) == 40


async def test_a_claim_that_was_cut_comes_again_under_the_same_id_when_its_lease_is_over(office: Office) -> None:
    await office.webhook()
    await office.emit()
    (lost,) = await office.courier().claim()  # and the process is killed

    assert await office.carry() == 0
    office.place.clock.advance(LEASE.total_seconds())
    assert await office.carry() == 1

    assert office.sender.ids == [lost.event_id]
    (delivery,) = await office.deliveries()
    assert (delivery.state, delivery.attempts) == (State.DELIVERED, 2)


async def test_one_who_comes_back_after_the_lease_changes_nothing(office: Office) -> None:
    await office.webhook()
    await office.emit()
    slow = office.courier()
    (parcel,) = await slow.claim()
    office.place.clock.advance(LEASE.total_seconds())
    office.sender.replies = [Reply(500)]
    await office.carry()

    await slow.deliver(parcel)

    (delivery,) = await office.deliveries()
    assert delivery.state is State.WAITING
    assert await office.count(ATTEMPTS) == 1
    assert len(set(office.sender.ids)) == 1


async def test_what_fails_waits_longer_each_time_and_is_given_up_after_a_day(office: Office) -> None:
    await office.webhook()
    await office.emit()
    office.sender.replies = [Reply(None, Problem.CONNECT)] * 99
    courier = office.courier()
    waits = []

    while (delivery := (await office.deliveries())[0]).state is State.WAITING:
        waits.append((delivery.due_at - office.place.clock.now()).total_seconds())
        office.place.clock.advance(max(waits[-1], 0))
        assert await office.carry(courier) == 1

    assert len(office.sender.sent) == len(waits) == len(DELAYS_S) + 1
    assert all(0.8 * delay <= wait <= 1.2 * delay for wait, delay in zip(waits[1:], DELAYS_S, strict=True))
    assert 0.8 * 86_400 < sum(DELAYS_S) <= 86_400
    assert delivery.state is State.GIVEN_UP
    log = await office.place.do(webhooks.find_delivery, 1, delivery.number)
    assert {attempt.problem for attempt in log.attempts} == {Problem.CONNECT.value}
    assert len(set(office.sender.ids)) == 1


async def test_a_delivery_is_sent_again_on_request_under_the_same_id(office: Office) -> None:
    await office.webhook()
    await office.emit()
    await office.carry()

    again = await office.place.do(webhooks.redeliver, 1, 1)
    assert (again.state, again.ended_at) == (State.WAITING, None)
    await office.carry()

    assert len(office.sender.ids) == 2
    assert len(set(office.sender.ids)) == 1


async def test_gone_disables_at_once_and_long_failure_after_days(office: Office) -> None:
    await office.webhook()
    await office.webhook()
    await office.emit()
    office.sender.replies = [Reply(410), Reply(500)]
    courier = office.courier()
    await office.carry(courier)
    assert office.disabled == [(1, "the receiver answered 410 Gone")]

    office.place.clock.advance(GIVE_UP_ON_WEBHOOK_AFTER.total_seconds())
    office.sender.replies = [Reply(500)]
    await office.carry(courier)

    assert [number for number, _ in office.disabled] == [1, 2]
    found = await office.place.do(webhooks.find, 2)
    assert (found.is_enabled, found.failures) == (False, 2)
    assert found.disabled_reason == "nothing was accepted since 2026-03-01 12:00 UTC"
    assert await office.emit() == 0


async def test_what_waits_for_a_disabled_webhook_is_sent_when_it_is_enabled(office: Office) -> None:
    await office.webhook()
    await office.emit()
    await office.place.do(webhooks.change, 1, changes=WebhookChanges(is_enabled=False), reach=ANYWHERE)
    assert await office.carry() == 0

    await office.place.do(webhooks.change, 1, changes=WebhookChanges(is_enabled=True), reach=ANYWHERE)

    assert await office.carry() == 1


async def test_a_success_forgets_the_failures_before_it(office: Office) -> None:
    await office.webhook()
    await office.emit()
    office.sender.replies = [Reply(500)]
    await office.carry()
    assert (await office.place.do(webhooks.find, 1)).failures == 1
    office.place.clock.advance(10)

    await office.carry()

    found = await office.place.do(webhooks.find, 1)
    assert (found.failures, found.failing_since) == (0, None)


async def test_a_full_or_dead_webhook_leaves_room_for_the_others(office: Office) -> None:
    await office.webhook(Event.VPN_KEY_RESET)
    await office.emit(50)
    courier = office.courier()
    office.sender.gate = asyncio.Event()
    stuck = await courier.claim()
    on_their_way = [asyncio.ensure_future(courier.deliver(parcel)) for parcel in stuck]
    await office.webhook(Event.VPN_KEY_CUT)
    await office.emit(1, Event.VPN_KEY_CUT)

    served = await courier.claim()

    assert (len(stuck), [parcel.webhook_id for parcel in served]) == (TOGETHER_PER_WEBHOOK_MAX, [2])
    office.sender.gate.set()
    await asyncio.gather(*on_their_way, *(courier.deliver(parcel) for parcel in served))


async def test_what_could_not_be_written_down_is_sent_again_under_the_same_id(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise StorageBusy("busy")

    await office.webhook()
    await office.emit()
    courier = office.courier()
    parcels = await courier.claim()
    with monkeypatch.context() as patch:  # a database that is busy at exactly this moment
        patch.setattr(office.place.database, "write_soon", refuse)
        await courier.deliver(parcels[0])
    office.place.clock.advance(LEASE.total_seconds())

    assert await office.carry(courier) == 1

    assert len(office.sender.ids) == 2
    assert len(set(office.sender.ids)) == 1
    assert await office.count(ATTEMPTS) == 1


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_no_event_is_lost_and_none_changes(office: Office, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(2):
        await office.webhook()
    couriers = [office.courier(), office.courier()]
    emitted = 0
    for _ in range(40):
        courier = chance.choice(couriers)
        match chance.randrange(5):
            case 0:
                emitted += await office.emit(chance.randrange(1, 4))
            case 1:  # killed between claim and send
                await courier.claim()
                couriers[couriers.index(courier)] = office.courier()
            case 2:  # the lease runs out while it is sent
                parcels = await courier.claim()
                office.place.clock.advance(LEASE.total_seconds())
                await asyncio.gather(*(courier.deliver(parcel) for parcel in parcels))
            case _:
                office.sender.replies = [Reply(chance.choice((200, 204, 301, 404, 500))) for _ in range(8)]
                await office.carry(courier)
        office.place.clock.advance(chance.choice((0, 1, 60, 700)))
    office.sender.replies = []
    for _ in range(20):
        office.place.clock.advance(86_400 / 8)
        while await office.carry():
            pass

    found = [*await office.deliveries(1), *await office.deliveries(2)]
    bodies = {(request.headers["webhook-id"], request.body) for request in office.sender.sent}
    assert len(found) == emitted
    assert {delivery.state for delivery in found} <= {State.DELIVERED, State.GIVEN_UP}
    assert all(delivery.attempts > len(DELAYS_S) for delivery in found if delivery.state is State.GIVEN_UP)
    assert {delivery.event_id for delivery in found} == set(office.sender.ids)
    assert len(bodies) == len(set(office.sender.ids))


async def test_never_more_than_a_few_are_on_their_way_together(office: Office) -> None:
    for _ in range(8):
        await office.webhook()
    await office.emit(6)
    courier = office.courier()

    claimed = [await courier.claim() for _ in range(3)]

    assert [len(parcels) for parcels in claimed] == [TOGETHER_MAX, 0, 0]


async def test_the_secret_before_signs_beside_the_new_one_for_a_day(office: Office) -> None:
    old = await office.webhook()
    new = await office.place.do(webhooks.rotate_secret, 1)
    await office.emit()
    await office.carry()
    office.place.clock.advance(timedelta(hours=24).total_seconds())
    await office.emit()
    await office.carry()

    def believed(number: int) -> list[bool]:
        request = office.sender.sent[number]
        now = float(request.headers["webhook-timestamp"])
        return [is_genuine(made.secret.reveal(), request, now=now) for made in (old, new)]

    assert (believed(0), believed(1)) == ([True, True], [False, True])


async def test_a_secret_that_does_not_open_is_a_failed_attempt_and_harms_no_other(office: Office) -> None:
    await office.webhook()
    await office.webhook()
    await office.place.database.write(
        lambda c: c.execute(update(WEBHOOKS).where(WEBHOOKS.c.id == 1).values(secret="v1:lost:AAAA"))
    )
    await office.emit()

    assert await office.carry() == 2

    log = await office.place.do(webhooks.find_delivery, 1, 1)
    assert (log.delivery.state, log.attempts[0].problem) == (State.WAITING, "its secret does not open; rotate it")
    assert len(office.sender.sent) == 1


async def test_old_and_too_many_deliveries_are_dropped_with_their_log(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.webhook()
    await office.emit(4)
    await office.carry()
    monkeypatch.setattr(courier_module, "KEPT_PER_WEBHOOK", 2)  # ten thousand would take as many rows

    assert await office.courier().purge() == 2
    assert [delivery.number for delivery in await office.deliveries()] == [3, 4]
    office.place.clock.advance(KEPT_FOR.total_seconds() + 1)
    assert await office.courier().purge() == 2
    assert await office.count(ATTEMPTS) == 0


async def test_the_loop_carries_when_it_is_woken_and_survives_a_busy_database(office: Office) -> None:
    await office.webhook()
    courier = office.courier()
    running = asyncio.create_task(courier.run())

    await office.emit(3)
    courier.wake()
    async with asyncio.timeout(10):
        while len(office.sender.sent) < 3:
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert len(set(office.sender.ids)) == 3


@given(
    attempts=st.integers(1, 40),
    status=st.one_of(st.none(), st.integers(100, 599)),
    retry_after_s=st.one_of(st.none(), st.integers(0, 86_400)),
    jitter=st.floats(-0.2, 0.2),
)
def test_every_reply_has_one_meaning(
    attempts: int, status: int | None, retry_after_s: int | None, jitter: float
) -> None:
    reply = Reply(status, None if status else Problem.TIME, retry_after_s)

    verdict = judge(attempts, reply, START, jitter=jitter)

    assert (verdict.state is State.DELIVERED) == (status is not None and 200 <= status < 300)
    assert (verdict.webhook_ends is not None) == (status == 410)
    if verdict.state is State.WAITING:
        wait_s = (verdict.due_at - START).total_seconds()
        assert attempts <= len(DELAYS_S)
        assert (retry_after_s or 0) <= wait_s <= 86_400
        assert wait_s >= 0.8 * DELAYS_S[0]
    else:
        assert verdict.due_at == START
