"""How old clients may be: what takes effect by itself at a start, and what waits."""

import pytest

from keystead.access.work import Work
from keystead.vpn import clientrules
from keystead.vpn.clientrules import ClientVersions
from tests.support.shop import SCOPE, Shop
from tests.support.work import Workplace

COMPATIBLE, STRICT = ClientVersions.COMPATIBLE, ClientVersions.STRICT


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    return await Shop(workplace).open()


async def start(shop: Shop, wanted: ClientVersions) -> ClientVersions:
    def unit(work: Work) -> ClientVersions:
        return clientrules.settle(work.connection, SCOPE, wanted, work.now)

    return await shop.workplace.do(unit)


async def least(shop: Shop) -> set[str]:
    """Return the least client versions that the core is to have."""
    desired = await shop.workplace.database.read(shop.source.desired)
    return {inbound.min_client_version for inbound in desired.inbounds}


async def test_the_first_start_takes_what_the_settings_say(shop: Shop) -> None:
    assert await start(shop, STRICT) is STRICT
    assert await least(shop) == {"26.3.27"}


async def test_a_stricter_setting_waits_where_keys_are_and_not_before(shop: Shop) -> None:
    await start(shop, COMPATIBLE)
    empty = await start(shop, STRICT)
    back = await start(shop, COMPATIBLE)
    await shop.issue()

    held = await start(shop, STRICT)

    assert (empty, back, held) == (STRICT, COMPATIBLE, COMPATIBLE)
    assert await least(shop) == {"1.0.0"}


async def test_a_rule_that_was_approved_stays_and_a_milder_one_needs_nobody(shop: Shop) -> None:
    await start(shop, COMPATIBLE)
    await shop.issue()
    await shop.workplace.do(clientrules.allow, scope=SCOPE, versions=STRICT)

    kept, milder = await start(shop, STRICT), await start(shop, COMPATIBLE)

    assert (kept, milder) == (STRICT, COMPATIBLE)


async def test_keys_from_before_the_rule_was_kept_go_by_the_settings(shop: Shop) -> None:
    await shop.issue()

    assert await start(shop, STRICT) is STRICT


async def test_a_core_that_somebody_else_runs_gets_what_the_settings_say(shop: Shop) -> None:
    await start(shop, COMPATIBLE)
    await shop.issue()

    def unit(work: Work) -> None:
        clientrules.adopt(work.connection, SCOPE, STRICT, work.now)

    await shop.workplace.do(unit)

    assert await least(shop) == {"26.3.27"}
