"""Plans for Xray as a table: what is desired, what is held, what follows."""

from dataclasses import dataclass, field, replace

import pytest

from keystead.engines.xray import config
from keystead.engines.xray.plan import plan
from keystead.engines.xray.state import XrayActual, XrayDesired, XrayInbound, XraySettings, XrayUser
from keystead.kit.secret import Secret
from keystead.reconcile.plan import Risk

A, B, C = (f"{digit * 8}-2222-4333-8444-555555555555" for digit in "abc")
TWIN_OF_A = A.replace("4333", "4fff")
SHARED = XrayInbound(
    "shared", "0.0.0.0", 443, Secret("private"), "public", "site.test:443", ("site.test",), ("7bb45050",), "1.0.0"
)
OWN = XrayInbound(
    "own", "0.0.0.0", 8443, Secret("private"), "public", "site.test:443", ("site.test",), ("7bb45050",), "1.0.0"
)
LIVE = replace(OWN, tag="keystead-port-10001", port=10001)


def users(**labels: str | XrayUser) -> dict[str, XrayUser]:
    named = {label.replace("_", "-"): user for label, user in labels.items()}
    return {label: user if isinstance(user, XrayUser) else XrayUser(label, user) for label, user in named.items()}


@dataclass(frozen=True)
class Case:
    name: str
    desired: dict[str, dict[str, XrayUser]]
    held: dict[str, dict[str, XrayUser]]
    steps: list[str]
    own: dict[str, dict[str, XrayUser]] = field(default_factory=dict)
    inbounds: tuple[XrayInbound, ...] = (SHARED,)
    started_with: tuple[XrayInbound, ...] | None = None


