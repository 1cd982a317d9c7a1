"""Credentials: secrets for outside providers, listed, changed, deleted, and revealed to who may see them."""

from typing import Annotated, Any

from fastapi import Path, Query
from starlette.responses import Response

from keystead.dialects.v1 import credential_shapes as shapes
from keystead.dialects.v1 import present
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import NUMBER_MAX, READ, WRITE, problems
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.operations.calls import Call
from keystead.vault.credentialvalue import Credential

CredentialId = Annotated[int, Path(ge=1, le=NUMBER_MAX)]
_ASK = WRITE | problems(500, 501, 502)


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of credentials."""
    routes = ValidatedEndpoints(prefix="/v1/credentials", tags=["Credentials"])
    _add_credentials(routes, services)
    _add_secrets(routes, services)
    return routes


def _add_credentials(routes: ValidatedEndpoints, services: Services) -> None:
    credentials = services.vault.credentials

    @routes.get("", response_model=shapes.CredentialList, responses=READ)
    async def list_credentials(
        call: Caller, provider: Annotated[str | None, Query(max_length=32, description="Only this provider's.")] = None
    ) -> Response:
        """List credentials, newest first, with what was last found at their providers."""
        found = await credentials.list_(call, provider)
        looks, now = await services.vault.domains.looks(call), services.vault.domains.now()
        return answer({"items": [shapes.credential(one, looks.get(one.id), now) for one in found]})

    @routes.get("/{credential_id}", response_model=shapes.Credential, responses=READ)
    async def get_credential(call: Caller, credential_id: CredentialId) -> Response:
        """Show a credential, without its secret."""
        return answer(await _shown(services, call, await credentials.find(call, credential_id)))

    @routes.patch("/{credential_id}", response_model=shapes.Credential, responses=WRITE)
    async def change_credential(call: Caller, credential_id: CredentialId, wanted: shapes.CredentialChange) -> Response:
        """Rename a credential, revoke it or use it again; what the provider knows of it stays as it is."""
        changed = await credentials.change(call, credential_id, shapes.changes(wanted))
        return answer(await _shown(services, call, changed))

    @routes.delete("/{credential_id}", status_code=204, responses=WRITE)
    async def delete_credential(call: Caller, credential_id: CredentialId) -> Response:
        """Delete a credential with what it has shown; domains stay, and the provider's own token is not touched."""
        await credentials.remove(call, credential_id)
        return present.empty()


def _add_secrets(routes: ValidatedEndpoints, services: Services) -> None:
    credentials, domains = services.vault.credentials, services.vault.domains

    @routes.post("/{credential_id}/reveal", response_model=shapes.Revealed, responses=WRITE)
    async def reveal_credential(call: Caller, credential_id: CredentialId, wanted: shapes.RevealWanted) -> Response:
        """Give the secret to who may see it; that it was given is on record before it is opened."""
        secret = await credentials.reveal(call, credential_id, wanted.reason)
        return answer(shapes.revealed(*secret))

    @routes.post("/{credential_id}/balance", response_model=shapes.Balance, responses=_ASK)
    async def ask_balance(call: Caller, credential_id: CredentialId) -> Response:
        """Ask a registrar now what the account has to spend."""
        return answer({"id": credential_id, "balance": str(await domains.balance(call, credential_id))})


async def _shown(services: Services, call: Call, value: Credential) -> dict[str, Any]:
    looks = await services.vault.domains.looks(call)
    return shapes.credential(value, looks.get(value.id), services.vault.domains.now())
