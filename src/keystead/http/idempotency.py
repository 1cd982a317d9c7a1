"""``Idempotency-Key`` on creates: the same key and body get the first answer again, another body is a conflict.

Kept per token and route for a day. The claim is made before the work and released when it fails, so that only
successes are repeated.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from keystead.access import idempotency
from keystead.access.store.answers import AnswerKey
from keystead.db.session import Database, Unit
from keystead.kit.clock import Clock
from keystead.kit.errors import InUse, KeysteadError
from keystead.kit.log import get_logger
from keystead.operations.calls import Call

log = get_logger()

HEADER = "idempotency-key"
_JSON = "application/json"

# Raises Forbidden, and puts it on record, unless the caller holds what a verb needs.
Check = Callable[[Call, Callable[..., Any]], Awaitable[None]]


class Idempotency:
    """Answer repeated creates once."""

    def __init__(self, database: Database, clock: Clock, *, check: Check) -> None:
        self._database = database
        self._clock = clock
        self._check = check

    async def once(
        self,
        call: Call,
        request: Request,
        body: bytes,
        create: Callable[[], Awaitable[bytes]],
        *,
        verb: Callable[..., Any],
        status: int = 200,
        wire: str = "",
        kept: Callable[[bytes], bytes] = bytes,
    ) -> Response:
        """Answer a create with its JSON body; raise Conflict for a key that belongs to another body or is at work.

        ``verb`` is what creates: whoever may no longer do that gets Forbidden, and not the answer of before.
        ``wire`` tells apart those that have the same path; ``kept`` turns the answer into what is stored for a
        repetition: an answer with a secret is stored without it.
        """
        key = request.headers.get(HEADER)
        if key is None:
            return Response(await create(), status, media_type=_JSON)
        claim = AnswerKey(token=_caller(call), route=f"{wire}{request.method} {request.url.path}"[:128], key=key)
        known = await self._database.write(
            lambda connection: idempotency.begin(connection, claim, body, self._clock.now())
        )
        if isinstance(known, idempotency.Answer):
            await self._check(call, verb)
            return Response(known.body, known.status, {"idempotency-replayed": "true"}, _JSON)
        if known is idempotency.Progress.RUNNING:
            raise InUse("a request with this Idempotency-Key is still at work; ask again in a few seconds")
        return await self._first(claim, create, status, kept)

    async def _first(
        self, claim: AnswerKey, create: Callable[[], Awaitable[bytes]], status: int, kept: Callable[[bytes], bytes]
    ) -> Response:
        made: bytes | None = None
        try:
            made = await create()
        finally:
            if made is None:
                await self._note(partial(idempotency.forget, answer_key=claim))
        await self._note(partial(idempotency.finish, answer_key=claim, answer=idempotency.Answer(status, kept(made))))
        return Response(made, status, media_type=_JSON)

    async def _note(self, unit: Unit[None]) -> None:
        """Write down how a create ended; what happened has happened, so a failure here does not change the answer.

        A claim that could not be ended stays at work until the next start, so a repetition never creates twice.
        """
        try:
            await self._database.write(unit)
        except KeysteadError as error:
            log.warning("Idempotency-Key not ended", reason=error.message)


def _caller(call: Call) -> str:
    """Return what tells callers apart: names do not, since every secret of the environment has the same one."""
    who = call.principal  # a person may ask in several accounts, and is answered in each for itself
    return f"{who.account_id} {who.actor}"[:64] if who.token_id is None else str(who.token_id)
