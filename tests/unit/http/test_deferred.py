"""A dialect is made once, when somebody asks for it, and asked for again when that failed."""

import asyncio
from typing import Any

import pytest

from keystead.http.deferred import Deferred


async def served(app: Deferred) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http"}, no_message, send)
    return sent


async def no_message() -> Any:
    raise AssertionError("nobody reads")


async def answering(scope: Any, receive: Any, send: Any) -> None:
    await send("answered")


async def test_requests_that_come_at_once_are_answered_by_one_application() -> None:
    made = []

    def make() -> Any:
        made.append("one")
        return answering

    app = Deferred(make)

    assert await asyncio.gather(served(app), served(app)) == [["answered"], ["answered"]]
    assert made == ["one"]


async def test_one_that_could_not_be_made_is_made_for_the_next_request() -> None:
    problems = [RuntimeError("no memory")]

    def make() -> Any:
        if problems:
            raise problems.pop()
        return answering

    app = Deferred(make)
    with pytest.raises(RuntimeError):
        await served(app)

    assert await served(app) == ["answered"]
