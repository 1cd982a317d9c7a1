"""Engines: how they stand, the plan of a scope, applying it, a comparison on request, and replacing what runs."""

from starlette.responses import Response

from keystead.dialects.v1 import engine_shapes, present, schemas
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import READ, WRITE
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.reconcile.replacement import Kind, Wish


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of engines; a scope is named by its engine and its name in it, as in ``xray/main``."""
    routes = ValidatedEndpoints(prefix="/v1/engines", tags=["Engines"])
    engines = services.engines

    @routes.get("", response_model=list[engine_shapes.Scope], responses=READ)
    async def list_scopes(call: Caller) -> Response:
        """List scopes: desired and applied generation, the last full pass, and the program behind them."""
        return answer(engine_shapes.scopes(await engines.list_(call)))

    @routes.get("/{engine}/{name}/plan", response_model=schemas.Plan, responses=READ)
    async def get_plan(call: Caller, engine: str, name: str) -> Response:
        """Show what would be done now; nothing is done."""
        return answer(present.plan(await engines.preview(call, f"{engine}/{name}")))

    @routes.post("/{engine}/{name}/apply", response_model=schemas.Plan, responses=WRITE)
    async def apply_plan(call: Caller, engine: str, name: str, approval: schemas.PlanApproval) -> Response:
        """Apply exactly the plan whose digest is given; 409 when it is no longer the plan."""
        return answer(present.plan(await engines.apply(call, f"{engine}/{name}", approval.digest)))

    @routes.post("/{engine}/{name}/replacement", response_model=engine_shapes.Replacement, responses=WRITE)
    async def replace(call: Caller, engine: str, name: str, wanted: engine_shapes.ReplacementWish) -> Response:
        """Put another process in the place of the one that serves; customers notice nothing.

        With ``dry_run`` it is only shown, with a digest; without it, exactly what has this ``digest`` is done, and 409
        says that it is no longer the plan. 503 says that the new process did not prove itself: it was ended, and
        nothing was changed.
        """
        scope, wish = f"{engine}/{name}", Wish(Kind(wanted.kind), wanted.has_new_keeper)
        if wanted.dry_run:
            return answer(engine_shapes.replacement(await engines.plan_replacement(call, scope, wish)))
        return answer(engine_shapes.replacement(await engines.replace(call, scope, wish, wanted.digest)))

    @routes.get("/{engine}/{name}/replacement", response_model=engine_shapes.ReplacementProgress, responses=READ)
    async def get_progress(call: Caller, engine: str, name: str) -> Response:
        """Show how far the last replacement has come, and how many connections wait to end."""
        return answer(engine_shapes.progress(await engines.progress(call, f"{engine}/{name}")))

    @routes.post("/{engine}/{name}/reconcile", response_model=schemas.Plan, responses=WRITE)
    async def reconcile(call: Caller, engine: str, name: str) -> Response:
        """Compare engine and database now and repair what differs; the answer is what was planned."""
        return answer(present.plan(await engines.reconcile(call, f"{engine}/{name}")))

    return routes
