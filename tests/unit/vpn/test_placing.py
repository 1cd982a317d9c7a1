"""Keys that move between placements: what stays, what goes on for a while, and what ends both."""

from dataclasses import replace

import pytest

from keystead.engines.xray import config
from keystead.engines.xray.plan import plan
from keystead.engines.xray.state import XrayActual, XrayDesired, XraySettings
from keystead.reconcile import guard
from keystead.vpn import keys, placing, renumbering
from keystead.vpn.errors import KeyNotFound, PortsExhausted
from keystead.vpn.keyvalue import KeyState, VpnKey
from keystead.vpn.placement import Placement
from keystead.vpn.ports import PortPool, tag_of
from tests.support.shop import POOL, SCOPE, Shop
from tests.support.work import Workplace

GRACE_S = 3600
PORT = tag_of(10001)


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    return await Shop(workplace).open()


async def move(shop: Shop, key: VpnKey, to: Placement, pool: PortPool = POOL) -> VpnKey:
    moved: VpnKey = await shop.do(placing.move, key, placement=to, pool=pool, grace_s=GRACE_S)
    return moved


async def desired(shop: Shop) -> XrayDesired:
    return await shop.workplace.database.read(shop.source.desired)


async def part(shop: Shop, key: VpnKey) -> XrayDesired:
    return await shop.workplace.database.read(lambda connection: shop.source.desired_part(connection, [key.label]))


async def served(shop: Shop) -> dict[str, set[str]]:
    return {tag: set(users) for tag, users in (await desired(shop)).users.items()}


async def test_a_key_that_moves_keeps_its_uuid_and_both_places_for_a_while(shop: Shop) -> None:
    other, key = await shop.issue("other"), await shop.issue("anna")

    moved = await move(shop, key, Placement.OWN_PORT)

    assert (moved.uuid, moved.label, moved.placement) == (key.uuid, key.label, Placement.OWN_PORT)
    assert (moved.port, moved.short_id != key.short_id) == (10001, True)
    assert await served(shop) == {"shared": {other.label, key.label}, PORT: {key.label}}
    sizes = await shop.workplace.database.read(shop.source.sizes)
    assert sizes == {"shared": 2, PORT: 1}


async def test_the_former_place_ends_and_others_there_stay(shop: Shop) -> None:
    other, there, back = [await shop.issue() for _ in range(3)]
    there = await move(shop, there, Placement.OWN_PORT)
    back = await move(shop, await move(shop, back, Placement.OWN_PORT), Placement.SHARED)

    shop.workplace.clock.advance(GRACE_S + 1)
    scopes = await shop.workplace.do(renumbering.retire)

    assert scopes == [SCOPE]
    assert await served(shop) == {"shared": {other.label, back.label}, PORT: {there.label}}
    assert [inbound.tag for inbound in (await desired(shop)).inbounds] == ["shared", PORT]


async def test_a_key_that_moves_back_within_the_grace_is_at_home_again(shop: Shop) -> None:
    key = await shop.issue()

    back = await move(shop, await move(shop, key, Placement.OWN_PORT), Placement.SHARED)

    assert back == key._replace(state=KeyState.LIVE)
    shop.workplace.clock.advance(GRACE_S + 1)
    await shop.workplace.do(renumbering.retire)
    assert await served(shop) == {"shared": {key.label}}


@pytest.mark.parametrize("to", list(Placement))
async def test_a_moved_key_that_is_disabled_leaves_both_places(shop: Shop, to: Placement) -> None:
    away = Placement.SHARED if to is Placement.OWN_PORT else Placement.OWN_PORT
    key = await move(shop, await shop.issue(placement=away), to)

    await shop.do(keys.disable, key)
    told = await part(shop, key)
    await shop.do(keys.enable, key)
    again = await part(shop, key)

    assert told.absent == {key.label}
    assert list(told.leaving[key.label]) == [PORT]  # and every static inbound, always
    assert {tag for tag, users in again.users.items() if key.label in users} == {"shared", PORT}


@pytest.mark.parametrize("to", list(Placement))
async def test_a_moved_key_that_is_revoked_takes_its_ports_along_and_no_shared_one(shop: Shop, to: Placement) -> None:
    away = Placement.SHARED if to is Placement.OWN_PORT else Placement.OWN_PORT
    other = await shop.issue()
    key = await move(shop, await shop.issue(placement=away), to)

    await shop.revoke(key)
    await shop.confirm(absent=[key.label])

    assert await served(shop) == {"shared": {other.label}}
    assert [inbound.tag for inbound in (await desired(shop)).inbounds] == ["shared"]
    assert (await shop.issue(placement=Placement.OWN_PORT)).port == 10001


async def test_a_key_that_is_there_already_stays(shop: Shop) -> None:
    key = await shop.issue()

    assert await move(shop, key, Placement.SHARED) == key._replace(state=KeyState.LIVE)
    assert await served(shop) == {"shared": {key.label}}


async def test_a_move_without_a_free_port_changes_nothing(shop: Shop) -> None:
    first, second = await shop.issue(), await shop.issue()
    small = replace(POOL, last=POOL.first)
    await move(shop, first, Placement.OWN_PORT, small)

    with pytest.raises(PortsExhausted):
        await move(shop, second, Placement.OWN_PORT, small)

    assert (await served(shop))["shared"] == {first.label, second.label}


async def test_a_key_that_nobody_sees_is_not_moved(shop: Shop) -> None:
    with pytest.raises(KeyNotFound):
        await shop.do(placing.move, "77", placement=Placement.OWN_PORT, pool=POOL, grace_s=GRACE_S)


@pytest.mark.parametrize("to", list(Placement))
async def test_the_ends_of_many_former_places_are_no_mass_removal(shop: Shop, to: Placement) -> None:
    away = Placement.SHARED if to is Placement.OWN_PORT else Placement.OWN_PORT
    for key in [await shop.issue(placement=away) for _ in range(20)]:
        await move(shop, key, to)
    held = (await desired(shop)).users

    shop.workplace.clock.advance(GRACE_S + 1)
    await shop.workplace.do(renumbering.retire)
    wanted = await desired(shop)
    steps = plan(SCOPE, wanted, XrayActual(held, config.digest(wanted, XraySettings())))
    verdict = guard.judge(steps, explained=(), held_objects=40)

    assert len(verdict.allowed) == 20
    assert verdict.held == ()
