"""The audit trail: reading it and checking its chain."""

from typing import Annotated

from fastapi import Depends, Query
from pydantic import AwareDatetime
from starlette.responses import Response

from keystead.access.store.audit import AuditFilter, AuditOrder
from keystead.dialects.v1 import present, schemas
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import READ, WRITE, Paged
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints

# PostgreSQL keeps no zero character and refuses to look for one.
_Text = Annotated[str | None, Query(max_length=192, pattern=r"^[^\x00]*$")]


def _narrowed(
    actor: _Text = None,
    verb: _Text = None,
    subject: _Text = None,
    outcome: _Text = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    order: AuditOrder = AuditOrder.OLDEST_FIRST,
) -> AuditFilter:
    return AuditFilter(actor, verb, subject, outcome, since, until, order)


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of the audit trail."""
    routes = ValidatedEndpoints(prefix="/v1/audit", tags=["Audit"])

    @routes.get("", response_model=schemas.AuditList, responses=READ)
    async def list_records(call: Caller, page: Paged, narrowed: Annotated[AuditFilter, Depends(_narrowed)]) -> Response:
        """List records, oldest first unless asked otherwise; every filter is exact."""
        found = await services.audit.list_(call, page, narrowed)
        return answer(present.numbered([present.audit_record(value) for value in found], page, by="number"))

    @routes.post("/verify", response_model=schemas.AuditVerified, responses=WRITE)
    async def verify_records(call: Caller) -> Response:
        """Check every record, their order, their seals and the end of the chain; the check leaves a record itself."""
        return answer(present.verified(await services.audit.verify(call)))

    return routes
