"""Domain moves: planned, started, watched, paused, retried and undone."""

from fastapi import Request
from starlette.responses import Response

from keystead.dialects.v1 import move_shapes as shapes
from keystead.dialects.v1 import present
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.acts import Number, add_acts
from keystead.dialects.v1.routes.asking import CHANGED, READ, WRITE, Paged
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.vault import moves as move_verbs
from keystead.vault.movevalue import State


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of domain moves."""
    routes = ValidatedEndpoints(prefix="/v1/domain-moves", tags=["Domain moves"])
    _add_orders(routes, services)
    add_acts(routes, services.vault.moves, shapes.move, noun="move", model=shapes.DomainMove)
    _add_second_thoughts(routes, services)
    return routes


def _add_orders(routes: ValidatedEndpoints, services: Services) -> None:
    moves = services.vault.moves

    @routes.post("", response_model=shapes.MovePlanned, responses={**CHANGED, 202: {"model": shapes.DomainMove}})
    async def order_move(request: Request, call: Caller, wanted: shapes.MoveOrdered) -> Response:
        """Plan a move of many domains, or begin to carry out what was planned. Honours Idempotency-Key.

        With ``dry_run`` providers and DNS are asked and nothing is changed: 200, and what would become of each domain,
        with a digest. With that ``digest`` exactly this is done: 202, and a move to be watched; 409 says that it is no
        longer the plan.
        """
        order = shapes.order(wanted)
        if wanted.dry_run:
            return answer(shapes.planned(await moves.plan(call, order)))

        async def start() -> bytes:
            return present.dumped(shapes.move(await moves.start(call, order, digest=wanted.digest)))

        return await services.idempotency.once(
            call, request, await request.body(), start, verb=move_verbs.start, status=202
        )

    @routes.get("", response_model=shapes.DomainMoveList, responses=READ)
    async def list_moves(call: Caller, page: Paged) -> Response:
        """List moves, the newest first."""
        items = [shapes.move(found) for found in await moves.list_(call, page)]
        return answer(present.numbered(items, page))

    @routes.get("/{number}", response_model=shapes.DomainMove, responses=READ)
    async def get_move(call: Caller, number: Number) -> Response:
        """Show how a move stands."""
        return answer(shapes.move(await moves.find(call, number)))

    @routes.get("/{number}/results", response_model=shapes.MoveResults, responses=READ)
    async def get_move_results(call: Caller, number: Number, page: Paged, state: State | None = None) -> Response:
        """List what became of which domain, all or those in a state."""
        items = [shapes.result(item) for item in await moves.results(call, number, state=state, page=page)]
        following = items[-1]["position"] + 1 if len(items) == page.limit else None
        return answer({"items": items, "next": following})


def _add_second_thoughts(routes: ValidatedEndpoints, services: Services) -> None:
    moves = services.vault.moves

    @routes.post("/{number}/retry", response_model=shapes.DomainMove, responses=WRITE)
    async def retry_move(call: Caller, number: Number) -> Response:
        """Try the domains that failed again, each from the stage where it failed."""
        return answer(shapes.move(await moves.retry(call, number)))

    @routes.post(
        "/{number}/undo", response_model=shapes.UndoPlanned, responses={**WRITE, 202: {"model": shapes.DomainMove}}
    )
    async def undo_move(request: Request, call: Caller, number: Number, wanted: shapes.MoveUndo) -> Response:
        """Set the previous name servers back. Honours Idempotency-Key.

        With ``dry_run`` nothing is done: 200, and how much there is to undo; else 202, and a move to be watched.
        """
        removes = wanted.removes_zones
        if wanted.dry_run:
            return answer(shapes.undo_planned(await moves.plan_undo(call, number, removes_zones=removes)))

        async def start() -> bytes:
            return present.dumped(shapes.move(await moves.undo(call, number, removes_zones=removes)))

        return await services.idempotency.once(
            call, request, await request.body(), start, verb=move_verbs.undo, status=202
        )
