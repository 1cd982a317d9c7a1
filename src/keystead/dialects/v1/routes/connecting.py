"""Connect what takes more than a secret: Cloudflare's accounts, by a bootstrap token, and Namecheap's users."""

from starlette.responses import Response

from keystead.dialects.v1 import connecting_shapes as shapes
from keystead.dialects.v1 import joined_shapes, present
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import CHANGED
from keystead.dialects.v1.routes.joined import CredentialId
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.kit.secret import Secret
from keystead.operations.providers.cloudflare import Result
from keystead.operations.providers.joined import Joined


def router(services: Services) -> ValidatedEndpoints:
    """Return their endpoints; they come before those of providers that a secret alone connects."""
    routes = ValidatedEndpoints(prefix="/v1/providers", tags=["Providers"])
    cloudflare, namecheap = services.vault.cloudflare, services.vault.namecheap

    @routes.post(
        "/cloudflare/credentials", response_model=shapes.CloudflareConnected, status_code=201, responses=CHANGED
    )
    async def connect_cloudflare(call: Caller, wanted: shapes.CloudflareConnect) -> Response:
        """Make a working token out of a bootstrap token, and keep it; an account that is connected gets a new one."""
        return present.created(_shown(await cloudflare.connect(call, shapes.application(wanted), wanted.profile)))

    @routes.post(
        "/cloudflare/credentials/{credential_id}/rotate", response_model=shapes.CloudflareConnected, responses=CHANGED
    )
    async def rotate_cloudflare(call: Caller, credential_id: CredentialId, wanted: shapes.CloudflareRotate) -> Response:
        """Give a connected account a new working token, and delete the former one."""
        bootstrap = Secret(wanted.bootstrap_token)
        return answer(_shown(await cloudflare.rotate(call, credential_id, bootstrap, wanted.profile)))

    @routes.post("/namecheap/credentials", response_model=joined_shapes.Connected, status_code=201, responses=CHANGED)
    async def connect_namecheap(call: Caller, wanted: shapes.NamecheapConnect) -> Response:
        """Keep the API key of a Namecheap user once Namecheap has taken it."""
        found, balance = await namecheap.connect(
            call, username=wanted.username.strip(), api_key=Secret(wanted.api_key), alias=wanted.alias or None
        )
        return present.created(joined_shapes.connected(Joined(found, {"balance": balance})))

    return routes


def _shown(result: Result) -> dict[str, object]:
    told = {"name": result.credential.scope.get("cf_account_name")}
    return shapes.cloudflare_connected(result, joined_shapes.connected(Joined(result.credential, told)))
