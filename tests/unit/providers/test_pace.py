import asyncio

import pytest

from keystead.outgoing.client import Reply, Request
from keystead.providers.pace import Pace
from keystead.providers.transport import Ask, Repeat, Transport
from tests.support.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_nobody_waits_before_the_first_answer(clock: ManualClock) -> None:
    assert Pace(clock).wait_s("a") == 0


def test_a_429_is_kept_to_for_as_long_as_it_says_and_for_its_credential_only(clock: ManualClock) -> None:
    pace = Pace(clock)
    pace.note_answer("a", 429, {}, 30)
    pace.note_answer("a", 200, {}, None)

    assert (pace.wait_s("a"), pace.wait_s("b")) == (30, 0)
    clock.advance(30)
    assert pace.wait_s("a") == 0


def test_a_429_without_a_time_is_kept_to_for_a_minute(clock: ManualClock) -> None:
    pace = Pace(clock)

    pace.note_answer("a", 429, {}, None)

    assert pace.wait_s("a") == 60


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ('"default";r=50;t=30', 0),
        ('"default";r=0;t=30', 30),
        ('"burst";r=0;t=5, "default";r=0;t=30', 30),
        ("nonsense", 0),
    ],
)
def test_a_used_up_limit_is_waited_for_before_it_is_passed(clock: ManualClock, header: str, wait_s: int) -> None:
    pace = Pace(clock)

    pace.note_answer("a", 200, {"ratelimit": header}, None)

    assert pace.wait_s("a") == wait_s


def test_a_rule_spreads_requests_over_its_window(clock: ManualClock) -> None:
    pace = Pace(clock, (2, 60.0))
    pace.note_sent("a")
    clock.advance(20)
    pace.note_sent("a")

    assert (pace.wait_s("a"), pace.wait_s("b")) == (40, 0)
    clock.advance(40)
    assert pace.wait_s("a") == 0


async def test_of_many_that_waited_together_only_as_many_go_as_there_is_room_for(clock: ManualClock) -> None:
    sent: list[float] = []

    class Recording:
        async def send(self, request: Request) -> Reply:
            sent.append(clock.monotonic_s())
            return Reply(200, None, None, 1, {}, b"")

    transport = Transport(
        Recording(), clock, title="T", base_url="https://t.test", pace=Pace(clock, (2, 4.0)), timeout_s=1
    )

    await asyncio.gather(*(transport.send(Ask("GET", "/", key="a", repeat=Repeat.HARMLESS)) for _ in range(7)))

    assert len(sent) == 7
    assert all(later - earlier >= 4.0 for earlier, later in zip(sent, sent[2:], strict=False))