CASES = [
    Case("nothing to do", {"shared": users(k1_1=A)}, {"shared": users(k1_1=A)}, []),
    Case("a missing user is added", {"shared": users(k1_1=A)}, {"shared": {}}, ["add k1-1"]),
    Case("a revoked user is removed", {"shared": {}}, {"shared": users(k1_1=A)}, ["remove k1-1"]),
    Case("a stranger is removed", {}, {"shared": users(somebody=A)}, ["remove somebody"]),
    Case("another UUID is a change", {"shared": users(k1_1=A)}, {"shared": users(k1_1=B)}, ["change k1-1"]),
    Case(
        "another flow is a change",
        {"shared": users(k1_1=A)},
        {"shared": {"k1-1": XrayUser("k1-1", A, "")}},
        ["change k1-1"],
    ),
    Case(
        "removals come before changes and additions, each sorted",
        {"shared": users(k4_1=A, k3_1=B, k2_1=C)},
        {"shared": users(k9_1=B.replace("b", "d"), k8_1=B.replace("b", "e"), k3_1=C)},
        ["remove k8-1", "remove k9-1", "change k3-1", "add k2-1", "add k4-1"],
    ),
    Case(
        "a twin's removal would cut the right user, who is put back",
        {"shared": users(k1_1=A)},
        {"shared": users(k1_1=A, twin=TWIN_OF_A)},
        ["remove twin", "change k1-1"],
    ),
    Case(
        "a user in the wrong inbound moves in one step",
        {"shared": users(k1_1=A)},
        {"shared": {}, "own": users(k1_1=A)},
        ["change k1-1"],
        inbounds=(SHARED, OWN),
    ),
    Case(
        "a user that is missing in one of its inbounds is added there, and stays connected in the other",
        {"shared": users(k1_1=A), "own": users(k1_1=A)},
        {"shared": users(k1_1=A), "own": {}},
        ["add k1-1"],
        inbounds=(SHARED, OWN),
    ),
    Case(
        "a user whose twin goes is put back where it is, although it is missing elsewhere",
        {"shared": users(k1_1=A), "own": users(k1_1=A)},
        {"shared": users(k1_1=A, twin=TWIN_OF_A), "own": {}},
        ["remove twin", "change k1-1"],
        inbounds=(SHARED, OWN),
    ),
    Case(
        "the probe's user stays",
        {},
        {"shared": users(keystead_probe=A)},
        [],
        own={"shared": users(keystead_probe=A)},
    ),
    Case(
        "a false probe is replaced",
        {},
        {"shared": users(keystead_probe=B)},
        ["change keystead-probe"],
        own={"shared": users(keystead_probe=A)},
    ),
    Case(
        "a missing probe is added", {}, {"shared": {}}, ["add keystead-probe"], own={"shared": users(keystead_probe=A)}
    ),
    Case(
        "a missing inbound is a restart that brings its users",
        {"shared": users(k1_1=A)},
        {},
        ["restart xray/main"],
    ),
    Case(
        "another name is a restart, after the users",
        {"shared": users(k1_1=A)},
        {"shared": {}},
        ["add k1-1", "restart xray/main"],
        started_with=(replace(SHARED, server_names=("old.test",)),),
    ),
    Case(
        "a key's own inbound is opened with its user",
        {"keystead-port-10001": users(k1_1=A)},
        {"shared": {}},
        ["add k1-1"],
        inbounds=(SHARED, LIVE),
    ),
    Case(
        "a key's own inbound is closed with its last user",
        {},
        {"shared": {}, "keystead-port-10001": users(k1_1=A)},
        ["remove k1-1"],
    ),
    Case(
        "an inbound of our kind in which nobody is is closed",
        {},
        {"shared": {}, "keystead-port-10001": {}},
        ["remove keystead-port-10001"],
    ),
    Case(
        "a key's own inbound is no restart",
        {"keystead-port-10001": users(k1_1=A)},
        {"shared": {}, "keystead-port-10001": users(k1_1=A)},
        [],
        inbounds=(SHARED, LIVE),
        started_with=(SHARED,),
    ),
    Case(
        "a stranger in a key's own inbound is removed",
        {"keystead-port-10001": users(k1_1=A)},
        {"shared": {}, "keystead-port-10001": users(k1_1=A, somebody=B)},
        ["remove somebody"],
        inbounds=(SHARED, LIVE),
    ),
    Case(
        "inbounds that are not ours are left alone",
        {},
        {"shared": {}, "somebody-elses": users(x=A)},
        [],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_plan_is_the_steps_between_desired_and_actual(case: Case) -> None:
    desired = XrayDesired(case.inbounds, case.desired)
    started = XrayDesired(case.started_with or case.inbounds, {})
    actual = XrayActual(case.held, config.digest(started, XraySettings()), case.own)

    found = plan("xray/main", desired, actual)

    assert [f"{step.verb.value} {step.subject}" for step in found.steps] == case.steps
    assert all((step.risk is Risk.DISRUPTIVE) == (step.verb.value == "restart") for step in found.steps)
    assert not [uuid for uuid in (A, B, C, TWIN_OF_A, "private") if uuid in str(found)]


def test_what_is_open_is_part_of_what_only_a_restart_changes() -> None:
    desired = XrayDesired((SHARED,), {})
    actual = XrayActual({"shared": {}}, config.digest(desired, XraySettings()))

    found = plan("xray/main", desired, actual, settings=XraySettings(allow_private=("10.0.0.0/8",)))

    assert [step.verb.value for step in found.steps] == ["restart"]


def test_a_user_is_added_at_no_more_places_than_it_is_missing_in() -> None:
    desired = XrayDesired((SHARED, OWN), {"shared": users(k1_1=A), "own": users(k1_1=A)})
    actual = XrayActual({"shared": users(k1_1=A), "own": {}}, config.digest(desired, XraySettings()))

    (step,) = plan("xray/main", desired, actual).steps

    assert (step.places, step.reason) == (("own",), "missing in own")


def test_the_text_of_a_plan_can_be_approved_by_a_person() -> None:
    desired = XrayDesired((SHARED,), {"shared": users(k1_1=A)})
    actual = XrayActual({"shared": users(k2_1=B)}, "")

    assert str(plan("xray/main", desired, actual)).split("\n") == [
        "remove user k2-1: in shared with flow xtls-rprx-vision (hot; not desired)",
        "add user k1-1: in shared with flow xtls-rprx-vision (hot; missing in the core)",
        "restart core xray/main: serving shared at 0.0.0.0:443 for site.test:443"
        " (disruptive; the static configuration differs)",
    ]
