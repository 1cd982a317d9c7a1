"""So many requests a minute: what is counted, for whom, and how long to wait."""

import pytest

from keystead.access.principal import Principal
from keystead.http.limits import WINDOW_S, RateLimits, RequestCounts
from keystead.kit.errors import RateLimited
from keystead.operations.calls import Call
from tests.support.clock import ManualClock


def call(token_id: int | None, actor: str = "token") -> Call:
    return Call(Principal(1, actor, frozenset(), token_id), "request-1")


async def refused(limits: RateLimits, caller: Call, operation: str = "create", times: int = 1) -> list[int]:
    """Ask so many times at two a minute; return the waits of those that were refused."""
    waits = []
    for _ in range(times):
        try:
            await limits.check(caller, operation, 2)
        except RateLimited as error:
            waits.append(error.retry_after_s)
    return waits


async def test_a_request_beyond_the_limit_is_told_when_to_come_again() -> None:
    clock = ManualClock()
    limits = RateLimits(RequestCounts(clock))
    await refused(limits, call(1), times=2)
    clock.advance(20)

    with pytest.raises(RateLimited, match=r"^Rate limit exceeded: 2 per 1 minute$") as told:
        await limits.check(call(1), "create", 2)

    assert told.value.retry_after_s == WINDOW_S - 20


async def test_who_waits_as_told_is_served() -> None:
    clock = ManualClock()
    limits = RateLimits(RequestCounts(clock))

    [wait_s] = await refused(limits, call(1), times=3)
    clock.advance(wait_s)

    assert await refused(limits, call(1), times=2) == []


async def test_tokens_and_operations_are_counted_apart() -> None:
    limits = RateLimits(RequestCounts(ManualClock()))

    assert await refused(limits, call(1), times=3) != []
    assert await refused(limits, call(2), times=2) == []
    assert await refused(limits, call(1), "delete", times=2) == []
    assert await refused(limits, call(None, "operator"), times=2) == []


async def test_a_token_without_limits_is_never_held_to_one() -> None:
    limits = RateLimits(RequestCounts(ManualClock()))
    free = Call(Principal(1, "token", frozenset(), 1, is_rate_limited=False), "request-1")

    assert await refused(limits, free, times=100) == []


async def test_without_a_counter_nobody_is_held_to_a_limit() -> None:
    assert await refused(RateLimits(None), call(1), times=100) == []


async def test_the_names_used_longest_ago_are_forgotten_first() -> None:
    counts = RequestCounts(ManualClock(), counts_max=2)
    for name in ("a", "b", "a", "c"):
        await counts.take(name, 2)

    left = {name: await counts.take(name, 2) == 0 for name in ("a", "b")}

    assert left == {"a": False, "b": True}
