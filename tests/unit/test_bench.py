"""What the benches compute their ratios with."""

import subprocess
from os import getpid

from bench.figures import Row, at_least, at_most, median_ratio, p99, take_turns
from bench.processes import ProcessCount
from bench.wire import content_length, request_bytes


async def test_contenders_take_turns_in_alternating_order_and_the_warm_up_is_forgotten() -> None:
    order: list[str] = []

    async def first() -> float:
        order.append("first")
        return len(order)

    async def second() -> float:
        order.append("second")
        return len(order)

    measured = await take_turns(2, {"first": first, "second": second}, warm_up=1)

    assert order == ["second", "first", "first", "second", "second", "first"]
    assert measured == {"first": [3, 6], "second": [4, 5]}


def test_ratios_are_of_medians() -> None:
    assert median_ratio([1, 4, 100], [2, 2, 2]) == 2


def test_p99_is_what_one_in_a_hundred_exceeds() -> None:
    assert p99(range(1, 201)) == 198
    assert p99([3, 1, 2]) == 3


def test_a_budget_is_kept_on_its_own_side() -> None:
    assert at_most(2).holds(2)
    assert not at_most(2).holds(2.1)
    assert not at_least(0.2, aim=0.5).holds(0.1)
    assert Row("nothing", "", 7, None).is_within


def test_a_child_that_came_and_went_is_noticed() -> None:
    untouched, touched = ProcessCount(getpid()), ProcessCount(getpid())

    assert not untouched.has_changed()
    subprocess.run(["true"], check=True)
    assert touched.has_changed()


def test_requests_and_answers_are_framed_by_their_length() -> None:
    request = request_bytes("POST", "/api/keys", b"{}", "secret")

    assert b"\r\nAuthorization: Bearer secret\r\n" in request
    assert request.endswith(b"Content-Length: 2\r\n\r\n{}")
    assert content_length(b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\nx: y") == 17
