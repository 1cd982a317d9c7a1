"""Every domain in one table: list and search it, write beside it, see what is not as it should be."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query
from starlette.responses import Response, StreamingResponse

from keystead.dialects.v1 import domain_shapes as shapes
from keystead.dialects.v1 import present
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import NUMBER_MAX, READ, WRITE, Paged
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.kit import cells
from keystead.kit.page import LIMIT_MAX
from keystead.operations.calls import Call
from keystead.vault.store.domaintable import Narrowed, Row, Sort, Window, mark_of

_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
_HEADERS = {"cache-control": "no-store", "content-disposition": 'attachment; filename="domains.csv"'}

DomainId = Annotated[int, Path(ge=1, le=NUMBER_MAX)]
_Days = Annotated[int | None, Query(ge=0, le=36_500, description="Only those that end within so many days, or have.")]


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of domains."""
    routes = ValidatedEndpoints(prefix="/v1/domains", tags=["Domains"])
    _add_table(routes, services)
    _add_drift(routes, services)
    _add_single(routes, services)
    return routes


def _add_table(routes: ValidatedEndpoints, services: Services) -> None:
    domains = services.vault.domains

    def asked(
        q: Annotated[str | None, Query(max_length=253, description="Part of the name, or of a redirect.")] = None,
        provider: Annotated[
            str | None, Query(max_length=32, description="At this registrar, or with a zone there.")
        ] = None,
        expires_within: _Days = None,
        drifted: Annotated[bool | None, Query(description="With findings, or without.")] = None,
        zone: Annotated[bool | None, Query(description="With a zone, or without.")] = None,
        tag: Annotated[str | None, Query(max_length=32, description="With this tag.")] = None,
    ) -> Narrowed:
        until = None if expires_within is None else domains.now().date() + timedelta(days=expires_within)
        text = None if q is None else q.strip().lower() or None
        return Narrowed(text, provider, until, drifted, zone, None if tag is None else tag.lower())

    @routes.get("", response_model=shapes.DomainList, responses=READ | _CSV)
    async def list_domains(
        call: Caller,
        wanted: Annotated[Narrowed, Depends(asked)],
        sort: Annotated[Sort, Query()] = Sort.NAME,
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="At most so many.")] = 100,
        after: Annotated[str | None, Query(max_length=500, description="The ``next`` of the page before.")] = None,
        accounts: Annotated[Literal["own", "all"], Query(description="all: to who manages accounts.")] = "own",
        format: Annotated[Literal["json", "csv"], Query(description="csv: all of them, not a page.")] = "json",
    ) -> Response:
        """List domains with what registrar, zone and DNS say of each."""
        is_of_all = accounts == "all"
        if format == "csv":
            first = await domains.list_(call, wanted, Window(sort, LIMIT_MAX), is_of_all=is_of_all)
            lines = _lines(services, call, wanted, Window(sort, LIMIT_MAX), first, is_of_all=is_of_all)
            return StreamingResponse(lines, headers=_HEADERS, media_type="text/csv")
        window = Window(sort, limit, None if after is None else shapes.read_mark(after, sort))
        return answer(shapes.domains(await domains.list_(call, wanted, window, is_of_all=is_of_all), sort, limit))

    @routes.post("", response_model=shapes.Written, responses=WRITE)
    async def put_domains(call: Caller, wanted: shapes.DomainPut) -> Response:
        """Write domains down, or notes and tags beside those that are there; all or none."""
        return answer(shapes.written(await domains.put(call, shapes.entries(wanted))))


def _add_drift(routes: ValidatedEndpoints, services: Services) -> None:
    domains = services.vault.domains

    @routes.get("/drift", response_model=shapes.FindingList, responses=READ)
    async def list_drift(call: Caller, page: Paged) -> Response:
        """List what is not as it should be, with domains and with credentials, oldest first."""
        found = await domains.drift(call, page)
        return answer(present.numbered([shapes.finding(one) for one in found], page))

    @routes.post("/look", response_model=shapes.LookBegun, status_code=202, responses=WRITE)
    async def look(call: Caller, wanted: shapes.LookWanted) -> Response:
        """Have providers and DNS asked now; the table shows what they say as it comes in."""
        begun = {"credentials": await domains.look(call, wanted.credential_id)}
        return Response(present.dumped(begun), 202, {"cache-control": "no-store"}, present.JSON)


def _add_single(routes: ValidatedEndpoints, services: Services) -> None:
    domains = services.vault.domains

    @routes.get("/{domain_id}", response_model=shapes.DomainShown, responses=READ)
    async def get_domain(call: Caller, domain_id: DomainId) -> Response:
        """Show a domain and what is not as it should be with it."""
        return answer(shapes.shown(await domains.find(call, domain_id)))

    @routes.patch("/{domain_id}", response_model=shapes.DomainShown, responses=WRITE)
    async def change_domain(call: Caller, domain_id: DomainId, changes: shapes.DomainChange) -> Response:
        """Write a note and tags beside a domain."""
        return answer(shapes.shown(await domains.write(call, domain_id, note=changes.note, tags=changes.tags)))

    @routes.delete("/{domain_id}", status_code=204, responses=WRITE)
    async def delete_domain(call: Caller, domain_id: DomainId) -> Response:
        """Delete a domain that no registrar and no zone shows."""
        await domains.remove(call, domain_id)
        return present.empty()


async def _lines(
    services: Services, call: Call, wanted: Narrowed, window: Window, first: list[Row], *, is_of_all: bool
) -> AsyncIterator[str]:
    """Yield the whole table as lines, a page of it in memory at a time."""
    yield cells.line(shapes.COLUMNS)
    rows = first
    while rows:
        for line in shapes.table(rows):
            yield line
        if len(rows) < window.limit:
            return
        window = replace(window, after=mark_of(rows[-1], window.sort))
        rows = await services.vault.domains.list_(call, wanted, window, is_of_all=is_of_all)
