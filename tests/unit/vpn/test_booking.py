"""What is stored is what the rules say: bookings in random order beside the pure rules, on the database of the run."""

import random

import pytest

from keystead.engines.xray.state import Carried, Counters, Reading
from keystead.vpn import accounting, booking, traffic
from keystead.vpn.accounting import Bytes, Standing
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.store import processes
from keystead.vpn.store import traffic as traffic_store
from keystead.vpn.traffic import Seen
from tests.support.metering import Core
from tests.support.shop import SCOPE, Shop
from tests.support.work import Workplace

EVENTS = ("carry", "carry", "carry", "open", "close", "read", "late", "pair", "start", "end", "reset", "hour")


class Ledger:
    """One key whose cores are booked twice: by the rules alone, and in the database."""

    def __init__(self, shop: Shop, key: VpnKey, rolls: random.Random) -> None:
        self.shop, self.key, self.rolls = shop, key, rolls
        self.standing = Standing()
        self.cores: list[Core] = []
        self.late: list[Reading] = []
        self.start()

    def start(self) -> None:
        self.cores.append(Core(f"{self.key.label}-p{len(self.cores)}"))
        self.cores[-1].open(is_spliced=True)

    def carried(self) -> list[Carried]:
        return [Carried(core.process, {self.key.label: core.carried()}) for core in self.cores if core.is_alive]

    def reading(self, core: Core) -> Reading:
        return Reading(core.process, {self.key.label: core.counters()})

    async def event(self) -> None:
        core = self.rolls.choice(self.cores)
        match self.rolls.choice(EVENTS):
            case "carry" if core.streams:
                stream = self.rolls.choice(core.streams)
                core.carry(stream, Bytes(self.rolls.randrange(50), self.rolls.randrange(2**54)))
            case "open":
                core.open(is_spliced=self.rolls.random() < 0.5)
            case "close" if core.streams:
                core.close(self.rolls.choice(core.streams))
            case "read":
                self.late.append(self.reading(core))
                await self.book(self.reading(core))
            case "late" if self.late:
                await self.book(self.rolls.choice(self.late))
            case "pair" if core.is_alive:
                await self.pair(core)
            case "start" if len(self.cores) < 4:
                self.start()
            case "end":
                await self.end(core)
            case "reset":
                await self.reset()
            case "hour":
                self.shop.workplace.clock.advance(3000)

    async def book(self, reading: Reading) -> None:
        counters = reading.counters[self.key.label]
        if counters != Counters(0, 0):
            self.standing = accounting.book(self.standing, reading.process, counters)
        await self.write(lambda connection, at: booking.book_all(connection, SCOPE, reading, at))

    async def pair(self, core: Core) -> None:
        before = self.carried()
        reading = self.reading(core)
        if core.streams:
            core.carry(core.streams[0], Bytes(1, 1000))
        after, label = self.carried(), self.key.label
        earlier, later = (booking.carried_by(found, label)[core.process] for found in (before, after))
        paired = accounting.pair(self.standing, core.process, reading.counters[label], before=earlier, after=later)
        self.standing = accounting.show(paired, booking.carried_by(after, label))
        await self.write(
            lambda connection, at: booking.book_pairs(
                connection, SCOPE, reading, [label], before=before, after=after, at=at
            )
        )

    async def end(self, core: Core) -> None:
        core.is_alive = False
        last = Carried(core.process, {self.key.label: core.carried()}, is_ended=True)
        self.standing = accounting.end(self.standing, core.process, core.carried())
        await self.write(lambda connection, at: booking.end_process(connection, SCOPE, core.process, last, at))

    async def reset(self) -> None:
        carried = self.carried()
        self.standing = accounting.forgive(self.standing, booking.carried_by(carried, self.key.label))
        await self.shop.do(traffic.reset, self.key, readings=(), seen=Seen(None, carried))

    async def write(self, unit: object) -> None:
        place = self.shop.workplace
        await place.database.write(lambda connection: unit(connection, place.clock.now()))  # type: ignore[operator]

    async def check(self) -> None:
        label = self.key.label
        row = (await self.shop.workplace.database.read(lambda c: traffic_store.of_labels(c, [label])))[0]
        carried = booking.carried_by(self.carried(), label)
        assert row.standing._replace(processes={}) == self.standing._replace(processes={})
        assert accounting.live(row.standing, carried) == accounting.live(self.standing, carried)


@pytest.mark.parametrize("seed", range(12))
async def test_bookings_in_any_order_store_what_the_rules_say(workplace: Workplace, seed: int) -> None:
    shop = await Shop(workplace).open()
    rolls = random.Random(seed)
    for _ in range(3):
        ledger = Ledger(shop, await shop.issue(), rolls)
        for _ in range(50):
            await ledger.event()
            await ledger.check()


async def test_a_reading_of_a_forgotten_process_is_not_taken_for_a_new_ones(workplace: Workplace) -> None:
    shop = await Shop(workplace).open()
    ledger = Ledger(shop, await shop.issue(), random.Random(1))
    core = ledger.cores[0]
    core.carry(core.streams[0], Bytes(5, 5))
    await ledger.book(ledger.reading(core))
    await ledger.end(core)
    counted = ledger.standing.counted
    await workplace.database.write(lambda connection: processes.forget(connection, core.process))

    reading = Reading(core.process, {ledger.key.label: Counters(900, 900)})
    await ledger.write(lambda connection, at: booking.book_all(connection, SCOPE, reading, at))

    assert (await shop.do(traffic.usage, ledger.key)).counted == counted
