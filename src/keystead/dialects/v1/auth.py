"""How a caller of the native API proves itself: a Bearer token, or nothing at all on the local socket.

Authentication stands before routing, so that nothing at all is parsed, looked up or answered for a stranger but the
few public paths. The handlers find the call in the request.
"""

from typing import Annotated

from fastapi import Depends, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from keystead.dialects.v1 import errors
from keystead.http.admission import Admission
from keystead.http.facts import facts_of
from keystead.kit.errors import KeysteadError, Unauthenticated
from keystead.operations.calls import Call

# On the local socket only: the account in which the operator works, by name or number.
ACCOUNT_HEADER = "keystead-account"
_CALL_KEY = "keystead.call"


class Authenticated:
    """The dialect's application behind its credential check."""

    def __init__(self, app: ASGIApp, admission: Admission, *, public: frozenset[str]) -> None:
        self._app = app
        self._admission = admission
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; a path that is not public is answered to those we know only."""
        if scope["path"] not in self._public:
            try:
                scope[_CALL_KEY] = await _authenticate(Request(scope), self._admission)
            except KeysteadError as error:
                refusal = errors.response_of(error, facts_of(scope).request_id)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def call_of(request: Request) -> Call:
    """Return the authenticated call of a request."""
    call: Call = request.scope[_CALL_KEY]
    return call


Caller = Annotated[Call, Depends(call_of)]


async def _authenticate(request: Request, admission: Admission) -> Call:
    facts = facts_of(request.scope)
    authorization = request.headers.get("authorization")
    if authorization is None:
        if facts.is_local:
            return await admission.as_operator(facts, request.headers.get(ACCOUNT_HEADER))
        raise Unauthenticated("no credential was presented; send the header Authorization: Bearer <token>")
    scheme, _, credential = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("the scheme must be Bearer")
    return await admission.by_token(credential.strip(), facts)
