"""Tokens: secrets that authenticate to Keystead."""

from typing import Annotated

from fastapi import Path, Request
from starlette.responses import Response

from keystead.access import tokens as token_verbs
from keystead.dialects.v1 import present, schemas
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import NUMBER_MAX, READ, WRITE, Paged
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.operations.access.tokens import TokenWish

TokenId = Annotated[int, Path(ge=1, le=NUMBER_MAX)]


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of tokens."""
    routes = ValidatedEndpoints(prefix="/v1/tokens", tags=["Tokens"])
    tokens = services.tokens

    @routes.get("", response_model=schemas.TokenList, responses=READ)
    async def list_tokens(call: Caller, page: Paged) -> Response:
        """List tokens, revoked ones included."""
        found = await tokens.list_(call, page)
        return answer(present.numbered([present.token(value) for value in found], page))

    @routes.post("", response_model=schemas.NewToken, status_code=201, responses=WRITE)
    async def create_token(request: Request, call: Caller, wanted: schemas.TokenCreate) -> Response:
        """Create a token; its secret is in this answer and nowhere else. Honours Idempotency-Key.

        A repeated request is answered with ``secret: null``, since the secret was not kept: revoke and create again.
        """
        wish = TokenWish(
            name=wanted.name,
            permissions=wanted.permissions,
            addresses=wanted.addresses,
            expires_at=wanted.expires_at,
            is_confined=wanted.is_confined,
            is_rate_limited=wanted.is_rate_limited,
            is_owner=wanted.is_owner,
            user_id=wanted.user_id,
        )

        async def create() -> bytes:
            return present.dumped(present.new_token(await tokens.create(call, wish)))

        return await services.idempotency.once(
            call,
            request,
            await request.body(),
            create,
            verb=token_verbs.create,
            status=201,
            kept=present.without_secret,
        )

    @routes.get("/{token_id}", response_model=schemas.Token, responses=READ)
    async def get_token(call: Caller, token_id: TokenId) -> Response:
        """Show a token."""
        return answer(present.token(await tokens.find(call, token_id)))

    @routes.delete("/{token_id}", status_code=204, responses=WRITE)
    async def delete_token(call: Caller, token_id: TokenId) -> Response:
        """Revoke a token; it opens nothing when the answer arrives. It stays listed."""
        await tokens.revoke(call, token_id)
        return present.empty()

    return routes
