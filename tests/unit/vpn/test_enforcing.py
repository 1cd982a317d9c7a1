"""The loop: what is due by the clock or by a figure is done once, whatever was missed or failed in between."""

from datetime import timedelta
from typing import Any

import pytest

from keystead.access.principal import system
from keystead.kit.errors import StorageBusy
from keystead.vpn import enforcement, keys, terms, traffic
from keystead.vpn.accounting import Bytes
from keystead.vpn.enforcing import BOOKED_INTERVAL_S, Enforcing
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.periods import Reset
from keystead.vpn.placement import Placement
from keystead.vpn.plans import TermChanges, Wish
from keystead.vpn.store import terms as store
from keystead.vpn.termvalue import Held
from tests.support.figures import FakeFigures
from tests.support.shop import POOL, SCOPE, Shop, reading
from tests.support.work import Workplace


class Bench:
    """A shop with a loop, and a record of what the loop did."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.figures = FakeFigures()
        self.done: list[int] = []
        self.fails = 0
        self.loop = self.new_loop()

    def new_loop(self) -> Enforcing:
        place = self.shop.workplace
        return Enforcing(SCOPE, self.figures, self._enforce, database=place.database, clock=place.clock)

    async def _enforce(self, account_id: int, number: int, live: Bytes | None) -> None:
        if self.fails:
            self.fails -= 1
            raise StorageBusy("the database is locked")
        self.done.append(number)
        await self.shop.workplace.do_as(system(account_id), enforcement.enforce, number=number, live=live)

    async def sold(self, **changes: Any) -> VpnKey:
        wish = Wish(None, TermChanges(**changes))
        key: VpnKey = await self.shop.workplace.do(
            keys.issue, name=None, placement=Placement.SHARED, pool=POOL, wish=wish
        )
        await self.shop.confirm(present=[key.label])
        return key

    async def held(self, key: VpnKey) -> Held:
        found: Any = await self.shop.do(terms.show, key, live=lambda _: None)
        return found.held  # type: ignore[no-any-return]

    async def is_active(self, key: VpnKey) -> bool:
        return bool((await self.shop.do(keys.find, key)).is_active)


@pytest.fixture
async def bench(workplace: Workplace) -> Bench:
    return Bench(await Shop(workplace).open())


async def test_a_key_expires_at_its_end_and_not_before(bench: Bench) -> None:
    key = await bench.sold(expires_at=bench.shop.workplace.clock.now() + timedelta(seconds=10))
    await bench.loop.look()
    bench.shop.workplace.clock.advance(9.999)
    await bench.loop.look()
    assert await bench.is_active(key)

    bench.shop.workplace.clock.advance(0.001)
    await bench.loop.look()

    assert not await bench.is_active(key)
    assert bench.done == [key.number]


async def test_an_end_that_comes_while_the_database_is_away_is_acted_upon_afterwards(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await bench.sold(expires_at=bench.shop.workplace.clock.now() + timedelta(seconds=BOOKED_INTERVAL_S))
    await bench.loop.look()
    bench.shop.workplace.clock.advance(BOOKED_INTERVAL_S)

    def away(*_: Any) -> set[int]:
        raise StorageBusy("the database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(store, "noticed", away)  # the database goes away in the middle of a look
        with pytest.raises(StorageBusy):
            await bench.loop.look()

    await bench.loop.look()

    assert not await bench.is_active(key)


async def test_what_became_due_while_nobody_looked_is_done_at_the_start(bench: Bench) -> None:
    key = await bench.sold(expires_at=bench.shop.workplace.clock.now() + timedelta(seconds=10))
    bench.shop.workplace.clock.advance(86_400)

    await bench.new_loop().look()

    assert not await bench.is_active(key)


async def test_an_extension_moves_a_deadline_the_loop_knows(bench: Bench) -> None:
    key = await bench.sold(expires_at=bench.shop.workplace.clock.now() + timedelta(seconds=10))
    await bench.loop.look()
    await bench.shop.do(terms.extend, key, days=1, request=None, live=lambda _: None)
    bench.shop.workplace.clock.advance(60)

    await bench.loop.look()

    assert await bench.is_active(key)
    assert bench.done == []


async def test_a_figure_below_the_next_threshold_costs_nothing(bench: Bench) -> None:
    key = await bench.sold(quota_bytes=1000)
    for carried in (0, 100, 799):
        bench.figures.carried[key.label] = Bytes(0, carried)
        await bench.loop.look()

    assert bench.done == []


async def test_each_threshold_is_acted_upon_once_and_the_quota_cuts(bench: Bench) -> None:
    key = await bench.sold(quota_bytes=1000)
    for carried in (800, 900, 950, 990, 1001, 1002):
        bench.figures.carried[key.label] = Bytes(1, carried - 1)
        await bench.loop.look()

    assert bench.done == [key.number] * 3
    assert not await bench.is_active(key)


async def test_a_first_byte_starts_a_duration_whose_end_is_watched(bench: Bench) -> None:
    key = await bench.sold(duration_s=30)
    await bench.loop.look()
    bench.figures.carried[key.label] = Bytes(1, 0)
    await bench.loop.look()
    assert (await bench.held(key)).terms.expires_at is not None

    bench.shop.workplace.clock.advance(30)
    await bench.loop.look()

    assert not await bench.is_active(key)


async def test_a_new_period_lifts_a_cut(bench: Bench) -> None:
    key = await bench.sold(quota_bytes=1000, reset=Reset.DAY)
    bench.figures.carried[key.label] = Bytes(0, 1000)
    await bench.loop.look()
    bench.shop.workplace.clock.advance(86_400)

    await bench.loop.look()

    assert await bench.is_active(key)
    assert (await bench.held(key)).progress.baseline == Bytes(0, 1000)


async def test_what_failed_is_done_in_the_next_round(bench: Bench) -> None:
    key = await bench.sold(expires_at=bench.shop.workplace.clock.now() + timedelta(seconds=1))
    bench.shop.workplace.clock.advance(1)
    bench.fails = 2

    for _ in range(3):
        await bench.loop.look()

    assert not await bench.is_active(key)


async def test_a_clock_that_is_set_back_between_look_and_deed_loses_no_deadline(bench: Bench) -> None:
    clock = bench.shop.workplace.clock
    key = await bench.sold(expires_at=clock.now() + timedelta(seconds=10))
    await bench.loop.look()
    clock.advance(10)
    enforce = bench.loop._enforce

    async def set_back_first(account_id: int, number: int, live: Bytes | None) -> None:
        clock.step_wall(-5)
        await enforce(account_id, number, live)

    bench.loop._enforce = set_back_first
    await bench.loop.look()
    bench.loop._enforce = enforce
    assert await bench.is_active(key)

    clock.advance(5)
    await bench.loop.look()

    assert not await bench.is_active(key)


async def test_an_expired_key_stays_expired_when_the_clock_is_set_back(bench: Bench) -> None:
    clock = bench.shop.workplace.clock
    key = await bench.sold(expires_at=clock.now() + timedelta(seconds=1))
    clock.advance(1)
    await bench.loop.look()

    clock.step_wall(-86_400 * 30)
    await bench.loop.look()
    await bench.new_loop().look()

    assert not await bench.is_active(key)


async def test_a_reissued_key_is_watched_under_its_new_label(bench: Bench) -> None:
    key = await bench.sold(quota_bytes=1000)
    await bench.loop.look()
    again = (await bench.shop.do(keys.reissue, key)).key
    await bench.shop.confirm(present=[again.label])
    bench.figures.carried[again.label] = Bytes(0, 1000)

    await bench.loop.look()

    assert not await bench.is_active(again)


async def test_a_revoked_key_is_forgotten(bench: Bench) -> None:
    key = await bench.sold(expires_at=bench.shop.workplace.clock.now() + timedelta(seconds=1))
    await bench.loop.look()
    await bench.shop.revoke("1")
    await bench.shop.confirm(absent=[key.label])
    bench.shop.workplace.clock.advance(1)

    for _ in range(3):
        await bench.loop.look()

    assert bench.done == [key.number]


async def test_many_deadlines_at_once_are_all_kept(bench: Bench) -> None:
    ends = bench.shop.workplace.clock.now() + timedelta(seconds=1)
    sold = [await bench.sold(expires_at=ends) for _ in range(70)]
    bench.shop.workplace.clock.advance(1)

    await bench.loop.look()

    assert sorted(bench.done) == [key.number for key in sold]


async def test_what_is_booked_is_enforced_where_nobody_sees_it_moving(bench: Bench) -> None:
    key = await bench.sold(quota_bytes=1000)
    await bench.loop.look()
    booked = reading("p1", k1_1=(0, 1000))
    await bench.shop.workplace.do(traffic.sync, scope=SCOPE, placement=Placement.SHARED, readings=[booked])
    bench.shop.workplace.clock.advance(BOOKED_INTERVAL_S)

    await bench.loop.look()

    assert not await bench.is_active(key)
    bench.shop.workplace.clock.advance(BOOKED_INTERVAL_S)
    await bench.loop.look()
    assert bench.done == [key.number]
