"""A repeated create is answered again to its own caller only."""

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
