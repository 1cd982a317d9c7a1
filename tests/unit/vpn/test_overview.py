"""Keys with ports of their own against what the engine holds: pure comparisons."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from keystead.db import prepared
from keystead.engines.xray.state import LIVE_TAG_PREFIX, XrayUser
from keystead.vpn import placing
from keystead.vpn.keyvalue import KeyState, VpnKey
from keystead.vpn.overview import Overview, compare, link_problems, own_ports, port_problems
from keystead.vpn.placement import Placement
from keystead.vpn.store.keys import OwnPort
from tests.support.shop import POOL, Shop
from tests.support.work import Workplace

PUBLIC_KEY = "p" * 43
STRANGER = "99999999-0000-4000-8000-000000000009"
ALLOWED = range(10001, 10101)


def uuid(number: int) -> str:
    return f"{number:08d}-0000-4000-8000-000000000000"


def own_port(number: int, **changed: object) -> OwnPort:
    key = VpnKey(
        number=number,
        public_id=f"id-{number}",
        account_id=1,
        inbound_id=number,
        issued_by=None,
        name=None,
        uuid=uuid(number),
        label=f"k{number}-1",
        flow="xtls-rprx-vision",
        short_id="5f9c2b7adfe7d8ab",
        server_name="site.test",
        is_active=True,
        is_enabled=True,
        state=KeyState.LIVE,
        created_at=datetime(2025, 8, 5, 12, 0, tzinfo=UTC),
        placement=Placement.OWN_PORT,
        scope="xray/main",
        port=10000 + number,
    )._replace(**changed)
    at = 10000 + number
    return OwnPort(key, f"{LIVE_TAG_PREFIX}{at}", at, "site.test:443", PUBLIC_KEY, ["site.test"], ["5f9c2b7adfe7d8ab"])


def overview(*ports: OwnPort, hidden: frozenset[int] = frozenset(), sees_strangers: bool = True) -> Overview:
    return Overview(ports, frozenset(port.port for port in ports), hidden, sees_strangers)


def held(*ports: OwnPort) -> dict[str, dict[str, XrayUser]]:
    return {port.tag: {port.key.label: XrayUser(port.key.label, port.key.uuid)} for port in ports}


def test_an_engine_with_just_these_keys_is_the_same() -> None:
    ports = [own_port(1), own_port(2)]

    found = compare(overview(*ports), held(*ports), overview(*ports))

    assert found.is_same
    assert found.held == (uuid(1), uuid(2))
    assert [(inbound.port.port, inbound.uuids) for inbound in found.inbounds] == [
        (10001, (uuid(1),)),
        (10002, (uuid(2),)),
    ]


def test_the_shared_inbound_and_our_own_users_are_no_part_of_it() -> None:
    port = own_port(1)
    engine = held(port)
    engine[port.tag]["keystead-probe"] = XrayUser("keystead-probe", STRANGER)
    engine["shared"] = {"k9-1": XrayUser("k9-1", STRANGER)}

    found = compare(overview(port), engine, overview(port))

    assert (found.is_same, found.held) == (True, (uuid(1),))


def test_a_key_that_the_engine_lacks_is_missing() -> None:
    ports = overview(own_port(1), own_port(2))

    found = compare(ports, held(own_port(1)), ports)

    assert [port.key.number for port in found.missing] == [2]
    assert not found.has_same_keys


def test_a_key_with_another_uuid_in_the_engine_is_missing_and_that_uuid_is_extra() -> None:
    port = own_port(1)
    engine = {port.tag: {"k1-1": XrayUser("k1-1", STRANGER)}}

    found = compare(overview(port), engine, overview(port))

    assert ([missing.key.number for missing in found.missing], found.extra) == ([1], (STRANGER,))


def test_a_key_that_moved_away_is_not_extra_while_its_former_port_goes_on() -> None:
    moved = own_port(2)
    going = replace(overview(own_port(1)), former=frozenset({(moved.tag, moved.key.label)}))
    engine = held(own_port(1), moved)

    while_it_goes = compare(going, engine, overview(own_port(1)))
    afterwards = compare(overview(own_port(1)), engine, overview(own_port(1)))

    assert (while_it_goes.is_same, while_it_goes.held) == (True, (uuid(1),))
    assert afterwards.extra == (uuid(2),)


def test_a_key_in_the_inbound_of_another_is_misplaced() -> None:
    ports = overview(own_port(1), own_port(2))
    engine = held(own_port(1)) | {f"{LIVE_TAG_PREFIX}10009": held(own_port(2))[own_port(2).tag]}

    found = compare(ports, engine, ports)

    assert (found.has_same_keys, found.is_same) == (True, False)
    assert [port.key.number for port in found.misplaced] == [2]


def test_a_stopped_key_is_not_wanted_and_is_extra_while_the_engine_holds_it() -> None:
    stopped = overview(own_port(1, is_active=False))

    assert compare(stopped, {}, stopped).is_same
    assert compare(stopped, held(own_port(1)), stopped).extra == (uuid(1),)


@pytest.mark.parametrize(("sees_strangers", "extra"), [(True, (STRANGER,)), (False, ())])
def test_a_stranger_in_the_engine_is_told_to_callers_who_see_everything(
    sees_strangers: bool, extra: tuple[str, ...]
) -> None:
    engine = {f"{LIVE_TAG_PREFIX}10050": {"somebody": XrayUser("somebody", STRANGER)}}
    seen = overview(sees_strangers=sees_strangers)

    assert compare(seen, engine, seen).extra == extra


def test_keys_of_others_are_never_told_of() -> None:
    seen = overview(hidden=frozenset({5}))

    found = compare(seen, held(own_port(5)), seen)

    assert (found.held, found.extra, found.is_same) == ((), (), True)


def test_keys_that_come_and_go_while_the_engine_is_observed_are_no_difference() -> None:
    one, two, three = own_port(1), own_port(2), own_port(3)

    found = compare(overview(one, two), held(one, three), overview(one, three))

    assert found.is_same
    assert found.held == (uuid(1),)


def test_ports_outside_the_range_used_twice_or_closed_are_problems() -> None:
    outside, twice = own_port(500), own_port(1)._replace(port=10002, tag=f"{LIVE_TAG_PREFIX}x")
    seen = overview(own_port(2), twice, outside)

    problems = port_problems(seen, compare(seen, held(own_port(2), twice), seen), ALLOWED)

    assert problems == [
        "port 10500 of key id-500 is outside the range",
        "port 10002 of key id-1 is used twice",
        "port 10500 of key id-500 is not open in Xray",
    ]


def test_ports_in_order_are_no_problem() -> None:
    seen = overview(own_port(1), own_port(100))

    assert port_problems(seen, compare(seen, held(*seen.ports), seen), ALLOWED) == []


def test_a_link_that_says_what_its_inbound_says_is_right() -> None:
    assert link_problems(own_port(1), "vpn.example.com") == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (own_port(1, short_id="00"), "the link of vpn key 1 has a wrong short id"),
        (own_port(1, server_name="other.test"), "the link of vpn key 1 has a wrong server name"),
        (own_port(1, flow="none"), "the link of vpn key 1 cannot be read: The link's flow is missing or malformed"),
        (
            own_port(1)._replace(public_key="short"),
            "the link of vpn key 1 cannot be read: The link's pbk is missing or malformed",
        ),
    ],
)
def test_a_link_that_would_not_connect_is_told(changed: OwnPort, problem: str) -> None:
    assert link_problems(changed, "vpn.example.com") == [problem]


async def test_an_overview_is_three_queries_however_many_keys_there_are(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await Shop(workplace).open()
    statements: list[str] = []
    run = prepared.execute

    def counted(connection: Connection, sql: str, parameters: object = ()) -> object:
        statements.append(sql)
        return run(connection, sql, parameters)

    # Prepared statements pass SQLAlchemy's events by; this is where they all run.
    monkeypatch.setattr(prepared, "execute", counted)
    counts = []
    for issued in (1, 9):
        for _ in range(issued):
            await shop.issue(placement=Placement.OWN_PORT)
        statements.clear()
        seen = await workplace.do(own_ports, is_applied=shop.is_applied, is_gone=lambda _label: False)
        counts.append((len(seen.ports), len(statements)))

    assert counts == [(1, 3), (10, 3)]


async def test_an_overview_knows_where_a_key_goes_on_that_moved_to_the_shared_port(workplace: Workplace) -> None:
    shop = await Shop(workplace).open()
    key = await shop.issue(placement=Placement.OWN_PORT)

    await shop.do(placing.move, key, placement=Placement.SHARED, pool=POOL, grace_s=60)
    seen = await workplace.do(own_ports, is_applied=shop.is_applied, is_gone=lambda _label: False)

    assert (seen.ports, seen.former) == ((), {(f"{LIVE_TAG_PREFIX}{key.port}", key.label)})
