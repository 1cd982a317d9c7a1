"""Terms of keys and plans: change, extend, top up; plans by name."""

from functools import partial
from typing import Annotated, Any

from fastapi import Header, Path
from starlette.responses import Response

from keystead.dialects.v1 import present, schemas, term_present, term_schemas
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes import showing
from keystead.dialects.v1.routes.asking import READ, WRITE
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.vpn.keyvalue import parse_ident
from keystead.vpn.plans import UNSET, Wish
from keystead.vpn.terms import Granted

IdempotencyKey = Annotated[
    str | None, Header(min_length=1, max_length=255, description="The same key for one VPN key is done once, for good.")
]
PlanName = Annotated[str, Path(min_length=1, max_length=64)]


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of keys' terms; ``key_id`` is an id, a number or a VLESS UUID."""
    routes = ValidatedEndpoints(prefix="/v1/vpn/keys", tags=["Terms"])
    terms = services.terms
    shown = partial(showing.key, services)

    @routes.patch("/{key_id}/terms", response_model=schemas.Key, responses=WRITE)
    async def change_terms(call: Caller, key_id: str, wanted: term_schemas.TermsChange) -> Response:
        """Change a key's terms; they are in force when the answer arrives. A plan takes the place of all of them."""
        wish = Wish(wanted.plan, term_present.changes(wanted))
        return answer(await shown(call, await terms.change(call, parse_ident(key_id), wish)))

    @routes.post("/{key_id}/extend", response_model=schemas.Key, responses=WRITE)
    async def extend_key(
        call: Caller, key_id: str, wanted: term_schemas.Extension, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Move a key's end by days; one that has expired connects again for so many days from now."""
        done = await terms.extend(call, parse_ident(key_id), days=wanted.days, request=idempotency_key)
        return _granted(done, await shown(call, done.shown))

    @routes.post("/{key_id}/top-up", response_model=schemas.Key, responses=WRITE)
    async def top_up_key(
        call: Caller, key_id: str, wanted: term_schemas.TopUp, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Give a key bytes beside its quota; one that was cut connects again."""
        done = await terms.top_up(call, parse_ident(key_id), more=wanted.bytes, request=idempotency_key)
        return _granted(done, await shown(call, done.shown))

    return routes


def plan_router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of plans."""
    routes = ValidatedEndpoints(prefix="/v1/vpn/plans", tags=["Plans"])
    terms = services.terms

    @routes.get("", response_model=term_schemas.PlanList, responses=READ)
    async def list_plans(call: Caller) -> Response:
        """List plans by name."""
        return answer({"items": [term_present.plan(plan) for plan in await terms.plans(call)]})

    @routes.post("", response_model=term_schemas.Plan, status_code=201, responses=WRITE)
    async def create_plan(call: Caller, wanted: term_schemas.PlanCreate) -> Response:
        """Create a plan."""
        changes = term_present.changes(wanted)
        made = await terms.create_plan(call, name=wanted.name, changes=changes, placement=wanted.placement)
        return present.created(term_present.plan(made))

    @routes.get("/{name}", response_model=term_schemas.Plan, responses=READ)
    async def get_plan(call: Caller, name: PlanName) -> Response:
        """Show a plan."""
        return answer(term_present.plan(await terms.plan(call, name)))

    @routes.patch("/{name}", response_model=term_schemas.Plan, responses=WRITE)
    async def change_plan(call: Caller, name: PlanName, wanted: term_schemas.PlanChange) -> Response:
        """Change what keys issued from now on get; keys there are keep their terms."""
        placement = wanted.placement if "placement" in wanted.model_fields_set else UNSET
        changes = term_present.changes(wanted)
        changed = await terms.change_plan(call, name=name, changes=changes, placement=placement)
        return answer(term_present.plan(changed))

    @routes.delete("/{name}", status_code=204, responses=WRITE)
    async def delete_plan(call: Caller, name: PlanName) -> Response:
        """Delete a plan; keys keep their terms."""
        await terms.remove_plan(call, name)
        return present.empty()

    return routes


def _granted(done: Granted, shown: dict[str, Any]) -> Response:
    response = answer(shown)
    if done.is_repeated:
        response.headers["idempotency-replayed"] = "true"
    return response
