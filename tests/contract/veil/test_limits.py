"""What transcripts cannot show: bodies beyond the limit, however they are sent, and throttled guessing."""

import asyncio
import http.client
from collections.abc import AsyncIterator
from contextlib import closing

import pytest

from keystead.access.gate import FAILURES_MAX
from tests.contract.wires import Wire

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]

TOO_LARGE = b" " * 1_100_000


async def chunks() -> AsyncIterator[bytes]:
    for at in range(0, len(TOO_LARGE), 100_000):
        yield TOO_LARGE[at : at + 100_000]


@pytest.mark.parametrize("is_announced", [True, False])
async def test_a_body_beyond_the_limit_is_413(wire: Wire, is_announced: bool) -> None:
    content = TOO_LARGE if is_announced else chunks()

    answer = await wire.instance.http.post("/api/keys", content=content)

    assert (answer.status_code, answer.json()) == (413, {"detail": "the body is larger than 1 MB"})


async def test_a_program_that_sends_all_of_a_large_body_first_reads_the_413(wire: Wire) -> None:
    def send() -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", wire.instance.port, timeout=20)) as connection:
            connection.request("POST", "/api/keys", b" " * 8_000_000, {"Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.read()

    assert await asyncio.to_thread(send) == (413, b'{"detail":"the body is larger than 1 MB"}')


async def test_guessing_is_slowed_down_and_a_good_token_is_not(wire: Wire) -> None:
    await wire.instance.http.get("/api/keys")

    guesses = [
        await wire.anonymous.get("/api/keys", headers={"Authorization": f"Bearer guess-{number}"})
        for number in range(FAILURES_MAX + 3)
    ]

    assert guesses[0].status_code == 401
    assert guesses[-1].status_code == 429
    assert guesses[-1].json()["error"] == guesses[-1].json()["detail"]
    assert 0 < int(guesses[-1].headers["retry-after"]) <= 60
    assert (await wire.instance.http.get("/api/keys")).status_code == 200
