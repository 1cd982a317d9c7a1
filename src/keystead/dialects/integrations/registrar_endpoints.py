"""Endpoints of registrars: domains of a key, and where a domain is pointed; the same for each of them."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from keystead.dialects.integrations import asking, present, schemas
from keystead.dialects.integrations.errors import WireError
from keystead.dialects.integrations.provider_endpoints import Endpoint
from keystead.kit.errors import Invalid
from keystead.operations.calls import Call
from keystead.operations.domains.registrars import RegistrarOperations


def endpoints(registrars: RegistrarOperations, provider: str) -> Sequence[Endpoint]:
    """Return the endpoints of one registrar."""

    async def domains(call: Call, request: Request) -> dict[str, Any]:
        return await list_domains(registrars, provider, call, request)

    async def set_ns(call: Call, request: Request) -> dict[str, Any]:
        return await set_name_servers(registrars, provider, call, request)

    return (
        Endpoint("GET", "domains", "List all domains of a key.", domains, schemas.Domains, query=("key_id",)),
        Endpoint("POST", "set-ns", "Point a domain at its name servers.", set_ns, schemas.Message, schemas.NameServers),
    )


async def list_domains(registrars: RegistrarOperations, provider: str, call: Call, request: Request) -> dict[str, Any]:
    """Answer a request for all domains."""
    return present.domains(await registrars.domains(call, provider, asking.key_id(request)))


async def set_name_servers(
    registrars: RegistrarOperations, provider: str, call: Call, request: Request
) -> dict[str, Any]:
    """Answer a request that points a domain somewhere; what is no name is told by the document's words."""
    key_id, domain, servers = asking.name_servers(await asking.body(request))
    try:
        await registrars.set_name_servers(call, provider, key_id, domain, servers)
    except Invalid as error:
        word = "invalid_nameservers" if "nameservers" in error.fields else "invalid_domain"
        raise WireError(word, message=error.message) from None
    return present.name_servers_set()
