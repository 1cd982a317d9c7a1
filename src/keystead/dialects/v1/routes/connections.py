"""Live connections: of one key, and of all keys the caller sees."""

from starlette.responses import Response

from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.connection_shapes import ConnectionList, ShowAddresses, connection_list
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import READ, Paged, problems
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.vpn.keyvalue import parse_ident

_TOLD = {**READ, **problems(501)}


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of live connections."""
    routes = ValidatedEndpoints(prefix="/v1/vpn", tags=["VPN connections"])
    connections = services.connections

    @routes.get("/connections", response_model=ConnectionList, responses=_TOLD)
    async def list_connections(call: Caller, page: Paged, addresses: ShowAddresses = True) -> Response:
        """List the live connections of all keys the caller sees."""
        return answer(connection_list(await connections.of_all(call, page, with_addresses=addresses)))

    @routes.get("/keys/{key_id}/connections", response_model=ConnectionList, responses=_TOLD)
    async def list_key_connections(call: Caller, key_id: str, page: Paged, addresses: ShowAddresses = True) -> Response:
        """List a key's live connections."""
        found = await connections.of_key(call, parse_ident(key_id), page, with_addresses=addresses)
        return answer(connection_list(found))

    return routes
