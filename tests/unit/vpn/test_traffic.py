"""The verbs of traffic: exact resets, bytes that never fall, syncs."""

import asyncio
from dataclasses import replace

import pytest

from keystead.access import tokens
from keystead.access.permissions import VPN_PERMISSIONS
from keystead.access.principal import Principal
from keystead.vpn import booking, keys, traffic
from keystead.vpn.accounting import Bytes
from keystead.vpn.placement import Placement
from tests.support.shop import SCOPE, Shop, reading
from tests.support.work import Workplace


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    return await Shop(workplace).open()


async def book(shop: Shop, taken: object) -> int:
    clock = shop.workplace.clock
    return await shop.workplace.database.write(
        lambda connection: booking.book_all(connection, SCOPE, taken, clock.now())  # type: ignore[arg-type]
    )


async def test_a_reset_returns_the_exact_figure_and_starts_at_zero(shop: Shop) -> None:
    key = await shop.issue()
    await book(shop, reading("p1", k1_1=(100, 1000)))

    ended = await shop.do(traffic.reset, key, readings=[reading("p1", k1_1=(150, 1500))])
    after = await shop.do(traffic.usage, key)

    assert ended.visible == Bytes(150, 1500)
    assert after.visible == Bytes()
    assert after.lifetime == Bytes(150, 1500)


async def test_after_a_reset_only_new_bytes_count(shop: Shop) -> None:
    key = await shop.issue()
    await shop.do(traffic.reset, key, readings=[reading("p1", k1_1=(150, 1500))])

    await book(shop, reading("p1", k1_1=(151, 1502)))

    assert (await shop.do(traffic.usage, key)).visible == Bytes(1, 2)


async def test_a_second_reset_and_one_before_any_traffic_are_zero(shop: Shop) -> None:
    key = await shop.issue()

    first = await shop.do(traffic.reset, key, readings=())
    second = await shop.do(traffic.reset, key, readings=())

    assert first.visible == second.visible == Bytes()


async def test_a_restart_of_the_engine_adds_and_never_lowers(shop: Shop) -> None:
    key = await shop.issue()
    await book(shop, reading("p1", k1_1=(100, 1000)))

    await book(shop, reading("p2", k1_1=(10, 5)))

    assert (await shop.do(traffic.usage, key)).visible == Bytes(110, 1005)


async def test_an_older_reading_that_comes_late_adds_nothing(shop: Shop) -> None:
    key = await shop.issue()
    await book(shop, reading("p1", k1_1=(150, 1500)))

    await book(shop, reading("p1", k1_1=(100, 1000)))
    await book(shop, reading("p1", k1_1=(160, 1600)))

    assert (await shop.do(traffic.usage, key)).visible == Bytes(160, 1600)


async def test_a_counter_that_others_may_reset_counts_from_zero_when_it_fell(shop: Shop) -> None:
    key = await shop.issue()
    await book(shop, reading("p1", k1_1=(150, 1500)))

    await book(shop, replace(reading("p1", k1_1=(10, 20)), may_fall=True))

    assert (await shop.do(traffic.usage, key)).visible == Bytes(160, 1520)


async def test_readings_booked_at_the_same_time_count_every_byte_once(shop: Shop) -> None:
    key = await shop.issue()

    await asyncio.gather(*(book(shop, reading("p1", k1_1=(100, 1000))) for _ in range(8)))

    assert (await shop.do(traffic.usage, key)).visible == Bytes(100, 1000)


async def test_reset_keeps_the_total_of_other_keys(shop: Shop) -> None:
    first, second = await shop.issue(), await shop.issue()
    await book(shop, reading("p1", k1_1=(1, 2), k2_1=(3, 4)))

    await shop.do(traffic.reset, first, readings=())

    assert (await shop.do(traffic.usage, second)).visible == Bytes(3, 4)


async def test_the_last_bytes_of_a_reissued_label_still_count(shop: Shop) -> None:
    key = await shop.issue()
    await book(shop, reading("p1", k1_1=(1, 1)))
    await shop.do(keys.reissue, key)

    await book(shop, reading("p1", k1_1=(5, 5), k1_2=(10, 10)))

    assert (await shop.do(traffic.usage, key)).visible == Bytes(15, 15)


async def test_a_label_nobody_knows_is_not_booked(shop: Shop) -> None:
    key = await shop.issue()

    moved = await book(shop, reading("p1", k99_1=(5, 5)))

    assert moved == 0
    assert (await shop.do(traffic.usage, key)).visible == Bytes()


async def test_a_sync_counts_active_keys_and_an_unreadable_engine_counts_as_errors(shop: Shop) -> None:
    await shop.issue()
    disabled = await shop.issue()
    await shop.do(keys.disable, disabled)
    arguments = {"scope": SCOPE, "placement": Placement.SHARED}

    well = await shop.workplace.do(traffic.sync, readings=[reading("p1", k1_1=(1, 1))], **arguments)  # type: ignore[arg-type]
    badly = await shop.workplace.do(traffic.sync, readings=(), **arguments)  # type: ignore[arg-type]

    assert (well.updated, well.errors) == (1, 0)
    assert (badly.updated, badly.errors) == (0, 1)


async def test_a_sync_counts_for_a_confined_token_its_own_keys_only(shop: Shop) -> None:
    made = await shop.workplace.do(tokens.create, name="bot", permissions=VPN_PERMISSIONS, is_confined=True)
    bot = Principal(shop.workplace.account_id, "bot", VPN_PERMISSIONS, made.token.id, confined_to_token=made.token.id)
    await shop.issue()
    await shop.issue(principal=bot)

    report = await shop.workplace.do_as(
        bot, traffic.sync, scope=SCOPE, placement=Placement.SHARED, readings=[reading("p1", k1_1=(1, 1))]
    )

    assert report == traffic.SyncReport(1, 0)


async def test_the_time_of_the_figures_is_that_of_the_last_reading(shop: Shop) -> None:
    key = await shop.issue()
    shop.workplace.clock.advance(60)
    await book(shop, reading("p1", k1_1=(1, 1)))
    read_at = shop.workplace.clock.now()
    shop.workplace.clock.advance(60)

    assert (await shop.do(traffic.usage, key)).read_at == read_at
