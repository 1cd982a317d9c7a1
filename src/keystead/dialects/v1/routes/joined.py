"""Providers that are connected by a secret alone: connect, status, and what each of them is asked for."""

from datetime import date
from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from keystead.dialects.v1 import joined_shapes as shapes
from keystead.dialects.v1 import present
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import ASKED, CHANGED, NUMBER_MAX, READ
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.operations.calls import Call
from keystead.providers import yandex_metrica
from keystead.providers.yandex_metrica import YandexMetrica

_ONE = "/{provider}/credentials/{credential_id}"
_METRICA = "/yandex_metrica/credentials/{credential_id}/counters"

Name = Annotated[str, Path(max_length=32, description="The provider's id.")]
CredentialId = Annotated[int, Path(ge=1, le=NUMBER_MAX)]
CounterId = Annotated[int, Path(ge=1, le=NUMBER_MAX)]
DomainName = Annotated[str, Path(max_length=253)]


def router(services: Services) -> ValidatedEndpoints:
    """Return their endpoints."""
    routes = ValidatedEndpoints(prefix="/v1/providers", tags=["Providers"])
    _add_common(routes, services)
    _add_registrars(routes, services)
    _add_metrica(routes, services)
    return routes


def _add_common(routes: ValidatedEndpoints, services: Services) -> None:
    providers = services.vault.providers

    @routes.get("", response_model=shapes.Providers, responses=READ)
    async def list_providers(call: Caller) -> Response:
        """List the providers that are connected by a secret alone, and the fields each wants."""
        return answer(shapes.providers(await providers.list_(call)))

    @routes.post("/{provider}/credentials", response_model=shapes.Connected, status_code=201, responses=CHANGED)
    async def connect_provider(call: Caller, provider: Name, wanted: shapes.Connect) -> Response:
        """Keep a secret once its provider has taken it."""
        joined = await providers.connect(call, await providers.named(call, provider), wanted.secret, alias=wanted.alias)
        return present.created(shapes.connected(joined))

    @routes.get(f"{_ONE}/status", response_model=shapes.Status, responses=ASKED)
    async def get_credential_status(call: Caller, provider: Name, credential_id: CredentialId) -> Response:
        """Ask the provider now whether a secret is good."""
        what = await providers.named(call, provider)
        return answer(shapes.status(await providers.status(call, what, credential_id)))


def _add_registrars(routes: ValidatedEndpoints, services: Services) -> None:
    registrars = services.vault.registrars

    @routes.get(f"{_ONE}/domains", response_model=shapes.Domains, responses=ASKED)
    async def list_registered_domains(call: Caller, provider: Name, credential_id: CredentialId) -> Response:
        """List all domains of a registrar's credential."""
        return answer(shapes.domains(await registrars.domains(call, provider, credential_id)))

    @routes.get(f"{_ONE}/domains/{{domain}}/name-servers", response_model=shapes.NameServers, responses=ASKED)
    async def get_name_servers(
        call: Caller, provider: Name, credential_id: CredentialId, domain: DomainName
    ) -> Response:
        """Show a domain's name servers, as its registrar has them."""
        found = await registrars.name_servers(call, provider, credential_id, domain)
        return answer({"domain": domain, "name_servers": found})

    @routes.put(f"{_ONE}/domains/{{domain}}/name-servers", response_model=shapes.NameServers, responses=CHANGED)
    async def set_name_servers(
        call: Caller,
        provider: Name,
        credential_id: CredentialId,
        domain: DomainName,
        wanted: shapes.NameServersSet,
    ) -> Response:
        """Point a domain at its name servers."""
        await registrars.set_name_servers(call, provider, credential_id, domain, wanted.name_servers)
        return answer({"domain": domain, "name_servers": wanted.name_servers})


def _add_metrica(routes: ValidatedEndpoints, services: Services) -> None:
    async def opened(call: Call, credential_id: int) -> YandexMetrica:
        return await services.vault.providers.opened(call, yandex_metrica.CONNECTABLE, credential_id)

    @routes.get(_METRICA, response_model=shapes.MetricaCounters, responses=ASKED)
    async def list_counters(call: Caller, credential_id: CredentialId) -> Response:
        """List all counters of a Yandex Metrica user."""
        return answer(shapes.counters(await (await opened(call, credential_id)).counters()))

    @routes.get(f"{_METRICA}/{{counter_id}}/visits", response_model=shapes.MetricaVisits, responses=ASKED)
    async def list_visits(
        call: Caller,
        credential_id: CredentialId,
        counter_id: CounterId,
        first: Annotated[date | None, Query(description="The first day; unset: four weeks.")] = None,
        last: Annotated[date | None, Query(description="The last day; unset: today.")] = None,
    ) -> Response:
        """List a counter's visits by day."""
        return answer(shapes.visits(await (await opened(call, credential_id)).visits(counter_id, first, last)))

    @routes.get(f"{_METRICA}/{{counter_id}}/goals", response_model=shapes.MetricaGoals, responses=ASKED)
    async def list_goals(call: Caller, credential_id: CredentialId, counter_id: CounterId) -> Response:
        """List a counter's goals."""
        return answer(shapes.goals(await (await opened(call, credential_id)).goals(counter_id)))
