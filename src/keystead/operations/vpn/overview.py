"""Operations on all keys with ports of their own together: compared with the engine, repaired, verified.

What the engine holds is observed once for all who ask at the same time, and every wait is bounded: some callers ask
after each create and wait three seconds for an answer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from keystead.engines.xray.state import XrayActual
from keystead.kit.errors import EngineUnavailable, Misconfigured
from keystead.kit.flights import SharedFlight
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.vpn import keys, overview
from keystead.vpn.errors import NoValidTarget
from keystead.vpn.overview import Comparison, Overview, PublicOf
from keystead.vpn.targets import TargetWatch

R = TypeVar("R")

LOOK_TIMEOUT_S = 10.0
_REPAIR_TIMEOUT_S = 2.4
_EXAMINATION_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Ground:
    """What the comparisons are made of: the engine's observation, the target, the key pairs, and what is configured.

    ``repair`` compares and repairs now, for at most so many seconds, and returns what the engine holds after that.
    """

    observe: Callable[[], Awaitable[XrayActual]]
    repair: Callable[[float], Awaitable[XrayActual]]
    targets: TargetWatch
    public_of: PublicOf
    public_host: str
    ports: range


@dataclass(frozen=True)
class PortView:
    """The ports of keys: which there may be, which are taken, and what is wrong with them."""

    allowed: range
    overview: Overview

    @property
    def free(self) -> int:
        """Return how many ports new keys may still get."""
        return sum(port not in self.overview.taken for port in self.allowed)


class OverviewOperations:
    """What callers may ask about all their keys with ports of their own."""

    def __init__(self, transactions: Transactions, ground: Ground) -> None:
        self._transactions = transactions
        self._ground = ground
        self._observing = SharedFlight(ground.observe)
        self._examining = SharedFlight(ground.targets.check)

    async def ports(self, call: Call) -> PortView:
        """Return which ports keys have."""
        return PortView(self._ground.ports, await self._overview(call))

    async def port_problems(self, call: Call) -> tuple[PortView, list[str]]:
        """Return which ports keys have and what is wrong with them, the engine asked; raise EngineUnavailable."""
        view, compared = await self.ports(call), await self.compare(call)
        return view, overview.port_problems(view.overview, compared, view.allowed)

    async def compare(self, call: Call) -> Comparison:
        """Compare what the engine holds with what it should; raise EngineUnavailable when it does not answer."""
        before = await self._overview(call)
        actual = await _within(LOOK_TIMEOUT_S, self._observing.result(), "the VPN engine did not answer in time")
        return overview.compare(before, actual.users, await self._overview(call))

    async def synchronize(self, call: Call) -> Comparison:
        """Have the engine compared and repaired now; return how it agrees, as the pass has seen it last.

        Raises EngineUnavailable when that takes longer, in which case it goes on by itself, and when something is left
        over, such as removals that wait for a person.
        """
        await self._transactions.read(call, keys.ask_comparison)
        before = await self._overview(call)
        actual = await self._ground.repair(_REPAIR_TIMEOUT_S)
        compared = overview.compare(before, actual.users, await self._overview(call))
        if not compared.is_same:
            raise EngineUnavailable("the VPN engine still differs from the database; see keystead plan")
        return compared

    async def verify(self, call: Call) -> None:
        """Examine the REALITY target, the key pairs and every link; raise what is wrong.

        Raises NoValidTarget for a target that does not pass, Misconfigured for a pair or a link.
        """
        await self._check_credentials(call)
        late = "the REALITY target was not examined in time"
        problem = await _within(_EXAMINATION_TIMEOUT_S, self._examining.result(), late)
        if problem is not None:
            raise NoValidTarget(problem)

    async def repair(self, call: Call) -> None:
        """Have the engine compared and repaired now, then check the key pairs and links that it serves."""
        await self.synchronize(call)
        await self._check_credentials(call)

    async def _overview(self, call: Call) -> Overview:
        told = self._transactions
        return await told.read_many(call, overview.own_ports, is_applied=told.is_applied, is_gone=told.is_gone)

    async def _check_credentials(self, call: Call) -> None:
        told = self._transactions
        problems = await told.read_many(
            call,
            overview.check_credentials,
            is_applied=told.is_applied,
            is_gone=told.is_gone,
            public_host=self._ground.public_host,
            public_of=self._ground.public_of,
        )
        if problems:
            raise Misconfigured("; ".join(problems[:5]))


async def _within(timeout_s: float, work: Awaitable[R], late: str) -> R:
    try:
        return await asyncio.wait_for(work, timeout_s)
    except TimeoutError:
        raise EngineUnavailable(late) from None
