"""What a core waits for is told by the inbounds whose dials have not come back."""

import asyncio

from keystead.engines.xray.attendance import warming
from keystead.engines.xray.config import ProbePlan, Route, probe_user
from keystead.engines.xray.probe import Prober
from keystead.kit.clock import SystemClock
from keystead.kit.errors import EngineUnavailable
from keystead.kit.ids import RandomIds
from keystead.kit.secret import Secret
from tests.support.panels import parts

SHARED, TAKEN_OVER = Route("probe-0", "shared", "a.example"), Route("probe-1", "import-443-abc", "b.example")
PLAN = ProbePlan(1, 2, Secret("secret"), probe_user(parts.uuid_of(1)), (SHARED, TAKEN_OVER))


class HalfDead(Prober):
    """One whose dials through one inbound come back, and through no other."""

    async def dial(self, plan: ProbePlan, route: Route) -> None:
        del plan
        if route is not SHARED:
            raise EngineUnavailable("its target does not answer")


async def test_the_inbound_whose_target_is_dead_is_named() -> None:
    waiting: set[Route] = set()
    prober = HalfDead(clock=SystemClock(), ids=RandomIds())

    proving = asyncio.create_task(prober.prove(PLAN, PLAN.routes, waiting))
    while waiting != {TAKEN_OVER}:
        await asyncio.sleep(0)

    assert warming(waiting) == "no dial has come back yet through the inbound import-443-abc"
    proving.cancel()
    await asyncio.gather(proving, return_exceptions=True)


def test_only_some_of_many_inbounds_are_named() -> None:
    many = {Route(f"probe-{number}", f"in-{number}", "a.example") for number in range(9)}

    assert warming(many).endswith("in-0, in-1, in-2 and 6 more")
    assert warming(set()) == "no dial through Xray has come back yet"
