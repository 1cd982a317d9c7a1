"""Two key pairs on one port as the core is told them: what is rendered, dialled, digested, planned and kept."""

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest

from keystead.engines.xray import config, launching
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.keys import generate
from keystead.engines.xray.launching import Launcher
from keystead.engines.xray.plan import plan
from keystead.engines.xray.state import LIVE_TAG_PREFIX, XrayActual, XrayDesired, XrayInbound, XraySettings, XrayUser
from keystead.keeper.launch import Launch
from keystead.kit.secret import Secret

BEHIND, OWN = "keystead-behind-1", f"{LIVE_TAG_PREFIX}10001"
PROBE = "11111111-2222-4333-8444-555555555555"
USER = XrayUser("k1-1", "21111111-2222-4333-8444-555555555555")
SETTINGS = XraySettings()


@pytest.fixture
def desired() -> XrayDesired:
    new, old = generate(), generate()
    shared = XrayInbound(
        tag="shared",
        listen="0.0.0.0",
        port=443,
        private_key=new.private_key,
        public_key=new.public_key,
        target="site.test:443",
        server_names=("site.test", "www.site.test"),
        short_ids=("7bb45050",),
        min_client_version="1.0.0",
        behind=BEHIND,
    )
    own = replace(shared, tag=OWN, port=10001, server_names=("site.test",), short_ids=("aa",))
    behind = replace(
        shared,
        tag=BEHIND,
        listen="127.0.0.1",
        port=0,
        private_key=old.private_key,
        public_key=old.public_key,
        short_ids=("7bb45050", "aa"),
        behind="",
    )
    users = {USER.label: USER}
    return XrayDesired((shared, own, behind), {"shared": users, OWN: users, BEHIND: users})


def launched(desired: XrayDesired, **more: Any) -> Launch:
    launcher = Launcher(SETTINGS, {}, lambda: (Secret("password"), PROBE))
    binary = Binary(Path("/xray"), "26.7.28", "test")
    return launcher.launch(desired, binary, Path("/run/x.sock"), echo_port=2, generation=1, **more)


def rendered(desired: XrayDesired, warm: tuple[XrayInbound, ...] | None = None) -> dict[str, dict[str, Any]]:
    made = config.render(desired, api_listen="/s", probe=None, settings=SETTINGS, warm=warm)
    return {inbound["tag"]: inbound for inbound in made["inbounds"]}


def test_whoever_is_not_known_in_front_is_passed_on_with_its_address(desired: XrayDesired) -> None:
    inbounds = rendered(desired.with_ports({BEHIND: 5000}))

    for tag in ("shared", OWN):
        reality = inbounds[tag]["streamSettings"]["realitySettings"]
        assert (reality["target"], reality["xver"]) == ("127.0.0.1:5000", 1)
        assert "sockopt" not in inbounds[tag]["streamSettings"]
    behind = inbounds[BEHIND]
    assert (behind["listen"], behind["port"]) == ("127.0.0.1", 5000)
    assert behind["streamSettings"]["sockopt"] == {"acceptProxyProtocol": True}
    assert behind["streamSettings"]["realitySettings"]["target"] == "site.test:443"
    assert "xver" not in behind["streamSettings"]["realitySettings"]


def test_the_digest_sees_the_chain_and_not_where_it_is_in_a_process(desired: XrayDesired) -> None:
    single = XrayDesired((replace(desired.inbounds[0], behind=""),), {})

    digests = {config.digest(desired.with_ports(ports), SETTINGS) for ports in ({}, {BEHIND: 1}, {BEHIND: 2})}

    assert len(digests) == 1
    assert config.digest(single, SETTINGS) not in digests


def test_each_name_is_dialled_with_either_pair_and_the_one_behind_through_the_front(desired: XrayDesired) -> None:
    placed = desired.with_ports({BEHIND: 5000})

    public = [(route.tag, route.server_name, route.through) for route in config.routes(placed.static)]
    ports = count(6000)
    warm = config.warm_inbounds(placed.static, lambda: next(ports))
    warmed = [(route.tag, route.server_name, route.through) for route in config.warm_routes(warm)]

    names = ("site.test", "www.site.test")
    assert public == [*(("shared", name, "") for name in names), *((BEHIND, name, "shared") for name in names)]
    assert warmed == [
        *(("keystead-warm-shared", name, "") for name in names),
        *((BEHIND, name, "keystead-warm-shared") for name in names),
    ]


