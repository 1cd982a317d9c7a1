"""A dialect's OpenAPI document is made once, beside the loop, and made again when that failed."""

import asyncio
import threading
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from keystead.http.lenient import LenientApp, Wire
from keystead.http.routing import DirectEndpoints, ValidatedEndpoints
from keystead.http.specified import Specified
from keystead.http.validated import ValidatedApp

PATH = "/openapi.json"
ABOUT = {"title": "A wire", "version": "1", "description": "What it does."}


def client(app: Starlette) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://wire.test")


async def test_it_is_made_once_for_all_who_ask_while_the_loop_goes_on() -> None:
    made, may_end = [], threading.Event()

    def make() -> dict[str, Any]:
        made.append(threading.get_ident())
        assert may_end.wait(60)
        return {"openapi": "3.1.0"}

    async with client(Starlette(routes=[Specified(make).route(PATH)])) as http:
        asked = [asyncio.create_task(http.get(PATH)) for _ in range(2)]
        while not made:
            await asyncio.sleep(0.001)
        may_end.set()
        answers = await asyncio.gather(*asked)

    assert [answer.json() for answer in answers] == [{"openapi": "3.1.0"}] * 2
    assert answers[0].headers["content-type"] == "application/json"
    assert len(made) == 1
    assert made != [threading.get_ident()]


async def test_one_that_could_not_be_made_is_made_for_the_next_request() -> None:
    problems = [RuntimeError("no memory")]

    def make() -> dict[str, Any]:
        if problems:
            raise problems.pop()
        return {}

    async with client(Starlette(routes=[Specified(make).route(PATH)])) as http:
        with pytest.raises(RuntimeError):
            await http.get(PATH)

        assert (await http.get(PATH)).json() == {}


@pytest.mark.parametrize("is_lenient", [True, False])
async def test_an_application_makes_its_document_in_another_thread(is_lenient: bool) -> None:
    threads: list[int] = []

    def complete(document: dict[str, Any]) -> dict[str, Any]:
        threads.append(threading.get_ident())
        return document

    app: Starlette
    if is_lenient:
        app = LenientApp(Wire(**ABOUT, response_of=None, complete=complete), DirectEndpoints())  # type: ignore[arg-type]
    else:
        app = ValidatedApp([ValidatedEndpoints()], **ABOUT, prefix="", complete=complete)  # type: ignore[arg-type]

    async with client(app) as http:
        titles = [(await http.get(PATH)).json()["info"]["title"] for _ in range(2)]

    assert titles == ["A wire"] * 2
    assert len(threads) == 1
    assert threads != [threading.get_ident()]
