"""DNS hosts of domains at Namecheap: list them, and put others in their place."""

from starlette.responses import Response

from keystead.dialects.v1 import host_shapes as shapes
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import ASKED, CHANGED
from keystead.dialects.v1.routes.joined import CredentialId, DomainName
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints

_HOSTS = "/credentials/{credential_id}/domains/{domain}/hosts"


def router(services: Services) -> ValidatedEndpoints:
    """Return their endpoints."""
    routes = ValidatedEndpoints(prefix="/v1/providers/namecheap", tags=["Providers"])
    hosts = services.vault.hosts

    @routes.get(_HOSTS, response_model=shapes.DnsHosts, responses=ASKED)
    async def list_hosts(call: Caller, credential_id: CredentialId, domain: DomainName) -> Response:
        """List all DNS hosts of a domain that uses Namecheap's own DNS."""
        return answer(shapes.hosts(await hosts.list_(call, credential_id, domain)))

    @routes.put(_HOSTS, response_model=shapes.DnsHosts, responses=CHANGED)
    async def replace_hosts(
        call: Caller, credential_id: CredentialId, domain: DomainName, wanted: shapes.DnsHostsWanted
    ) -> Response:
        """Put these in the place of all DNS hosts of a domain, while they are still those that were read."""
        made = await hosts.replace(call, credential_id, domain, shapes.wanted_hosts(wanted), version=wanted.version)
        return answer(shapes.hosts(made))

    return routes
