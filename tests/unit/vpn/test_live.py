"""Live figures end to end but for the engine and the kernel: a meter over fakes, with a database that remembers."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from keystead.engines.xray.state import Carried, Counters, Reading
from keystead.kit.errors import EngineUnavailable, StorageBusy
from keystead.vpn import keys, traffic
from keystead.vpn.accounting import NOTHING, Bytes
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.livemeter import BOOK_EVERY_S
from keystead.vpn.meter import Meter
from keystead.vpn.store.departed import Departed
from keystead.vpn.traffic import Quality, Usage
from tests.support.metering import Core, Unwritable
from tests.support.shop import SCOPE, Shop
from tests.support.work import Workplace

LABEL = "k1-1"
MEGABYTE = 1_000_000


class Box:
    """An engine and a kernel: cores with the connections of one label each, the last one serving."""

    def __init__(self, label: str = LABEL) -> None:
        self.label = label
        self.cores = [Core("p1")]
        self.forgotten: set[str] = set()
        self.is_silent = False

    @property
    def core(self) -> Core:
        return self.cores[-1]

    async def read_counters(self, label: str | None = None) -> Reading:
        if not self.core.is_alive:
            raise EngineUnavailable("down")
        return Reading(self.core.process, {self.label: self.core.counters()} if label in (None, self.label) else {})

    async def read_draining(self, label: str | None = None) -> Sequence[Reading]:
        return [Reading(core.process, {self.label: core.counters()}) for core in self.cores[:-1] if core.is_alive]

    async def carried(self) -> Sequence[Carried]:
        if self.is_silent:
            raise EngineUnavailable("the keeper is away")
        return [
            Carried(core.process, {self.label: core.carried()}, not core.is_alive)
            for core in self.cores
            if core.process not in self.forgotten
        ]

    async def carried_now(self, label: str) -> Sequence[Carried]:
        return [found for found in await self.carried() if label in found.labels]


class Bench:
    """One key, its box, and a meter that can be started again."""

    def __init__(self, shop: Shop, key: VpnKey) -> None:
        self.shop, self.key, self.box = shop, key, Box(key.label)
        self.start()

    def start(self) -> None:
        place = self.shop.workplace
        self.meter = Meter(
            SCOPE, self.box, database=place.database, clock=place.clock, carried=self.box, draining=self.box
        )

    async def ticks(self, seconds: int = 1, *, carrying: int = 0) -> None:
        for _ in range(seconds):
            if carrying:
                self.box.core.carry(self.box.core.streams[-1], Bytes(0, carrying))
            self.shop.workplace.clock.advance(1)
            await self.meter.look()

    async def usage(self) -> Usage:
        seen = await self.meter.refresh(self.key)
        found: Usage = await self.shop.do(traffic.usage, self.key, seen=seen)
        return found

    async def reset(self) -> Usage:
        readings, seen = await self.meter.read_one(self.key)
        found: Usage = await self.shop.do(traffic.reset, self.key, readings=readings, seen=seen)
        await self.meter.reload(self.key)
        return found


@pytest.fixture
async def bench(workplace: Workplace) -> Bench:
    shop = await Shop(workplace).open()
    return Bench(shop, await shop.issue())


async def test_a_spliced_download_shows_at_once_and_is_counted_when_it_ends(bench: Bench) -> None:
    stream = bench.box.core.open(is_spliced=True)
    await bench.ticks(30, carrying=MEGABYTE)
    during = await bench.usage()

    bench.box.core.close(stream)
    await bench.ticks(int(BOOK_EVERY_S) + 2)
    after = await bench.usage()

    assert (during.visible, during.counted, during.quality) == (Bytes(0, 30 * MEGABYTE), NOTHING, Quality.LIVE)
    assert after.visible == after.counted == after.live == Bytes(0, 30 * MEGABYTE)


async def test_the_figures_for_enforcement_need_no_database(bench: Bench) -> None:
    bench.box.core.open(is_spliced=True)
    await bench.ticks(3, carrying=MEGABYTE)
    database: Any = None
    bench.meter._database = database

    assert bench.meter.live(LABEL) == Bytes(0, 3 * MEGABYTE)
    assert bench.meter.moving() == {LABEL: Bytes(0, 3 * MEGABYTE)}


async def test_what_does_not_move_is_not_kept_in_memory(bench: Bench) -> None:
    bench.box.core.open(is_spliced=True)
    await bench.ticks(2, carrying=MEGABYTE)

    await bench.ticks(4 * int(BOOK_EVERY_S))

    assert bench.meter.moving() == {}
    assert bench.meter.live(LABEL) is None
    assert (await bench.usage()).visible == Bytes(0, 2 * MEGABYTE)


async def test_a_reset_in_the_middle_forgives_what_it_returns(bench: Bench) -> None:
    stream = bench.box.core.open(is_spliced=True)
    await bench.ticks(20, carrying=MEGABYTE)

    ended = await bench.reset()
    await bench.ticks(1, carrying=MEGABYTE)
    during, in_memory = (await bench.usage()).visible, bench.meter.live(LABEL)
    bench.box.core.close(stream)
    await bench.ticks(int(BOOK_EVERY_S) + 2)

    assert ended.visible == Bytes(0, 20 * MEGABYTE)
    assert during == in_memory == (await bench.usage()).visible == Bytes(0, MEGABYTE)
    assert (await bench.usage()).lifetime == Bytes(0, 21 * MEGABYTE)


async def test_a_restart_of_the_meter_in_the_middle_loses_nothing(bench: Bench) -> None:
    stream = bench.box.core.open(is_spliced=True)
    await bench.ticks(22, carrying=MEGABYTE)

    bench.start()
    before_the_first_tick = (await bench.usage()).visible
    await bench.ticks(3, carrying=MEGABYTE)
    during = (await bench.usage()).visible
    bench.box.core.close(stream)
    await bench.ticks(int(BOOK_EVERY_S) + 2)

    assert before_the_first_tick.downlink >= 16 * MEGABYTE
    assert during == (await bench.usage()).counted == Bytes(0, 25 * MEGABYTE)


async def test_a_killed_core_leaves_an_estimate_that_stays_apart(bench: Bench) -> None:
    bench.box.core.open(is_spliced=True)
    await bench.ticks(48, carrying=MEGABYTE)
    bench.box.core.is_alive = False
    bench.box.cores.append(Core("p2"))

    await bench.ticks(2)
    bench.start()
    await bench.ticks(2)

    usage = await bench.usage()
    assert (usage.counted, usage.estimated) == (NOTHING, Bytes(0, 48 * MEGABYTE))
    assert usage.visible == usage.lifetime == Bytes(0, 48 * MEGABYTE)


async def test_a_reading_that_comes_after_the_end_takes_the_place_of_the_estimate(bench: Bench) -> None:
    bench.box.core.open(is_spliced=True)
    await bench.ticks(3, carrying=MEGABYTE)
    late = Reading("p1", {LABEL: Counters(0, 2 * MEGABYTE)})
    bench.box.core.is_alive = False
    bench.box.cores.append(Core("p2"))
    bench.box.core.carry(bench.box.core.open(is_spliced=False), Bytes(0, 5))
    await bench.ticks(20)

    for _ in range(2):
        await bench.shop.do(traffic.reset, bench.key, readings=[late])

    usage = await bench.usage()
    assert (usage.counted, usage.estimated) == (Bytes(0, 2 * MEGABYTE + 5), Bytes(0, MEGABYTE))
    assert usage.visible == NOTHING


async def test_a_process_that_nobody_tells_of_any_more_is_ended_and_forgotten(bench: Bench) -> None:
    bench.box.core.open(is_spliced=True)
    await bench.ticks(3, carrying=MEGABYTE)
    bench.box.core.is_alive = False
    bench.box.forgotten.add("p1")
    bench.box.cores.append(Core("p2"))

    await bench.ticks(130)
    await bench.shop.do(traffic.reset, bench.key, readings=[Reading("p1", {LABEL: Counters(0, 9 * MEGABYTE)})])

    assert (await bench.usage()).lifetime == Bytes(0, 3 * MEGABYTE)


async def test_what_a_process_carried_that_went_with_its_keeper_survives_a_restart_soon_after(bench: Bench) -> None:
    bench.box.core.open(is_spliced=True)
    await bench.ticks(3, carrying=MEGABYTE)
    bench.box.core.is_alive = False
    bench.box.forgotten.add("p1")
    bench.box.cores.append(Core("p2"))

    await bench.ticks(7)
    bench.start()
    await bench.ticks(1)

    assert (await bench.usage()).visible == Bytes(0, 3 * MEGABYTE)


async def test_two_cores_at_once_are_told_apart(bench: Bench) -> None:
    old = bench.box.core
    download = old.open(is_spliced=True)
    await bench.ticks(20, carrying=MEGABYTE)
    bench.box.cores.append(Core("p2"))
    bench.box.core.open(is_spliced=False)

    for _ in range(40):
        old.carry(download, Bytes(0, MEGABYTE))
        await bench.ticks(1, carrying=1_000)
    during = await bench.usage()
    old.close(download)
    await bench.ticks(int(BOOK_EVERY_S) + 2)
    await bench.meter.sync()
    old.is_alive = False
    await bench.ticks(130)

    usage = await bench.usage()
    assert during.visible == usage.visible == usage.counted == Bytes(0, 60 * MEGABYTE + 40_000)
    assert usage.estimated == NOTHING


async def test_a_silent_keeper_leaves_the_figures_and_their_quality_says_so(bench: Bench) -> None:
    bench.box.core.open(is_spliced=True)
    await bench.ticks(3, carrying=MEGABYTE)
    bench.box.is_silent = True
    bench.shop.workplace.clock.advance(10)

    usage = await bench.usage()

    assert (usage.visible, usage.quality) == (Bytes(0, 3 * MEGABYTE), Quality.COUNTED)


async def test_a_reissued_key_shows_what_both_its_labels_carry(bench: Bench) -> None:
    bench.box.core.open(is_spliced=True)
    await bench.ticks(3, carrying=MEGABYTE)

    await bench.shop.do(keys.reissue, bench.key)

    await bench.ticks(1, carrying=MEGABYTE)
    assert (await bench.usage()).visible == bench.meter.live(LABEL) == Bytes(0, 4 * MEGABYTE)


async def test_the_last_bytes_of_a_deleted_key_stay_with_the_account(bench: Bench) -> None:
    stream = bench.box.core.open(is_spliced=True)
    bench.box.core.carry(bench.box.core.open(is_spliced=False), Bytes(7, 7))
    await bench.ticks(20, carrying=MEGABYTE)
    await bench.meter.sync()
    await bench.shop.revoke(bench.key)
    await bench.shop.confirm(absent=[bench.key.label])

    bench.box.core.close(stream)
    await bench.meter.sync()
    await bench.meter.sync()

    gone = Departed(1, Bytes(7, 20 * MEGABYTE + 7))
    assert await of_account(bench) == traffic.AccountUsage(NOTHING, NOTHING, NOTHING, Quality.LIVE, gone)


async def delete(bench: Bench) -> None:
    await bench.shop.revoke(bench.key)
    await bench.shop.confirm(absent=[bench.key.label])


async def of_account(bench: Bench) -> traffic.AccountUsage:
    moving, quality = bench.meter.lifetimes_moving(), bench.meter.quality
    found: traffic.AccountUsage = await bench.shop.workplace.do(traffic.of_account, moving=moving, quality=quality)
    return found


async def test_what_a_deleted_key_carried_is_booked_with_what_moves(bench: Bench) -> None:
    stream = bench.box.core.open(is_spliced=True)
    await bench.ticks(3, carrying=MEGABYTE)
    await delete(bench)
    before = await of_account(bench)

    bench.box.core.close(stream)
    await bench.ticks(int(BOOK_EVERY_S) + 2)

    assert before.departed == Departed(0)
    assert (await of_account(bench)).departed == Departed(1, Bytes(0, 3 * MEGABYTE))


async def test_what_a_deleted_key_carried_in_a_core_that_is_killed_is_estimated(bench: Bench) -> None:
    bench.box.core.open(is_spliced=True)
    await bench.ticks(3, carrying=MEGABYTE)
    await delete(bench)

    bench.box.core.is_alive = False
    bench.box.cores.append(Core("p2"))
    await bench.ticks(int(BOOK_EVERY_S) + 2)

    assert (await of_account(bench)).departed == Departed(1, NOTHING, Bytes(0, 3 * MEGABYTE))


async def test_a_database_that_takes_no_writes_delays_bookings_and_loses_none(bench: Bench) -> None:
    stream = bench.box.core.open(is_spliced=True)
    await bench.ticks(2, carrying=MEGABYTE)
    assert bench.meter._live is not None
    database: Any = Unwritable(bench.shop.workplace.database, StorageBusy("locked"))
    bench.meter._live._database = database
    for _ in range(40):
        with suppress(StorageBusy):
            await bench.ticks(1, carrying=MEGABYTE)
    while_away = bench.meter.live(LABEL)

    bench.meter._live._database = bench.shop.workplace.database
    bench.box.core.close(stream)
    await bench.ticks(2 * int(BOOK_EVERY_S))

    assert while_away == (await bench.usage()).counted == Bytes(0, 42 * MEGABYTE)


async def test_one_who_asks_is_told_of_now_and_not_of_the_last_look(bench: Bench) -> None:
    stream = bench.box.core.open(is_spliced=True)
    await bench.ticks(3, carrying=MEGABYTE)
    bench.box.core.carry(stream, Bytes(0, MEGABYTE))
    asked = await bench.usage()
    bench.box.is_silent = True
    unheard = await bench.usage()

    assert asked.visible == unheard.visible == Bytes(0, 4 * MEGABYTE)
    assert bench.meter.live(LABEL) == Bytes(0, 4 * MEGABYTE)


@pytest.mark.parametrize("is_asked", [True, False])
async def test_the_padding_of_a_download_that_is_not_spliced_is_not_shown(bench: Bench, is_asked: bool) -> None:
    stream = bench.box.core.open(is_spliced=False)
    for _ in range(40):
        bench.box.core.carry(stream, Bytes(0, MEGABYTE), Bytes(0, MEGABYTE // 11))
        await bench.ticks()
        if is_asked:
            await bench.usage()

    figure = bench.meter.live(LABEL)

    assert figure is not None
    assert 40 * MEGABYTE <= figure.downlink <= (41 if is_asked else 42) * MEGABYTE


async def test_one_who_asks_is_told_nothing_more_of_a_process_that_is_booked_as_ended(bench: Bench) -> None:
    stream = bench.box.core.open(is_spliced=True)
    await bench.ticks(3, carrying=MEGABYTE)
    bench.box.core.carry(stream, Bytes(0, MEGABYTE))
    bench.box.core.is_alive = False
    bench.box.cores.append(Core("p2"))
    await bench.ticks()

    asked = await bench.usage()

    assert (asked.visible, asked.estimated) == (Bytes(0, 4 * MEGABYTE), Bytes(0, 4 * MEGABYTE))
