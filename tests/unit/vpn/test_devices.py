"""The limit of devices as a rule: who counts, who does not any more, and two that come at once for the last place."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from keystead.access.principal import system
from keystead.kit.errors import NotFound
from keystead.kit.secret import Secret
from keystead.vpn import devices, subscriptions, terms
from keystead.vpn.devices import DeviceCheck, Presented, Refusal
from keystead.vpn.history import Pruner, Retention
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.plans import TermChanges, Wish
from keystead.vpn.store import devices as store
from tests.support.shop import Shop
from tests.support.work import Workplace

TOKEN = "ks_sub_of_a_test"
KEPT = timedelta(days=30)


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    return await Shop(workplace).open()


async def sold(shop: Shop, limit: int | None) -> VpnKey:
    key = await shop.issue()
    await shop.do(subscriptions.token, key)
    await shop.do(terms.change, key, wish=Wish(changes=TermChanges(device_limit=limit)), live=lambda _: None)
    return key


async def poll(shop: Shop, key: VpnKey, hwid: str | None) -> DeviceCheck | None:
    """Let a device poll, as the subscription wire does when there is something to write."""
    place = shop.workplace
    presented = None if hwid is None else Presented(Secret(hwid), "Android 14", "Pixel 8")
    device = None if presented is None else devices.seen(presented, TOKEN, place.clock.now())
    return await place.do_as(system(place.account_id), devices.admit, key=key, device=device, kept=KEPT)


async def refusals(shop: Shop, key: VpnKey, *hwids: str | None) -> list[Refusal | None]:
    found = [await poll(shop, key, hwid) for hwid in hwids]
    return [one.refusal for one in found if one is not None]


async def listed(shop: Shop, key: VpnKey) -> list[store.Device]:
    found = await shop.do(devices.list_, key, kept=KEPT)
    return list(found.devices)


async def test_as_many_devices_as_were_sold_are_let_in_again_and_again(shop: Shop) -> None:
    key = await sold(shop, 2)

    found = await refusals(shop, key, "a", "b", "a", "c", "b", None)

    assert found == [None, None, None, Refusal.FULL, None, Refusal.UNNAMED]


async def test_a_device_that_was_not_seen_for_the_time_makes_room(shop: Shop) -> None:
    key, clock = await sold(shop, 1), shop.workplace.clock
    await poll(shop, key, "a")
    clock.advance(KEPT.total_seconds())
    still = await refusals(shop, key, "b")
    clock.advance(1)

    later = await refusals(shop, key, "b", "a")

    assert (still, later) == ([Refusal.FULL], [None, Refusal.FULL])
    assert len(await listed(shop, key)) == 1


async def test_a_device_that_goes_on_polling_keeps_its_place(shop: Shop) -> None:
    key, clock = await sold(shop, 1), shop.workplace.clock
    for _ in range(5):
        await poll(shop, key, "a")
        clock.advance(KEPT.total_seconds() / 2)

    assert await refusals(shop, key, "b") == [Refusal.FULL]


async def test_a_lower_limit_refuses_newcomers_and_nobody_who_is_known(shop: Shop) -> None:
    key = await sold(shop, 3)
    await refusals(shop, key, "a", "b", "c")
    await shop.do(terms.change, key, wish=Wish(changes=TermChanges(device_limit=1)), live=lambda _: None)

    assert await refusals(shop, key, "a", "c", "d") == [None, None, Refusal.FULL]


async def test_without_a_limit_nothing_is_kept_of_a_device(shop: Shop) -> None:
    key = await sold(shop, None)

    assert await poll(shop, key, "a") is None
    assert await listed(shop, key) == []


async def test_what_is_kept_is_a_hash_that_another_subscription_s_token_does_not_give(shop: Shop) -> None:
    presented = Presented(Secret("a"), "", "")
    now = shop.workplace.clock.now()

    one, other = devices.seen(presented, TOKEN, now), devices.seen(presented, f"{TOKEN}2", now)

    assert one.fingerprint != other.fingerprint
    assert len(one.fingerprint) == 64
    assert "Secret" in repr(presented)


async def test_of_two_that_come_at_once_for_the_last_place_one_gets_it(shop: Shop) -> None:
    key = await sold(shop, 1)

    found = await asyncio.gather(*(poll(shop, key, hwid) for hwid in "abcd"))

    assert sorted(str(one.refusal) for one in found if one is not None) == ["None", "full", "full", "full"]
    assert len(await listed(shop, key)) == 1


async def test_a_subscription_that_was_closed_meanwhile_is_not_found(shop: Shop) -> None:
    key = await sold(shop, 1)
    await shop.do(subscriptions.revoke, key)

    with pytest.raises(NotFound):
        await poll(shop, key, "a")


async def test_a_refusal_is_told_again_after_a_day(shop: Shop) -> None:
    key, clock = await sold(shop, 1), shop.workplace.clock
    await poll(shop, key, "a")
    told = []
    for wait_s in (0, 86_399, 2):
        clock.advance(wait_s)
        found = await poll(shop, key, "b")
        assert found is not None
        told.append(found.is_settled)

    assert told == [False, True, False]


async def test_the_pruner_forgets_devices_of_keys_that_nobody_polls(shop: Shop) -> None:
    key, place = await sold(shop, 2), shop.workplace
    await poll(shop, key, "a")
    place.clock.advance(KEPT.total_seconds() + 1)

    await Pruner(place.database, Retention(), place.clock).prune()

    def count(connection: Connection) -> int:
        return store.count(connection, key.number, place.clock.now() - timedelta(days=3660))

    assert await place.database.read(count) == 0
