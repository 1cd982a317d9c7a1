"""Buckets of hours and days: they add up, they are few, and they are not kept for ever."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from keystead.engines.xray.state import Counters, Reading
from keystead.kit.errors import Invalid
from keystead.vpn import booking, history, keys, traffic
from keystead.vpn.accounting import NOTHING, Bytes
from keystead.vpn.history import Pruner, Retention, Step
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.models import DAYS, HOURS
from tests.support.shop import SCOPE, Shop
from tests.support.work import Workplace

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO, FAR = datetime(1971, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    return await Shop(workplace).open()


async def book(shop: Shop, **counters: int) -> None:
    reading = Reading("p", {label.replace("_", "-"): Counters(0, count) for label, count in counters.items()})
    place = shop.workplace
    await place.database.write(lambda connection: booking.book_all(connection, SCOPE, reading, place.clock.now()))


async def shown(shop: Shop, key: VpnKey, step: Step, **times: Any) -> list[tuple[datetime, int]]:
    given = {"since": LONG_AGO, "until": FAR, **times}
    found = await shop.do(history.of_key, key, step=step, **given)
    return [(bucket.start, bucket.carried.downlink) for bucket in found.buckets]


async def rows(shop: Shop) -> tuple[int, int]:
    def unit(connection: Any) -> tuple[int, int]:
        hours, days = (connection.execute(select(func.count()).select_from(table)).scalar() for table in (HOURS, DAYS))
        return hours, days

    return await shop.workplace.database.read(unit)


async def test_bytes_stand_in_the_hour_they_were_booked_in(shop: Shop) -> None:
    key = await shop.issue()
    for hour, count in enumerate((100, 250, 250, 700)):
        await book(shop, k1_1=count - 10)
        shop.workplace.clock.advance(1800)
        await book(shop, k1_1=count)
        shop.workplace.clock.advance(1800)
        assert hour < 4

    hours = await shown(shop, key, Step.HOUR)

    assert hours == [(START, 100), (START + timedelta(hours=1), 150), (START + timedelta(hours=3), 450)]
    assert await shown(shop, key, Step.DAY) == [(START.replace(hour=0), 700)]


async def test_buckets_add_up_to_the_counted_total_whatever_the_clock_does(shop: Shop) -> None:
    key = await shop.issue()
    count = 0
    for step_s in (1800, 7200, -86_400, 86_400, 3600, -3600, 200_000, 60):
        count += 1000
        await book(shop, k1_1=count)
        shop.workplace.clock.step_wall(step_s)
    await shop.do(keys.reissue, key)
    await book(shop, k1_1=count + 1, k1_2=5)

    usage = await shop.do(traffic.usage, key)

    for step in Step:
        assert sum(carried for _, carried in await shown(shop, key, step)) == usage.counted.downlink == count + 6


async def test_the_running_hour_costs_no_row_and_a_still_key_none(shop: Shop) -> None:
    await shop.issue()
    await shop.issue()
    for minute in range(0, 180, 5):
        await book(shop, k1_1=minute, k2_1=0)
        shop.workplace.clock.advance(300)

    assert await rows(shop) == (2, 1)


async def test_a_part_of_a_time_is_told_alone(shop: Shop) -> None:
    key = await shop.issue()
    for count in (1, 3, 7, 15):
        await book(shop, k1_1=count)
        shop.workplace.clock.advance(3600)

    found = await shown(
        shop, key, Step.HOUR, since=START + timedelta(minutes=70), until=START + timedelta(hours=2, minutes=1)
    )

    assert [carried for _, carried in found] == [2, 4]


async def test_the_default_is_the_last_day_with_the_present_hour(shop: Shop) -> None:
    key = await shop.issue()
    for count in (1, 3):
        await book(shop, k1_1=count)
        shop.workplace.clock.advance(23 * 3600)
    shop.workplace.clock.advance(-1)

    assert [carried for _, carried in await shown(shop, key, Step.HOUR, since=None, until=None)] == [2]
    assert [carried for _, carried in await shown(shop, key, Step.DAY, since=None, until=None)] == [1, 2]


async def test_a_time_that_ends_before_it_begins_is_refused(shop: Shop) -> None:
    key = await shop.issue()

    with pytest.raises(Invalid, match="before it begins"):
        await shown(shop, key, Step.DAY, since=FAR, until=LONG_AGO)


async def test_old_buckets_are_deleted_and_the_totals_stay(shop: Shop) -> None:
    key = await shop.issue()
    for count in (1, 3, 7):
        await book(shop, k1_1=count)
        shop.workplace.clock.advance(10 * 86_400)

    await Pruner(shop.workplace.database, Retention(hourly_days=15, daily_days=25), shop.workplace.clock).prune()

    assert [carried for _, carried in await shown(shop, key, Step.HOUR)] == [4]
    assert [carried for _, carried in await shown(shop, key, Step.DAY)] == [2, 4]
    assert (await shop.do(traffic.usage, key)).counted == Bytes(0, 7)


async def test_a_deleted_key_takes_its_history_along_and_leaves_its_total(shop: Shop) -> None:
    key = await shop.issue()
    for count in (1, 3):
        await book(shop, k1_1=count)
        shop.workplace.clock.advance(3600)
    await shop.revoke(key)

    await shop.confirm(absent=[key.label])

    account = await shop.workplace.do(traffic.of_account, moving={}, quality=traffic.Quality.COUNTED)
    assert await rows(shop) == (0, 0)
    assert account.departed is not None
    assert (account.counted, account.departed.counted) == (NOTHING, Bytes(0, 3))


async def test_bytes_of_a_key_deleted_a_week_ago_are_waited_for_no_longer(shop: Shop) -> None:
    key = await shop.issue()
    await book(shop, k1_1=3)
    await shop.revoke(key)
    await shop.confirm(absent=[key.label])
    await book(shop, k1_1=5)
    shop.workplace.clock.advance(8 * 86_400)

    await Pruner(shop.workplace.database, Retention(), shop.workplace.clock).prune()
    await book(shop, k1_1=9)

    account = await shop.workplace.do(traffic.of_account, moving={}, quality=traffic.Quality.COUNTED)
    assert account.departed is not None
    assert account.departed.counted == Bytes(0, 5)