def test_a_candidate_has_its_inbound_behind_without_customers(desired: XrayDesired) -> None:
    placed = desired.with_ports({BEHIND: 5000})
    warm = config.warm_inbounds(placed.static, lambda: 6000)

    inbounds = rendered(placed, warm)

    assert set(inbounds) == {"keystead-warm-shared", BEHIND}
    assert [inbound["settings"]["clients"] for inbound in inbounds.values()] == [[], []]


def test_a_dial_behind_goes_to_the_port_in_front_with_the_keys_of_the_one_behind(desired: XrayDesired) -> None:
    made = launched(desired.with_ports({BEHIND: 5000}))
    outbounds = {outbound["tag"]: outbound for outbound in _outbounds(made)}
    started = launching.started_with(made.memo)

    assert started is not None
    [first, _] = [route for route in started.probe.routes if route.tag == BEHIND]
    outbound = outbounds[first.account]
    assert outbound["settings"]["vnext"][0]["port"] == 443
    assert outbound["streamSettings"]["realitySettings"]["publicKey"] == desired.inbounds[2].public_key


def test_what_a_process_was_started_with_is_read_back_whole(desired: XrayDesired) -> None:
    made = launched(desired.with_ports({BEHIND: 5000}))

    started = launching.started_with(made.memo)

    assert started is not None
    assert started.behind == {BEHIND: 5000}
    assert started.digest == config.digest(desired, SETTINGS)
    assert launching.memo_of(started) == made.memo
    assert made.tags == {"shared": 443, OWN: 10001, BEHIND: 0}
    assert ("127.0.0.1", 5000) in [(listen.host, listen.port) for listen in made.listens]


def test_a_memo_from_before_there_were_chains_is_read(desired: XrayDesired) -> None:
    memo = dict(launched(XrayDesired((replace(desired.inbounds[0], behind=""),), {})).memo)
    memo["routes"] = [route[:3] for route in memo["routes"]]
    del memo["behind"]

    started = launching.started_with(memo)

    assert started is not None
    assert started.behind == {}
    assert {route.through for route in started.probe.routes} == {""}


def test_a_plan_names_what_stands_behind_and_needs_one_step_for_a_key(desired: XrayDesired) -> None:
    nothing = XrayActual({tag: {} for tag in desired.users}, config.digest(desired, SETTINGS))
    other = XrayActual(desired.users, "another")

    [added] = plan("xray/main", desired, nothing, settings=SETTINGS).steps
    [restarted] = plan("xray/main", desired, other, settings=SETTINGS).steps

    assert added.places == (BEHIND, OWN, "shared")
    assert restarted.after == (
        f"serving {BEHIND} behind others for site.test:443, shared at 0.0.0.0:443 for site.test:443 with {BEHIND} "
        "behind it"
    )


def _outbounds(made: Launch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(made.stdin())["outbounds"]
    return found


def test_strangers_are_sorted_by_name_where_the_pair_behind_has_a_site_of_its_own(desired: XrayDesired) -> None:
    front, own, behind = desired.inbounds
    sorting = replace(behind, server_names=("panel.test",), sites=(("panel.test", "panel.test:8443"),))
    two = XrayDesired((front, own, sorting), desired.users)
    ports = {tag: 5000 + number for number, tag in enumerate(two.inner_tags)}

    made = config.render(two.with_ports(ports), api_listen="/s", probe=None, settings=SETTINGS)
    memo = launching.started_with(launched(two.with_ports(ports)).memo)

    listener = next(one for one in made["inbounds"] if one["tag"] == sorting.sites_tag)
    at_behind = next(one for one in made["inbounds"] if one["tag"] == BEHIND)
    rules = [rule for rule in made["routing"]["rules"] if rule.get("inboundTag") == [sorting.sites_tag]]
    ways = {one["tag"]: one.get("settings", {}).get("redirect") for one in made["outbounds"]}
    assert at_behind["streamSettings"]["realitySettings"]["target"] == f"127.0.0.1:{listener['port']}"
    assert [(rule.get("domain"), ways[rule["outboundTag"]]) for rule in rules] == [
        (["full:panel.test"], "panel.test:8443"),
        (None, "site.test:443"),
    ]
    assert memo is not None
    assert memo.behind == ports
    assert len({config.digest(two.with_ports(where), SETTINGS) for where in ({}, ports)}) == 1
    assert config.digest(two, SETTINGS) != config.digest(desired, SETTINGS)
