"""Templates of records and redirects, and rollouts: one applied to many zones as one plan."""

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from keystead.dialects.v1 import present
from keystead.dialects.v1 import template_shapes as shapes
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import NUMBER_MAX, READ, WRITE, Paged
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints

Number = Annotated[int, Path(ge=1, le=NUMBER_MAX)]
Name = Annotated[str, Path(max_length=40)]
_BEGUN = {**WRITE, 202: {"model": shapes.Rollout}}


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of templates and rollouts."""
    routes = ValidatedEndpoints(prefix="/v1", tags=["Templates"])
    _add_templates(routes, services)
    _add_rollouts(routes, services)
    return routes


def _add_templates(routes: ValidatedEndpoints, services: Services) -> None:
    templates = services.templates

    @routes.get("/templates", response_model=shapes.Templates, responses=READ)
    async def list_templates(call: Caller) -> Response:
        """List the templates by name."""
        return answer({"items": [shapes.template(one) for one in await templates.list_(call)]})

    @routes.get("/templates/{template}", response_model=shapes.Template, responses=READ)
    async def get_template(call: Caller, template: Name) -> Response:
        """Show a template."""
        return answer(shapes.template(await templates.find(call, template)))

    @routes.put("/templates/{template}", response_model=shapes.Template, responses=WRITE)
    async def set_template(call: Caller, template: Name, wanted: shapes.TemplateSet) -> Response:
        """Keep a template by a name, in the place of the one that has it; nothing is applied by that."""
        return answer(shapes.template(await templates.put(call, shapes.value(template, wanted))))

    @routes.delete("/templates/{template}", status_code=204, responses=WRITE)
    async def remove_template(call: Caller, template: Name) -> Response:
        """Delete a template; what it made stays where it is."""
        await templates.remove(call, template)
        return present.empty()


def _add_rollouts(routes: ValidatedEndpoints, services: Services) -> None:
    templates = services.templates

    @routes.post("/rollouts", status_code=202, response_model=shapes.Rollout, responses=_BEGUN)
    async def plan_rollout(call: Caller, wanted: shapes.RolloutPlan) -> Response:
        """Begin to plan a template for zones; nothing is changed by that."""
        found = await templates.plan(call, wanted.template, shapes.selection(wanted), wanted.values)
        return present.accepted(shapes.rollout(found))

    @routes.get("/rollouts", response_model=shapes.RolloutList, responses=READ)
    async def list_rollouts(call: Caller, page: Paged) -> Response:
        """List rollouts, the newest first."""
        items = [shapes.rollout(one) for one in await templates.rollouts(call, page)]
        return answer(present.numbered(items, page))

    @routes.get("/rollouts/{number}", response_model=shapes.Rollout, responses=READ)
    async def get_rollout(call: Caller, number: Number) -> Response:
        """Show how a rollout stands."""
        return answer(shapes.rollout(await templates.rollout(call, number)))

    @routes.get("/rollouts/{number}/zones", response_model=shapes.RolloutZones, responses=READ)
    async def list_rollout_zones(
        call: Caller, number: Number, page: Paged, outcome: shapes.Outcome | None = None
    ) -> Response:
        """List what a rollout does to which zone and what became of it, all or those of an outcome."""
        found = await templates.results(call, number, outcome=outcome, page=page)
        following = found[-1].position + 1 if len(found) == page.limit else None
        return answer({"items": [shapes.zone(one) for one in found], "next": following})

    @routes.post("/rollouts/{number}/start", status_code=202, response_model=shapes.Rollout, responses=_BEGUN)
    async def start_rollout(call: Caller, number: Number, wanted: shapes.RolloutStart) -> Response:
        """Begin to carry out the plan that has this digest; 409 where it deletes too much and is not forced."""
        found = await templates.start(call, number, digest=wanted.digest, forced=wanted.force)
        return present.accepted(shapes.rollout(found))

    @routes.post("/rollouts/{number}/cancel", response_model=shapes.Rollout, responses=WRITE)
    async def cancel_rollout(call: Caller, number: Number) -> Response:
        """End a rollout where it is; what is done stays done."""
        return answer(shapes.rollout(await templates.cancel(call, number)))
