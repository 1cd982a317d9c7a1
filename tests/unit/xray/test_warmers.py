"""Warmers: one for each pair that only live inbounds have, whatever the number of those, at a start and later."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import orjson

from keystead.engines.xray import config, launching, warmers
from keystead.engines.xray.attendance import Attendance
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.launching import Launcher
from keystead.engines.xray.state import LIVE_TAG_PREFIX, XrayDesired, XrayInbound, XraySettings, XrayUser
from keystead.engines.xray.warmers import PairsInUse
from keystead.keeper.launch import Launch
from keystead.kit.secret import Secret
from tests.unit.xray.test_warming import OURS

TARGET = "panel.example:443"
THEIRS = tuple(f"{letter}.panel.example" for letter in "abc")
MANY = 5_000


def own(port: int, *names: str, target: str = TARGET) -> XrayInbound:
    """Return the inbound of a port of its own."""
    return replace(OURS, tag=f"{LIVE_TAG_PREFIX}{port}", port=port, target=target, server_names=names or THEIRS[:1])


def desired(*live: XrayInbound) -> XrayDesired:
    """Return what is desired with ours and these, each with a user."""
    return XrayDesired((OURS, *live), {one.tag: {f"k{one.port}-1": XrayUser(f"k{one.port}-1", "")} for one in live})


def pairs(found: tuple[XrayInbound, ...]) -> list[tuple[str, str]]:
    return [(one.target, name) for one in found for name in one.server_names]


def launched(wanted: XrayDesired, *, is_candidate: bool = False) -> Launch:
    probe = (Secret("password"), "11111111-2222-4333-8444-555555555555")
    warm = config.warm_inbounds(wanted.static, lambda: 6000) if is_candidate else None
    binary = Binary(Path("/xray"), "26.7.28", "test")
    launcher = Launcher(XraySettings(), {}, lambda: probe)
    return launcher.launch(wanted, binary, Path("/run/x.sock"), echo_port=2, generation=1, warm=warm)


@dataclass
class Attended:
    """A process that is told whom to dial."""

    dialled: list[str] = field(default_factory=list)

    def see_to(self, inbound: XrayInbound, server_name: str) -> None:
        self.dialled.append(f"{inbound.target} {server_name}")

    def let_go(self, inbound: XrayInbound, server_name: str) -> None:
        self.dialled.remove(f"{inbound.target} {server_name}")


def in_use(attended: Attended) -> PairsInUse:
    return PairsInUse(lambda: [cast(Attendance, attended)])  # its two methods about pairs


def test_many_ports_with_few_pairs_get_a_warmer_for_each_pair() -> None:
    ports = [own(20_000 + number, THEIRS[number % 3]) for number in range(MANY)]

    found = warmers.of_start([OURS, *ports], lambda: 1)

    assert sorted(pairs(found)) == [(TARGET, name) for name in THEIRS]
    assert {one.listen for one in found} == {"127.0.0.1"}


def test_a_pair_that_an_inbound_of_a_start_has_needs_no_warmer() -> None:
    ports = [own(20_001, *OURS.server_names, target=OURS.target), own(20_002, OURS.server_names[0])]

    assert pairs(warmers.of_start([OURS, *ports], lambda: 1)) == [(TARGET, OURS.server_names[0])]


def test_a_pair_that_strangers_are_only_passed_on_to_is_examined_under_its_own_name() -> None:
    behind = replace(OURS, tag="keystead-behind-1", server_names=THEIRS[:1], sites=((THEIRS[0], TARGET),), sites_port=7)
    front = replace(OURS, behind=behind.tag, behind_port=8)

    assert pairs(warmers.of_start([front, behind, own(20_001)], lambda: 1)) == [(TARGET, THEIRS[0])]


def test_a_start_and_a_candidate_have_warmers_that_their_key_waits_for_and_the_digest_does_not_see() -> None:
    wanted, place = desired(own(20_001), own(20_002)), f"{TARGET} {THEIRS[0]}"
    made = [launched(wanted), launched(wanted, is_candidate=True)]
    memos = [launching.started_with(launch.memo) for launch in made]

    for launch, started in zip(made, memos, strict=True):
        tags = [one["tag"] for one in orjson.loads(launch.stdin())["inbounds"] if config.is_warmer(one["tag"])]
        assert started is not None
        assert place in started.pairs
        [number] = started.needs[place]
        assert tags == [started.probe.routes[number].tag]
        assert started.digest == config.digest(desired(), XraySettings())
        assert launching.memo_of(started) == launch.memo


def test_a_memo_from_before_there_were_warmers_knows_the_pairs_it_needs() -> None:
    memo = dict(launched(desired()).memo)
    del memo["pairs"]

    started = launching.started_with(memo)

    assert started is not None
    assert started.pairs == {f"{OURS.target} {name}" for name in OURS.server_names}


def test_a_pair_is_dialled_from_its_first_port_to_its_last_and_once() -> None:
    attended = Attended()
    used = in_use(attended)
    ports = [own(20_000 + number, THEIRS[number % 3]) for number in range(MANY)]
    used.note(desired(*ports))
    with_all = list(attended.dialled)
    for port in ports:
        used.note(XrayDesired((port,), {}))
    again = list(attended.dialled)
    used.drop(desired(), [port.tag for port in ports if port is not ports[1]])
    with_one = list(attended.dialled)
    used.drop(desired(), [ports[1].tag, "shared"])

    assert sorted(with_all) == [f"{TARGET} {name}" for name in THEIRS]
    assert again == with_all
    assert with_one == [f"{TARGET} {THEIRS[1]}"]
    assert attended.dialled == []


def test_a_port_that_gets_another_name_is_dialled_by_that_one() -> None:
    attended = Attended()
    used = in_use(attended)
    used.note(desired(own(20_001, THEIRS[0])))

    used.note(desired(own(20_001, THEIRS[1])))

    assert attended.dialled == [f"{TARGET} {THEIRS[1]}"]


def test_a_process_that_was_not_told_is_told_of_all_pairs() -> None:
    used, late = in_use(Attended()), Attended()
    used.note(desired(own(20_001, THEIRS[0]), own(20_002, *THEIRS[1:])))

    used.join(cast(Attendance, late))  # its two methods about pairs

    assert sorted(late.dialled) == [f"{TARGET} {name}" for name in THEIRS]
