"""VPN keys: issue, show, change, revoke, their links and subscriptions."""

from functools import partial

from fastapi import Request
from starlette.responses import Response

from keystead.dialects.v1 import present, schemas, term_present, term_schemas
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.connection_shapes import ShowAddresses
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes import showing
from keystead.dialects.v1.routes.asking import READ, WRITE, Paged
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.operations.vpn.keys import KeyChanges
from keystead.vpn import keys as key_verbs
from keystead.vpn.connections import Presence
from keystead.vpn.keyvalue import KeyStatus, parse_ident
from keystead.vpn.links import vless_link
from keystead.vpn.placement import Firmness, Placement
from keystead.vpn.plans import Wish
from keystead.vpn.profiles import qr

_NO_STORE = {"cache-control": "no-store"}


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of keys; ``key_id`` is an id, a number or a VLESS UUID."""
    routes = ValidatedEndpoints(prefix="/v1/vpn/keys", tags=["VPN keys"])
    _add_keys(routes, services)
    _add_links(routes, services)
    _add_subscriptions(routes, services)
    return routes


def _add_keys(routes: ValidatedEndpoints, services: Services) -> None:
    vpn, terms, connections = services.vpn, services.terms, services.connections
    shown = partial(showing.key, services)

    @routes.get("", response_model=schemas.KeyList, responses=READ)
    async def list_keys(
        call: Caller,
        page: Paged,
        placement: Placement | None = None,
        state: KeyStatus | None = None,
        addresses: ShowAddresses = True,
    ) -> Response:
        """List keys by number, all or those of a state."""
        found = await terms.list_(call, placement=placement, page=page, status=state)
        keys = [one.key for one in found.items]
        return answer(present.key_list(found, await connections.presence(call, keys, with_addresses=addresses)))

    @routes.post("", response_model=schemas.Key, status_code=201, responses=WRITE)
    async def create_key(request: Request, call: Caller, wanted: schemas.KeyCreate | None = None) -> Response:
        """Issue a key; it connects when the answer arrives. Honours Idempotency-Key."""
        wanted = wanted or schemas.KeyCreate()
        placement, wish = Placement(wanted.placement), _wish(wanted)
        firmness = Firmness.CHOSEN if "placement" in wanted.model_fields_set else Firmness.DEFAULT

        async def create() -> bytes:
            made = await vpn.issue(call, name=wanted.name, placement=placement, firmness=firmness, wish=wish)
            with_terms = await terms.shown(call, made, has_terms=wish is not None)
            return present.dumped(present.key(with_terms, Presence(online=0)))

        return await services.idempotency.once(
            call, request, await request.body(), create, verb=key_verbs.issue, status=201
        )

    @routes.get("/{key_id}", response_model=schemas.Key, responses=READ)
    async def get_key(call: Caller, key_id: str, addresses: ShowAddresses = True) -> Response:
        """Show a key."""
        found = await terms.show(call, parse_ident(key_id))
        return answer(await shown(call, found, with_addresses=addresses))

    @routes.patch("/{key_id}", response_model=schemas.Key, responses=WRITE)
    async def change_key(call: Caller, key_id: str, changes: schemas.KeyChange) -> Response:
        """Rename, disable or enable a key; it is in force when the answer arrives."""
        wanted = KeyChanges("name" in changes.model_fields_set, changes.name, changes.is_active)
        changed = await vpn.change(call, parse_ident(key_id), wanted)
        return answer(await shown(call, await terms.shown(call, changed)))

    @routes.delete("/{key_id}", status_code=204, responses=WRITE)
    async def delete_key(call: Caller, key_id: str) -> Response:
        """Revoke a key; nothing new connects with it when the answer arrives."""
        await vpn.revoke(call, parse_ident(key_id))
        return present.empty()

    @routes.post("/{key_id}/reissue", response_model=schemas.Key, responses=WRITE)
    async def reissue_key(call: Caller, key_id: str) -> Response:
        """Give a key a new UUID: the old link ends, the number, the name and the traffic stay."""
        reissued = await vpn.reissue(call, parse_ident(key_id))
        return answer(await shown(call, await terms.shown(call, reissued)))


def _wish(wanted: schemas.KeyCreate) -> Wish | None:
    if wanted.plan is None and wanted.terms is None:
        return None
    return Wish(wanted.plan, term_present.changes(wanted.terms or term_schemas.TermsWish()))


def _add_links(routes: ValidatedEndpoints, services: Services) -> None:
    vpn = services.vpn

    @routes.get("/{key_id}/link", response_model=schemas.Link, responses=READ)
    async def get_link(call: Caller, key_id: str) -> Response:
        """Give a key's VLESS link."""
        key, profile = await vpn.profile(call, parse_ident(key_id))
        return answer({"id": key.public_id, "link": vless_link(profile)})

    @routes.get("/{key_id}/qr.svg", responses=READ, response_class=Response)
    async def get_qr_svg(call: Caller, key_id: str) -> Response:
        """Draw a key's link as a QR code."""
        _, profile = await vpn.profile(call, parse_ident(key_id))
        return Response(qr.svg(vless_link(profile)), headers=_NO_STORE, media_type="image/svg+xml")

    @routes.get("/{key_id}/qr.png", responses=READ, response_class=Response)
    async def get_qr_png(call: Caller, key_id: str) -> Response:
        """Draw a key's link as a QR code."""
        _, profile = await vpn.profile(call, parse_ident(key_id))
        return Response(qr.png(vless_link(profile)), headers=_NO_STORE, media_type="image/png")


def _add_subscriptions(routes: ValidatedEndpoints, services: Services) -> None:
    subscriptions = services.subscriptions

    @routes.get("/{key_id}/subscription", response_model=schemas.Subscription, responses=READ)
    async def get_subscription(call: Caller, key_id: str) -> Response:
        """Give the address that a customer's app polls; the first call opens it."""
        return answer({"url": await subscriptions.url(call, parse_ident(key_id))})

    @routes.post("/{key_id}/subscription/replace", response_model=schemas.Subscription, responses=WRITE)
    async def replace_subscription(call: Caller, key_id: str) -> Response:
        """Give a key's subscription a new address; the old one ends at once, the key goes on."""
        return answer({"url": await subscriptions.replace(call, parse_ident(key_id))})

    @routes.delete("/{key_id}/subscription", status_code=204, responses=WRITE)
    async def delete_subscription(call: Caller, key_id: str) -> Response:
        """Close a key's subscription; the key goes on."""
        await subscriptions.revoke(call, parse_ident(key_id))
        return present.empty()
