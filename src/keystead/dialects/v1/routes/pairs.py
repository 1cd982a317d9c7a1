"""REALITY key pairs: what they are, who uses the second one, and rotating them."""

from starlette.responses import Response

from keystead.dialects.v1 import pair_shapes
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import READ, WRITE, Paged
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of key pairs."""
    routes = ValidatedEndpoints(prefix="/v1/vpn/pair", tags=["VPN key pairs"])
    pairs = services.pairs

    @routes.get("", response_model=pair_shapes.Pairs, responses=READ)
    async def get_pairs(call: Caller) -> Response:
        """Show the key pair that links carry, and the second one if two are served."""
        return answer(pair_shapes.pairs(await pairs.show(call)))

    @routes.get("/uses", response_model=pair_shapes.PairUseList, responses=READ)
    async def list_uses(call: Caller, page: Paged) -> Response:
        """List the caller's keys that were seen at the second pair since links turned, by number."""
        return answer(pair_shapes.uses(await pairs.users(call), page))

    @routes.post("", response_model=pair_shapes.PairPlan, responses=WRITE)
    async def change_pair(call: Caller, wanted: pair_shapes.PairWish) -> Response:
        """Rotate the key pair, turn links back, or retire the pair that links do not carry; customers notice nothing.

        With ``dry_run`` it is only shown, with a digest; without it, exactly what has this ``digest`` is done, and 409
        says that it is no longer the plan. 503 to a rotation says that the process with both pairs did not prove
        itself, and nothing was changed.
        """
        wish = pair_shapes.wish(wanted)
        if wanted.dry_run:
            return answer(pair_shapes.plan(await pairs.plan(call, wish)))
        return answer(pair_shapes.plan(await pairs.carry_out(call, wish, wanted.digest)))

    return routes
