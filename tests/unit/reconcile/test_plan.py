"""A plan is data a person can approve: printable, digested, the same for the same steps."""

from keystead.reconcile.plan import Risk, Step, Verb, plan_of

ADD = Step("user", "k1-1", Verb.ADD, "", "flow xtls-rprx-vision", "missing", Risk.HOT)
RESTART = Step("core", "xray/main", Verb.RESTART, "old", "new", "static configuration differs", Risk.DISRUPTIVE)


def test_an_empty_plan_says_so() -> None:
    plan = plan_of("xray/main", [])

    assert plan.is_empty
    assert str(plan) == "nothing to do"


def test_a_plan_prints_what_why_and_at_what_risk() -> None:
    plan = plan_of("xray/main", [ADD, RESTART], ["stranger"])

    assert str(plan).splitlines() == [
        "add user k1-1: flow xtls-rprx-vision (hot; missing)",
        "restart core xray/main: old → new (disruptive; static configuration differs)",
        "foreign, left alone: stranger",
    ]


def test_the_digest_tells_plans_apart_and_is_stable() -> None:
    assert plan_of("xray/main", [ADD]).digest == plan_of("xray/main", [ADD]).digest
    assert plan_of("xray/main", [ADD]).digest != plan_of("xray/main", [RESTART]).digest
    assert plan_of("xray/main", [ADD]).digest != plan_of("xray/other", [ADD]).digest
