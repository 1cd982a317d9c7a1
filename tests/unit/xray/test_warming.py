"""Who waits for a core to be warm waits for the inbounds of their own, and what is waited for is told by name."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from keystead.engines.xray import config, warmth
from keystead.engines.xray.attendance import Attendance, Patience
from keystead.engines.xray.config import ProbePlan, Route, probe_user
from keystead.engines.xray.launching import Role, Started, memo_of, started_with
from keystead.engines.xray.probe import Prober
from keystead.engines.xray.state import LIVE_TAG_PREFIX, XrayDesired, XrayInbound, XrayUser
from keystead.kit.clock import SystemClock
from keystead.kit.errors import EngineUnavailable
from keystead.kit.ids import RandomIds
from keystead.kit.secret import Secret
from keystead.reconcile.engine import Condition
from tests.support.panels import parts

OURS = XrayInbound(
    tag="shared",
    listen="127.0.0.1",
    port=443,
    private_key=parts.pair().private_key,
    public_key=parts.pair().public_key,
    target="ours.example:443",
    server_names=("a.example", "b.example"),
    short_ids=("7bb45050",),
    min_client_version="1.0.0",
)
TAKEN = replace(OURS, tag="import-1", port=444, target="dead.example:443", server_names=("c.example",))
SAME = replace(OURS, tag="import-2", port=445, server_names=("b.example",))
ROUTES = config.routes([OURS, TAKEN, SAME])


def started(role: Role = Role.SERVING, **known: object) -> Started:
    """Return a process with these three inbounds."""
    warm = config.warm_routes(config.warm_inbounds([OURS, TAKEN, SAME], lambda: 1))
    plan = ProbePlan(1, 2, Secret("secret"), probe_user(parts.uuid_of(1)), ROUTES, warm)
    needs = warmth.needs([OURS, TAKEN, SAME], ROUTES)
    made = Started(("shared", "import-1", "import-2"), "", "", Path("x.sock"), plan, role, needs=needs)
    return replace(made, **known)  # type: ignore[arg-type]  # fields of their types


class Partly(Prober):
    """One whose dials come back through all inbounds but those that are dead."""

    def __init__(self, dead: Collection[str]) -> None:
        super().__init__(clock=SystemClock(), ids=RandomIds())
        self.dead = set(dead)

    async def dial(self, plan: ProbePlan, route: Route) -> None:
        del plan
        if route.tag.removeprefix("keystead-warm-") in self.dead:
            raise EngineUnavailable(f"a dial through inbound {route.tag} does not come back")


@asynccontextmanager
async def attended(process: Started, prober: Prober) -> AsyncIterator[Attendance]:
    """Attend to a process whose API is said to answer."""

    async def nothing(_: Attendance) -> None:
        return

    made = Attendance(
        "p-1",
        process,
        prober,
        Patience(probe_every_s=0.01),
        clock=SystemClock(),
        on_hung=lambda _: None,
        on_served=lambda: None,
        look_after=nothing,
    )

    async def answers() -> int:
        return 1

    made.client.uptime_s = answers  # type: ignore[method-assign]  # there is no core
    attending = asyncio.create_task(made.run())
    try:
        async with asyncio.timeout(10):
            yield made
    finally:
        attending.cancel()
        await asyncio.gather(attending, return_exceptions=True)


async def until_warm(made: Attendance, *places: str) -> None:
    """Wait until all of these are warm."""
    while not all(made.is_warm(place) for place in places):
        await made.changed.wait()


def test_a_place_needs_the_routes_of_its_pairs_wherever_they_are_dialled() -> None:
    needs = warmth.needs([OURS, TAKEN, SAME], ROUTES)

    assert [(route.tag, route.server_name) for route in ROUTES] == [
        ("shared", "a.example"),
        ("shared", "b.example"),
        ("import-1", "c.example"),
        ("import-2", "b.example"),
    ]
    assert needs["shared"] == (0, 1, 3)
    assert needs["import-1"] == needs[warmth.pair(TAKEN.target, "c.example")] == (2,)
    assert needs["import-2"] == needs[warmth.pair(OURS.target, "b.example")] == (1, 3)


def test_names_with_a_site_of_their_own_keep_nobody_waiting() -> None:
    behind = replace(
        OURS, tag="keystead-behind-1", server_names=("a.example", "c.example"), sites=(("c.example", TAKEN.target),)
    )
    front = replace(OURS, behind=behind.tag)
    routes = config.routes([front, behind])
    needs = warmth.needs([front, behind], routes)
    foreign = {number for number, route in enumerate(routes) if route.server_name == "c.example"}

    assert len(foreign) == 1
    assert not foreign & {*needs["shared"], *needs[behind.tag]}
    assert set(needs[warmth.pair(TAKEN.target, "c.example")]) == foreign


def test_a_label_waits_for_its_inbounds_and_at_a_port_of_its_own_for_the_pair() -> None:
    own = replace(OURS, tag=f"{LIVE_TAG_PREFIX}10001", server_names=("b.example",))
    users = {
        tag: {label: XrayUser(label, "")} for tag, label in [("shared", "k1"), ("import-1", "k2"), (own.tag, "k3")]
    }

    found = warmth.places(XrayDesired((own,), users), ["k1", "k2", "k3"])

    assert found == {"k1": ["shared"], "k2": ["import-1"], "k3": ["ours.example:443 b.example"]}


def test_what_a_process_needs_comes_back_with_its_memo_and_an_earlier_memo_has_none() -> None:
    memo = memo_of(started())
    again = started_with(memo)
    del memo["needs"]
    earlier = started_with(memo)

    assert again is not None
    assert again.needs == started().needs
    assert earlier is not None
    assert earlier.needs == {}


async def test_a_dead_target_keeps_only_its_own_clients_waiting_and_is_named() -> None:
    prober = Partly({"import-1"})
    async with attended(started(), prober) as made:
        await until_warm(made, "shared", "import-2")
        health = made.health()
        cold = made.cold_among({"k1": ["shared"], "k2": ["import-1"], "k3": [warmth.pair(OURS.target, "a.example")]})
        prober.dead.clear()
        await until_warm(made, "import-1")
        after = made.health()

    told = "no dial has come back yet through the inbound import-1, whose target is dead.example:443"
    assert (health.condition, health.reason) == (Condition.PARTIAL, told)
    assert {label: error.message for label, error in cold.items()} == {"k2": told}
    assert after.condition is Condition.READY


async def test_an_inbound_whose_target_dies_later_is_cold_and_the_others_stay_warm() -> None:
    prober = Partly(())
    async with attended(started(), prober) as made:
        await made.ready.wait()
        prober.dead.add("import-1")
        while made.is_warm("import-1"):
            await made.changed.wait()

        assert made.is_warm("shared")
        assert not made.ready.is_set()
        assert made.health().condition is Condition.PARTIAL


async def test_a_process_through_which_nothing_comes_back_warms() -> None:
    async with attended(started(), Partly({"shared", "import-1", "import-2"})) as made:
        await made.reachable.wait()

        assert made.health().condition is Condition.WARMING
        assert not made.is_warm(warmth.pair("elsewhere.example:443", "x.example"))


async def test_a_successor_has_to_keep_what_is_warm_and_nothing_else() -> None:
    dead = Partly({"import-1"})
    worse = Partly({"import-1", "import-2"})
    async with (
        attended(started(), dead) as old,
        attended(started(Role.CANDIDATE), dead) as same,
        attended(started(Role.CANDIDATE), worse) as lesser,
        attended(started(needs={}, tags=("shared",)), dead) as earlier,
    ):
        await until_warm(old, "shared")
        await until_warm(same, "shared")
        while lesser.health().condition is not Condition.PARTIAL:
            await lesser.changed.wait()

        assert same.keeps(old)
        assert not lesser.keeps(old)
        assert same.keeps(earlier)
        assert not same.warm.is_set()


async def test_a_published_successor_is_proven_by_what_it_had_warm() -> None:
    prober = Partly({"import-1"})
    async with attended(started(Role.CANDIDATE), prober) as made:
        await until_warm(made, "shared", "import-2")
        prober.dead.add("import-2")
        made.publish()
        assert not made.is_warm("shared")
        proving = asyncio.create_task(made.prove())
        while not made.is_warm(warmth.pair(OURS.target, "a.example")):
            await made.changed.wait()
        is_early = proving.done()
        prober.dead.discard("import-2")
        await proving

        assert not is_early
        assert made.health().condition is Condition.PARTIAL


def test_only_some_of_many_inbounds_are_named() -> None:
    routes = [Route(f"probe-{number}", f"in-{number}", "a.example") for number in range(9)]

    assert warmth.told(routes, {}, range(9)).endswith("in-0, in-1, in-2 and 6 more")
    assert warmth.told(routes, {}, ()) == "no dial through Xray has come back yet"
