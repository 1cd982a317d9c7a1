"""Redirects: single ones of a zone, and bulk ones of an account at its provider."""

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from keystead.dialects.v1 import present
from keystead.dialects.v1 import redirect_shapes as shapes
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import ASKED, CHANGED, NUMBER_MAX, READ
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints

ZoneId = Annotated[int, Path(ge=1, le=NUMBER_MAX)]
CredentialId = Annotated[int, Path(ge=1, le=NUMBER_MAX)]
Ref = Annotated[str, Path(max_length=64)]
_SINGLE, _BULK = "/zones/{zone_id}/redirects", "/credentials/{credential_id}/redirects"


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of redirects."""
    routes = ValidatedEndpoints(prefix="/v1", tags=["Redirects"])
    _add_single(routes, services)
    _add_bulk(routes, services)
    _add_bulk_drift(routes, services)
    return routes


def _add_single(routes: ValidatedEndpoints, services: Services) -> None:
    redirects = services.vault.redirects

    @routes.get(_SINGLE, response_model=shapes.Redirects, responses=ASKED)
    async def list_redirects(call: Caller, zone_id: ZoneId) -> Response:
        """List the redirects of a zone that were made here; others are counted."""
        return answer(shapes.redirects(await redirects.list_(call, zone_id)))

    @routes.put(_SINGLE, response_model=shapes.Redirect, responses=CHANGED)
    async def set_redirect(call: Caller, zone_id: ZoneId, wanted: shapes.RedirectSet) -> Response:
        """Set a redirect; the one with the same host and path is changed, and no rule of others is touched."""
        rule, _ = await redirects.set_(call, zone_id, shapes.value(wanted))
        return answer(shapes.redirect(rule))

    @routes.delete(f"{_SINGLE}/{{ref}}", status_code=204, responses=CHANGED)
    async def remove_redirect(call: Caller, zone_id: ZoneId, ref: Ref) -> Response:
        """Delete a redirect that was made here."""
        await redirects.remove(call, zone_id, ref)
        return present.empty()


def _add_bulk(routes: ValidatedEndpoints, services: Services) -> None:
    redirects = services.vault.redirects

    @routes.get(_BULK, response_model=shapes.BulkRedirects, responses=ASKED)
    async def list_bulk_redirects(call: Caller, credential_id: CredentialId) -> Response:
        """List the bulk redirects of the account that a credential opens, as far as they were made here."""
        return answer(shapes.bulk_redirects(await redirects.bulk(call, credential_id)))

    @routes.put(_BULK, response_model=shapes.BulkRedirectsDone, responses=CHANGED)
    async def put_bulk_redirects(
        call: Caller, credential_id: CredentialId, wanted: shapes.BulkRedirectsPut
    ) -> Response:
        """Add bulk redirects, and change those that have the same source, all in one operation."""
        done = await redirects.put_bulk(call, credential_id, shapes.bulk_values(wanted))
        return answer(shapes.bulk_put(done))

    @routes.post(f"{_BULK}/remove", response_model=shapes.BulkRedirectsRemoved, responses=CHANGED)
    async def remove_bulk_redirects(
        call: Caller, credential_id: CredentialId, wanted: shapes.BulkRedirectsRemove
    ) -> Response:
        """Delete bulk redirects by their sources; one that is not there is not missed."""
        return answer({"removed": await redirects.remove_bulk(call, credential_id, wanted.sources)})


def _add_bulk_drift(routes: ValidatedEndpoints, services: Services) -> None:
    lists = services.vault.lists

    @routes.get(f"{_BULK}/drift", response_model=shapes.BulkRedirectsDrift, responses=READ)
    async def get_bulk_drift(call: Caller, credential_id: CredentialId) -> Response:
        """Show how an account's bulk redirects differed from what is right there, when they were last looked at."""
        return answer(shapes.bulk_drift(credential_id, await lists.find(call, credential_id)))

    @routes.post(f"{_BULK}/compare", response_model=shapes.BulkRedirectsDrift, responses=CHANGED)
    async def compare_bulk_redirects(call: Caller, credential_id: CredentialId) -> Response:
        """Look at an account's bulk redirects now, and show how they differ from what is right there."""
        return answer(shapes.bulk_drift(credential_id, await lists.compare(call, credential_id)))

    @routes.post(f"{_BULK}/accept", response_model=shapes.BulkRedirectsDrift, responses=CHANGED)
    async def accept_bulk_redirects(call: Caller, credential_id: CredentialId) -> Response:
        """Take the bulk redirects that an account has now for right."""
        return answer(shapes.bulk_drift(credential_id, await lists.accept(call, credential_id)))
