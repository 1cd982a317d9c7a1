"""Keys with a port of their own: which port they get, what the engine is to hold, and when a port is free again."""

import asyncio
from dataclasses import replace

import pytest

from keystead.engines.xray.state import XrayDesired
from keystead.vpn import founding, keys
from keystead.vpn.errors import PortsExhausted
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.placement import Placement
from keystead.vpn.ports import PortPool
from tests.support.shop import POOL, WISH, Shop
from tests.support.work import Workplace


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    return await Shop(workplace).open()


async def issue(shop: Shop, pool: PortPool = POOL) -> VpnKey:
    return await shop.issue(placement=Placement.OWN_PORT, pool=pool)


async def part(shop: Shop, *labels: str) -> XrayDesired:
    return await shop.workplace.database.read(lambda connection: shop.source.desired_part(connection, labels))


async def test_a_key_has_a_port_and_a_short_id_of_its_own(shop: Shop) -> None:
    one, other = await issue(shop), await issue(shop)
    found, profile = await shop.do(keys.profile, one, public_host="vpn.test")
    short = await issue(shop, replace(POOL, short_id_bytes=4))

    assert (one.port, other.port) == (10001, 10002)
    assert len(one.short_id) == 16
    assert len(short.short_id) == 8
    assert one.short_id != other.short_id
    assert (found.number, found.port) == (one.number, one.port)
    assert (profile.port, profile.short_id, profile.server_name) == (10001, one.short_id, "site.test")


async def test_a_port_rests_before_it_is_handed_out_again(shop: Shop) -> None:
    pool = replace(POOL, last=10003)
    first, _ = await issue(shop, pool), await issue(shop, pool)
    await shop.revoke(first)
    while_removing = await issue(shop, pool)
    with pytest.raises(PortsExhausted, match=r"Maximum number of keys \(3\) reached"):
        await issue(shop, pool)
    await shop.confirm(absent=[first.label])
    again = await issue(shop, pool)

    assert (while_removing.port, again.port) == (10003, first.port)


async def test_a_port_somebody_else_listens_on_is_passed_over(shop: Shop) -> None:
    busy = {10001, 10002}
    pool = replace(POOL, last=10003, is_free=lambda _, port: port not in busy)

    assert (await issue(shop, pool)).port == 10003
    with pytest.raises(PortsExhausted, match="No available ports"):
        await issue(shop, pool)


async def test_the_shared_inbound_keeps_its_port(shop: Shop) -> None:
    pool = replace(POOL, first=WISH.port or 0, last=(WISH.port or 0) + 1)

    assert (await issue(shop, pool)).port == pool.last


async def test_concurrent_issues_get_different_ports(shop: Shop) -> None:
    made = await asyncio.gather(*(issue(shop) for _ in range(100)))

    assert sorted(key.port for key in made) == list(range(10001, 10101))
    with pytest.raises(PortsExhausted):
        await issue(shop)


async def test_nothing_is_left_of_a_key_that_got_no_port(shop: Shop) -> None:
    pool = replace(POOL, last=10001)
    await issue(shop, pool)
    with pytest.raises(PortsExhausted):
        await issue(shop, pool)
    desired = await shop.workplace.database.read(shop.source.desired)

    assert [inbound.port for inbound in desired.inbounds] == [8443, 10001]


async def test_the_engine_is_to_hold_an_inbound_of_its_own_while_the_key_is_active(shop: Shop) -> None:
    key = await issue(shop)
    wanted = await part(shop, key.label)
    await shop.do(keys.disable, key)
    unwanted = await part(shop, key.label)
    whole = await shop.workplace.database.read(shop.source.desired)
    sizes = await shop.workplace.database.read(shop.source.sizes)

    (inbound,) = wanted.inbounds
    assert (inbound.port, inbound.short_ids, inbound.is_live) == (10001, (key.short_id,), True)
    assert list(wanted.users[inbound.tag]) == [key.label]
    assert (unwanted.inbounds, unwanted.leaving) == ((), {key.label: [inbound.tag]})
    assert [one.tag for one in whole.inbounds] == ["shared"]
    assert sizes == {"shared": 0}


async def test_the_pair_of_an_own_inbound_is_that_of_the_shared_one(shop: Shop) -> None:
    key = await issue(shop)
    desired = await shop.workplace.database.read(shop.source.desired)
    shared, own = desired.inbounds

    assert own.private_key.reveal() == shared.private_key.reveal()
    assert own.public_key == shared.public_key
    assert await shop.workplace.database.read(shop.source.sizes) == {"shared": 0, own.tag: 1}
    assert key.flow == "xtls-rprx-vision"


async def test_a_reissued_key_stays_at_its_port_and_its_old_label_leaves(shop: Shop) -> None:
    key = await issue(shop)
    done = await shop.do(keys.reissue, key)
    found = await part(shop, key.label, done.key.label)
    late = await part(shop, key.label)

    (inbound,) = found.inbounds
    assert done.key.port == key.port
    assert list(found.users[inbound.tag]) == [done.key.label]
    assert found.absent == {key.label}
    # The old label leaves an inbound that stays open: all who are to be in it are told with it.
    assert list(late.users[inbound.tag]) == [done.key.label]
    assert late.leaving == {key.label: [inbound.tag]}


async def test_a_moved_target_moves_every_inbound(shop: Shop) -> None:
    await issue(shop)
    wish = replace(WISH, target="mirror.test:443", listen="0.0.0.0")

    await shop.workplace.do(founding.check_shared_inbound, wish)
    desired = await shop.workplace.database.read(shop.source.desired)

    assert {(one.target, one.listen) for one in desired.inbounds} == {("mirror.test:443", "0.0.0.0")}


async def test_both_placements_are_listed_apart_and_together(shop: Shop) -> None:
    shared, own = await shop.issue(), await issue(shop)

    async def listed(placement: Placement | None) -> list[int]:
        arguments = {"placement": placement, "page": keys.Page(), "is_applied": shop.is_applied}
        return [key.number for key in (await shop.workplace.do(keys.list_, **arguments)).keys]

    assert await listed(Placement.SHARED) == [shared.number]
    assert await listed(Placement.OWN_PORT) == [own.number]
    assert await listed(None) == [shared.number, own.number]
