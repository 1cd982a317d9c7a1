"""Bulks: one order for many keys, planned, started, watched and cancelled; and the links of its keys."""

from itertools import chain
from typing import Annotated, Literal

from fastapi import Query, Request
from starlette.responses import Response

from keystead.dialects.v1 import bulk_shapes as shapes
from keystead.dialects.v1 import present
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.acts import Number, add_acts
from keystead.dialects.v1.routes.asking import READ, WRITE, Paged
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.vpn import bulks as bulk_verbs


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of bulks."""
    routes = ValidatedEndpoints(prefix="/v1/vpn/bulk", tags=["Bulks"])
    _add_orders(routes, services)
    add_acts(routes, services.bulks, shapes.bulk, noun="bulk", model=shapes.Bulk)
    _add_outcomes(routes, services)
    return routes


def _add_orders(routes: ValidatedEndpoints, services: Services) -> None:
    bulks = services.bulks

    @routes.post("", response_model=shapes.BulkPlanned, responses={**WRITE, 202: {"model": shapes.Bulk}})
    async def order_bulk(request: Request, call: Caller, wanted: shapes.BulkOrder) -> Response:
        """Plan an order for many keys, or begin to carry out what was planned. Honours Idempotency-Key.

        With ``dry_run`` nothing is done: 200, and what would be done to how many keys, with a digest. With that
        ``digest`` exactly this is done: 202, and a bulk to be watched; 409 says that it is no longer the plan. A
        ``create`` needs no digest: it changes no key that is there.
        """
        order = shapes.order(wanted)
        if wanted.dry_run:
            return answer(shapes.planned(await bulks.plan(call, order)))

        async def start() -> bytes:
            return present.dumped(shapes.bulk(await bulks.start(call, order, digest=wanted.digest)))

        return await services.idempotency.once(
            call, request, await request.body(), start, verb=bulk_verbs.start, status=202
        )

    @routes.get("", response_model=shapes.BulkList, responses=READ)
    async def list_bulks(call: Caller, page: Paged) -> Response:
        """List bulks, the newest first."""
        items = [shapes.job(job) for job in await bulks.list_(call, page)]
        return answer(present.numbered(items, page))

    @routes.get("/{number}", response_model=shapes.Bulk, responses=READ)
    async def get_bulk(call: Caller, number: Number) -> Response:
        """Show how a bulk stands."""
        return answer(shapes.bulk(await bulks.find(call, number)))


def _add_outcomes(routes: ValidatedEndpoints, services: Services) -> None:
    bulks, subscriptions = services.bulks, services.subscriptions

    @routes.get("/{number}/results", response_model=shapes.BulkResults, responses=READ)
    async def get_results(call: Caller, number: Number, page: Paged, outcome: shapes.Outcome | None = None) -> Response:
        """List what was done to which key, all or those of an outcome."""
        items = [shapes.result(item) for item in await bulks.results(call, number, outcome=outcome, page=page)]
        following = items[-1]["position"] + 1 if len(items) == page.limit else None
        return answer({"items": items, "next": following})

    @routes.get("/{number}/links", response_model=shapes.BulkLinks, responses=READ)
    async def get_links(
        call: Caller, number: Number, format: Annotated[Literal["json", "csv"], Query()] = "json"
    ) -> Response:
        """Give the links of the keys of a bulk that are there, as JSON or as comma-separated values."""
        parts = await bulks.hand_over(call, number, lambda handed: shapes.links(handed, subscriptions.address_of))
        rows = list(chain.from_iterable(parts))
        if format == "json":
            return answer({"items": rows})
        return Response(shapes.links_csv(rows), headers={"cache-control": "no-store"}, media_type="text/csv")
