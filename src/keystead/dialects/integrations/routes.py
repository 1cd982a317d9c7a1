"""The integrations wire's endpoints: authenticate, parse, one operation, present."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from keystead.dialects.integrations import (
    analytics_endpoints,
    asking,
    auth,
    metrica_endpoints,
    monitor_endpoints,
    present,
    provider_endpoints,
    registrar_endpoints,
    schemas,
)
from keystead.dialects.integrations.errors import ADD_TO_WHITELIST, Family
from keystead.dialects.integrations.services import PREFIX, Services
from keystead.dialects.integrations.shown import FAILURES, SECURED
from keystead.http.bodies import answer
from keystead.http.routing import DirectEndpoints
from keystead.operations.calls import Call
from keystead.providers import namesilo
from keystead.providers.errors import AddressRefused
from keystead.providers.namecheap import NAMECHEAP, seen_address
from keystead.vault import connecting, credentials, relays
from keystead.vault.errors import CredentialNotFound

# Which words an endpoint answers failures in, by its handler's name.
FAMILIES: Mapping[str, Family] = {
    "init_cloudflare": Family.CLOUDFLARE,
    "init_namecheap": Family.NAMECHEAP,
    "list_domains": Family.DOMAINS,
    "set_name_servers": Family.NAMECHEAP,
}


def add_endpoints(routes: DirectEndpoints, services: Services) -> None:
    """Add the nine endpoints of the document to a router, and those of the other providers."""
    handlers = Handlers(services)
    provider_endpoints.add_common(routes, services)
    registrars = services.vault.registrars
    for what in (namesilo.CONNECTABLE,):
        provider_endpoints.add(routes, services, what, registrar_endpoints.endpoints(registrars, what.id))
    for endpoints in (metrica_endpoints, monitor_endpoints, analytics_endpoints):
        endpoints.add(routes, services)

    def add(method: str, path: str, handler: Any, shown: Any, takes: Any = None, tag: str = "Keys") -> None:
        routes.add_api_route(
            f"{PREFIX}{path}",
            handler,
            methods=[method],
            response_model=shown,
            responses=FAILURES,
            openapi_extra=SECURED,
            takes=takes,
            tags=[tag],
        )

    add(
        "POST",
        "/cloudflare/init",
        handlers.init_cloudflare,
        schemas.CloudflareConnected,
        schemas.CloudflareInit,
        "Cloudflare",
    )
    add(
        "POST",
        "/namecheap/init",
        handlers.init_namecheap,
        schemas.NamecheapConnected,
        schemas.NamecheapInit,
        "Namecheap",
    )
    add("GET", "/namecheap/proxy-ips", handlers.list_proxy_ips, schemas.ProxyIps, tag="Namecheap")
    add("GET", "/namecheap/domains", handlers.list_domains, schemas.Domains, tag="Namecheap")
    add("POST", "/namecheap/set-ns", handlers.set_name_servers, schemas.Message, schemas.NameServers, "Namecheap")
    add("GET", "/keys", handlers.list_keys, schemas.Keys)
    add("GET", "/keys/{ident}", handlers.get_key, schemas.OneKey)
    add("PATCH", "/keys/{ident}", handlers.change_key, schemas.Done, schemas.KeyChange)
    add("DELETE", "/keys/{ident}", handlers.delete_key, schemas.Done)


class Handlers:
    """One method an endpoint."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._vault = services.vault

    async def init_cloudflare(self, request: Request) -> Response:
        """Connect a Cloudflare account, rotate its token or replace another account."""
        call = await self._enter(request, connecting.reserve)
        found = await asking.body(request)
        wanted, profile = asking.application(found), asking.profile(found)
        return answer(present.connected(await self._vault.cloudflare.connect(call, wanted, profile)))

    async def init_namecheap(self, request: Request) -> Response:
        """Connect a Namecheap user."""
        call = await self._enter(request, connecting.add)
        username, api_key, alias = asking.login(await asking.body(request))
        namecheap = self._vault.namecheap
        try:
            found, balance = await namecheap.connect(call, username=username, api_key=api_key, alias=alias)
        except AddressRefused as refusal:
            refusal.context["shown"] = await self._whitelist(call, refusal)
            raise
        return answer(present.registrar_connected(found, balance))

    async def list_proxy_ips(self, request: Request) -> Response:
        """Show which addresses Namecheap has to let in."""
        call = await self._enter(request, relays.find)
        return answer(present.addresses(await self._vault.namecheap.addresses(call)))

    async def list_domains(self, request: Request) -> Response:
        """List all domains of a Namecheap user."""
        call = await self._enter(request, credentials.use)
        return answer(await registrar_endpoints.list_domains(self._vault.registrars, NAMECHEAP.id, call, request))

    async def set_name_servers(self, request: Request) -> Response:
        """Point a domain at its name servers."""
        call = await self._enter(request, credentials.use)
        return answer(await registrar_endpoints.set_name_servers(self._vault.registrars, NAMECHEAP.id, call, request))

    async def list_keys(self, request: Request) -> Response:
        """List the account's keys, newest first; ``account_id`` is accepted and decides nothing."""
        call = await self._enter(request, credentials.list_)
        named = request.query_params.get("account_id")
        if named and named != str(call.principal.account_id):
            await self._services.transactions.write(call, credentials.note_other_account, named)
        found = await self._vault.credentials.list_(call, request.query_params.get("provider") or None)
        return answer(present.keys(found, self._services.transactions.clock.now()))

    async def get_key(self, request: Request, ident: str) -> Response:
        """Show a key; ``scope_format=string`` gives its scope as text."""
        call = await self._enter(request, credentials.find)
        found = await self._vault.credentials.find(call, _number(ident))
        is_text = request.query_params.get("scope_format") == "string"
        return answer(present.key(found, self._services.transactions.clock.now(), is_scope_text=is_text))

    async def change_key(self, request: Request, ident: str) -> Response:
        """Rename a key, revoke it or activate it."""
        call = await self._enter(request, credentials.change)
        changes = asking.changes(await asking.body(request, is_optional=True))
        await self._vault.credentials.change(call, _number(ident), changes)
        return answer(present.done())

    async def delete_key(self, request: Request, ident: str) -> Response:
        """Delete a key; the provider's own token is not touched."""
        call = await self._enter(request, credentials.remove)
        await self._vault.credentials.remove(call, _number(ident))
        return answer(present.done())

    async def _enter(self, request: Request, verb: Callable[..., Any]) -> Call:
        services = self._services
        return await auth.authenticate(request, services.admission, services.transactions, verb)

    async def _whitelist(self, call: Call, refusal: AddressRefused) -> dict[str, Any]:
        """Return what a person needs to let us in: one text, as documented, and the same as a list."""
        ips = await self._vault.namecheap.addresses(call)
        shown: dict[str, Any] = {"message": ADD_TO_WHITELIST, "ips": ", ".join(ips), "ips_list": ips}
        seen = seen_address(refusal.text)
        return shown | ({"seen_ip": seen} if seen is not None and seen not in ips else {})


def _number(ident: str) -> int:
    found = asking.number(ident)
    if found is None:
        raise CredentialNotFound(ident)
    return found
