"""Whose connections a caller can see, and how a key is present."""

from datetime import timedelta

import pytest

from keystead.access.permissions import ALL_PERMISSIONS, USUAL_VPN_PERMISSIONS
from keystead.access.principal import Principal
from keystead.engines.xray.state import LiveConnection
from keystead.kit.errors import Forbidden
from keystead.vpn import connections
from keystead.vpn.connections import Presence, presence_of
from keystead.vpn.errors import KeyNotFound
from keystead.vpn.keyvalue import parse_ident
from tests.support.shop import Shop
from tests.support.work import Workplace


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    return await Shop(workplace).open()


def live(host: str, *, idle_s: float) -> LiveConnection:
    return LiveConnection(1, "p", "k1-1", host, 40000, 443, 60.0, idle_s, 0, 0, 0, 0)


async def test_another_account_sees_nobody(shop: Shop) -> None:
    key = await shop.issue()
    stranger = Principal(shop.workplace.account_id + 1, "token:9 stranger", ALL_PERMISSIONS)

    seen = await shop.workplace.do_as(stranger, connections.owned, numbers=[key.number], is_applied=shop.is_applied)

    assert seen == {}
    with pytest.raises(KeyNotFound):
        await shop.workplace.do_as(
            stranger, connections.find, ident=parse_ident(str(key.number)), is_applied=shop.is_applied
        )


async def test_a_confined_token_sees_its_own(shop: Shop) -> None:
    key = await shop.issue()
    confined = Principal(shop.workplace.account_id, "token:7 bot", ALL_PERMISSIONS, confined_to_token=7)

    seen = await shop.workplace.do_as(confined, connections.owned, numbers=[key.number], is_applied=shop.is_applied)

    assert seen == {}
    assert set(await shop.workplace.do(connections.owned, numbers=[key.number, 99], is_applied=shop.is_applied)) == {
        key.number
    }


async def test_addresses_need_a_permission_that_is_given_by_name(shop: Shop) -> None:
    usual = Principal(shop.workplace.account_id, "token:7 bot", USUAL_VPN_PERMISSIONS)

    with pytest.raises(Forbidden):
        await shop.workplace.do_as(usual, connections.note_addresses_read, numbers=[1])


async def test_presence_is_what_is_live_or_what_is_on_record(shop: Shop) -> None:
    now = shop.workplace.clock.now()
    earlier = now - timedelta(hours=1)
    key = (await shop.issue())._replace(last_seen_at=earlier)
    both = [live("203.0.113.9", idle_s=5), live("203.0.113.5", idle_s=20)]

    assert presence_of(key, None, [], now) == Presence(None, earlier, None)
    assert presence_of(key, [], ["203.0.113.7"], now) == Presence(0, earlier, ("203.0.113.7",))
    assert presence_of(key, both, None, now) == Presence(2, now - timedelta(seconds=5), None)
    assert presence_of(key, both, [], now).addresses == ("203.0.113.5", "203.0.113.9")
