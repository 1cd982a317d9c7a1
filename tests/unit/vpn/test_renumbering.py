"""Other ports for keys whose own will not do: who keeps its port, who moves, and how long the former one goes on."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from keystead.access.models import AUDIT_RECORDS
from keystead.engines.xray.state import XrayDesired
from keystead.vpn import keys, renumbering
from keystead.vpn.errors import PortsExhausted
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.placement import Placement
from keystead.vpn.ports import PortPool, tag_of
from keystead.vpn.renumbering import Renumbering
from tests.support.shop import POOL, Shop
from tests.support.work import Workplace

HIGHER = replace(POOL, first=11001, last=11100)
GRACE_S = 3600


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    return await Shop(workplace).open()


async def issue(shop: Shop) -> VpnKey:
    return await shop.issue(placement=Placement.OWN_PORT)


async def reset(shop: Shop, pool: PortPool, opened: Collection[str], grace_s: int = GRACE_S) -> Renumbering:
    done: Renumbering = await shop.workplace.do(renumbering.reset, pool=pool, opened=opened, grace_s=grace_s)
    return done


async def desired(shop: Shop) -> XrayDesired:
    return await shop.workplace.database.read(shop.source.desired)


async def ports(shop: Shop) -> list[int]:
    return sorted(inbound.port for inbound in (await desired(shop)).live.values())


async def test_ports_that_are_in_the_pool_and_listen_stay(shop: Shop) -> None:
    await shop.issue()
    made = [await issue(shop) for _ in range(3)]

    done = await reset(shop, POOL, {tag_of(key.port) for key in made})

    assert (done.kept, done.moved) == (3, ())
    assert await ports(shop) == [key.port for key in made]


async def test_a_key_outside_the_pool_moves_and_its_port_goes_on_for_a_while(shop: Shop) -> None:
    key = await issue(shop)
    done = await reset(shop, HIGHER, {tag_of(key.port)})
    (moved,) = done.moved
    _, profile = await shop.do(keys.profile, key, public_host="vpn.test")
    before = await desired(shop)
    await shop.workplace.do(renumbering.retire)
    during = await ports(shop)
    shop.workplace.clock.advance(GRACE_S + 1)
    scopes = await shop.workplace.do(renumbering.retire)

    assert (moved.number, moved.port, profile.port) == (key.number, 11001, 11001)
    assert (profile.short_id, profile.server_name) == (key.short_id, key.server_name)
    assert during == [key.port, 11001]
    assert {label for users in before.users.values() for label in users} == {key.label}
    assert {inbound.short_ids for inbound in before.live.values()} == {(key.short_id,)}
    assert scopes == [key.scope]
    assert await ports(shop) == [11001]


async def test_a_port_that_does_not_listen_is_replaced_and_gone(shop: Shop) -> None:
    key = await issue(shop)

    done = await reset(shop, replace(POOL, is_free=lambda _, port: port != key.port), set())

    assert [one.port for one in done.moved] == [key.port + 1]
    assert await ports(shop) == [key.port + 1]


async def test_a_disabled_key_in_the_pool_keeps_its_port(shop: Shop) -> None:
    key = await issue(shop)
    await shop.do(keys.disable, key)

    assert (await reset(shop, POOL, set())).kept == 1


async def test_a_former_port_leaves_with_its_key(shop: Shop) -> None:
    key = await issue(shop)
    await reset(shop, HIGHER, {tag_of(key.port)})
    await shop.revoke(key)
    part = await shop.workplace.database.read(lambda c: shop.source.desired_part(c, [key.label]))
    await shop.confirm(absent=[key.label])

    assert {label: set(tags) for label, tags in part.leaving.items()} == {key.label: {tag_of(key.port), tag_of(11001)}}
    assert (await issue(shop)).port == key.port
    assert await ports(shop) == [key.port]


async def test_a_reissued_key_is_served_at_both_ports(shop: Shop) -> None:
    key = await issue(shop)
    await reset(shop, HIGHER, {tag_of(key.port)})
    done = await shop.do(keys.reissue, key)
    labels = [key.label, done.key.label]
    part = await shop.workplace.database.read(lambda c: shop.source.desired_part(c, labels))
    sizes = await shop.workplace.database.read(shop.source.sizes)

    assert {tag: list(users) for tag, users in part.users.items()} == {
        tag_of(key.port): [done.key.label],
        tag_of(11001): [done.key.label],
    }
    assert sizes == {"shared": 0, tag_of(key.port): 1, tag_of(11001): 1}


async def test_nothing_moves_when_there_are_too_few_ports(shop: Shop) -> None:
    made = [await issue(shop) for _ in range(3)]

    with pytest.raises(PortsExhausted):
        await reset(shop, replace(HIGHER, last=11002), {tag_of(key.port) for key in made})

    assert await ports(shop) == [key.port for key in made]


async def test_moves_at_the_same_time_get_different_ports(shop: Shop) -> None:
    made = [await issue(shop) for _ in range(10)]
    opened = {tag_of(key.port) for key in made}

    await asyncio.gather(reset(shop, HIGHER, opened), *(issue(shop) for _ in range(10)))

    found = await ports(shop)
    assert len(found) == len(set(found)) == 30


async def test_every_move_and_every_end_is_audited(shop: Shop) -> None:
    key = await issue(shop)
    await reset(shop, HIGHER, {tag_of(key.port)})
    shop.workplace.clock.advance(timedelta(seconds=GRACE_S + 1).total_seconds())
    await shop.workplace.do(renumbering.retire)

    def facts(connection: Any) -> list[tuple[str, Any]]:
        rows = connection.execute(select(AUDIT_RECORDS.c.verb, AUDIT_RECORDS.c.facts).order_by(AUDIT_RECORDS.c.number))
        return [(verb, told) for verb, told in rows if verb.startswith("vpn.key.port")]

    assert await shop.workplace.database.read(facts) == [
        ("vpn.key.port.move", {"before": key.port, "port": 11001, "goes_on": True}),
        ("vpn.key.port.retire", {"port": key.port}),
    ]
