"""The record that an address is refused: once in a period, whatever goes on meanwhile, and never with an address."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from keystead.access.models import AUDIT_RECORDS
from keystead.access.principal import system
from keystead.engines.xray.state import AddressUse
from keystead.vpn import enforcement, keys, terms, traffic
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.placement import Placement
from keystead.vpn.plans import TermChanges, Wish
from keystead.vpn.refusals import AGAIN_S, Refusals
from tests.support.fake_engine import FakeWatching
from tests.support.shop import POOL, Shop, reading
from tests.support.work import Workplace

REFUSED = "203.0.113.9"


class Bench:
    """A shop with one key that is limited to an address, and the loop that notes refusals."""

    def __init__(self, shop: Shop, key: VpnKey) -> None:
        self.shop = shop
        self.key = key
        self.source = FakeWatching()
        self.asked = 0
        self.loop = Refusals(self.source, self._note, clock=shop.workplace.clock)

    async def _note(self, number: int, active: int) -> None:
        self.asked += 1
        account = system(self.key.account_id)
        await self.shop.workplace.do_as(account, enforcement.note_refusal, number=number, active=active)

    async def refuse(self) -> None:
        """Let an address be refused, and the loop look after a minute."""
        self.source.use = {self.key.label: AddressUse(1, 1, [REFUSED])}
        self.shop.workplace.clock.advance(AGAIN_S)
        await self.loop.look()

    async def records(self) -> list[dict[str, Any]]:
        query = select(AUDIT_RECORDS.c.facts).where(AUDIT_RECORDS.c.verb == "vpn.terms.refuse")
        ordered = query.order_by(AUDIT_RECORDS.c.number)
        database = self.shop.workplace.database
        return await database.read(lambda connection: list(connection.execute(ordered).scalars()))


@pytest.fixture
async def bench(workplace: Workplace) -> Bench:
    shop = await Shop(workplace).open()
    wish = Wish(None, TermChanges(address_limit=1))
    key: VpnKey = await workplace.do(keys.issue, name=None, placement=Placement.SHARED, pool=POOL, wish=wish)
    await shop.confirm(present=[key.label])
    return Bench(shop, key)


async def test_a_refusal_is_put_on_record_once_and_without_an_address(bench: Bench) -> None:
    for _ in range(3):
        await bench.refuse()

    assert await bench.records() == [{"address_limit": 1, "active": 1}]


async def test_within_a_minute_nothing_is_asked_again(bench: Bench) -> None:
    await bench.refuse()

    await bench.loop.look()

    assert bench.asked == 1


async def test_it_is_told_again_in_the_next_period_and_under_another_limit(bench: Bench) -> None:
    await bench.refuse()
    await bench.shop.do(traffic.reset, bench.key, readings=[reading("one")])
    await bench.refuse()
    wish = Wish(None, TermChanges(address_limit=2))
    await bench.shop.do(terms.change, bench.key, wish=wish, live=lambda _: None)

    await bench.refuse()

    assert [facts["address_limit"] for facts in await bench.records()] == [1, 1, 2]


async def test_a_key_whose_addresses_are_all_served_is_not_noted(bench: Bench) -> None:
    bench.source.use = {bench.key.label: AddressUse(1, 1, [])}

    await bench.loop.look()

    assert bench.asked == 0


async def test_a_key_that_lost_its_limit_meanwhile_is_not_noted(bench: Bench) -> None:
    wish = Wish(None, replace(TermChanges(), address_limit=None))
    await bench.shop.do(terms.change, bench.key, wish=wish, live=lambda _: None)

    await bench.refuse()

    assert await bench.records() == []
