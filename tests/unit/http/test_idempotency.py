"""A repeated create is answered again to its own caller only."""

import asyncio
from contextlib import suppress

from starlette.requests import Request

from keystead.access.principal import Principal
from keystead.http.idempotency import Idempotency
from keystead.operations.calls import Call
from keystead.vpn.keys import issue
from tests.support.work import Workplace

REQUEST = Request(
    {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "server": ("door.test", 80),
        "path": "/api/keys",
        "query_string": b"",
        "headers": [(b"idempotency-key", b"order-17")],
    }
)


async def allow(call: Call, verb: object) -> None:
    assert (call.request_id, verb) == ("request-1", issue)


async def test_a_secret_of_the_environment_that_replaced_another_does_not_get_its_answers(workplace: Workplace) -> None:
    once = Idempotency(workplace.database, workplace.clock, check=allow).once
    before, after = (
        Call(Principal(workplace.account_id, "token:env API_SECRET_KEY", frozenset(), token_id), "request-1")
        for token_id in (1, 2)
    )

    async def first() -> bytes:
        return b"first"

    async def second() -> bytes:
        return b"second"

    answers = [
        await once(before, REQUEST, b"", first, verb=issue),
        await once(before, REQUEST, b"", second, verb=issue),
        await once(after, REQUEST, b"", second, verb=issue),
    ]

    assert [answer.body for answer in answers] == [b"first", b"first", b"second"]


async def test_a_create_whose_caller_is_gone_leaves_its_key_free(workplace: Workplace) -> None:
    once = Idempotency(workplace.database, workplace.clock, check=allow).once
    call = Call(Principal(workplace.account_id, "token:env API_SECRET_KEY", frozenset(), 1), "request-1")
    begun = asyncio.Event()

    async def stuck() -> bytes:
        begun.set()
        await asyncio.Event().wait()
        return b"never"

    async def create() -> bytes:
        return b"made"

    creating = asyncio.create_task(once(call, REQUEST, b"", stuck, verb=issue))
    await begun.wait()
    creating.cancel()
    with suppress(asyncio.CancelledError):
        await creating

    answer = await once(call, REQUEST, b"", create, verb=issue)

    assert (answer.body, "idempotency-replayed" in answer.headers) == (b"made", False)
