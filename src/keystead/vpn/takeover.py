"""Take over keys that were issued elsewhere, with their inbounds: every link stays what it was.

Called by the composition root (``taking_over.py``) while nothing serves, with what a plan of ``importing`` says. All of
it is one transaction, and statements run over thousands of rows at once. The reconciler confirms the keys afterwards,
as it does those that were issued here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.engines.xray.state import masked
from keystead.kit.crypto import fingerprint
from keystead.kit.errors import Conflict, Misconfigured
from keystead.kit.secret import Secret
from keystead.vpn.accounting import Bytes
from keystead.vpn.inbound import Inbound
from keystead.vpn.keys import NAME_LENGTH_MAX
from keystead.vpn.keyvalue import KeyState, label_of
from keystead.vpn.placement import Placement
from keystead.vpn.portable import PortablePlan
from keystead.vpn.sealed import SUBSCRIPTION_TOKEN
from keystead.vpn.secondpair import SecondPair, Stage
from keystead.vpn.store import inbounds as inbound_store
from keystead.vpn.store import plans as plan_store
from keystead.vpn.store import secondpairs as pair_store
from keystead.vpn.store import subscriptions as subscription_store
from keystead.vpn.store import takeover as takeover_store
from keystead.vpn.store import terms as term_store
from keystead.vpn.store import traffic as traffic_store
from keystead.vpn.store.plans import Plan
from keystead.vpn.termvalue import Held

Progress = Callable[[str], None]


@dataclass(frozen=True)
class TakenInbound:
    """An inbound to be there afterwards; one whose tag is here gets the server names and short ids it lacks."""

    tag: str
    placement: Placement
    listen: str
    port: int
    private_key: Secret[str]
    public_key: str
    target: str
    server_names: tuple[str, ...]
    short_ids: tuple[str, ...]
    flow: str


@dataclass(frozen=True)
class TakenPair:
    """A key pair that is to be served at the port that keys share, beside the one that links from here carry."""

    private_key: Secret[str]
    public_key: str
    target: str
    server_names: tuple[str, ...]
    short_ids: tuple[str, ...]


@dataclass(frozen=True)
class TakenKey:
    """A key to be there afterwards.

    ``tag`` names its inbound, ``lifetime`` is what it has carried, ``used`` what is shown of that. ``number`` is a
    wish: a number that was given out before is not given out again. ``subscription_token`` is None for one without.
    """

    public_id: str
    name: str
    uuid: str
    tag: str
    flow: str
    short_id: str
    server_name: str
    is_enabled: bool
    created_at: datetime
    lifetime: Bytes
    used: Bytes
    held: Held | None
    subscription_token: Secret[str] | None
    number: int | None


@dataclass(frozen=True)
class Wanted:
    """What is to be there afterwards; plans whose names are not here yet. ``pair`` is served beside ours."""

    inbounds: Sequence[TakenInbound]
    keys: Sequence[TakenKey]
    plans: Sequence[PortablePlan] = ()
    pair: TakenPair | None = None


@dataclass(frozen=True)
class Cause:
    """What keys are taken over for, as the audit trail tells it: the panel, its name here, and the plan's digest."""

    source: str
    origin: str
    digest: str


@dataclass(frozen=True)
class Taken:
    """How many keys, inbounds, subscriptions and plans were taken over; ``renumbered`` keys got another number."""

    keys: int
    inbounds: int
    widened: int
    subscriptions: int
    renumbered: int
    plans: int = 0


@dataclass(frozen=True)
class Present:
    """What is here: number, public id and UUID of every key, tombstones too; inbounds; subscriptions' fingerprints.

    ``plans`` are the account's, ``second`` is the pair that is served beside ours.
    """

    keys: list[tuple[int, str, str]]
    inbounds: list[Inbound]
    tokens: frozenset[str]
    plans: list[PortablePlan]
    second: SecondPair | None


@requires(Permission.VPN_LINKS_READ)
def present(work: Work) -> Present:
    """Return what keys of another panel could collide with, of every account."""
    return Present(
        takeover_store.identities(work.connection),
        inbound_store.all_of(work.connection),
        subscription_store.fingerprints(work.connection),
        [
            PortablePlan(plan.name, plan.starts, plan.terms, plan.placement)
            for plan in plan_store.all_(work.connection, work.principal.account_id)
        ],
        _second(work),
    )


@requires(Permission.VPN_KEYS_ISSUE)
def take(
    work: Work,
    scope: str,
    wanted: Wanted,
    *,
    cause: Cause,
    progress: Progress = lambda _: None,
) -> Taken:
    """Write inbounds, keys and plans.

    Raises Misconfigured before there is an inbound of Keystead's own, since new keys would go to one taken over;
    Conflict when a UUID, an id or a port is taken after all, or another second pair is served.
    """
    keys, shared = wanted.keys, inbound_store.for_placement(work.connection, Placement.SHARED)
    if shared is None:
        raise Misconfigured(
            "Keystead has no inbound of its own yet; start it once, with KEYSTEAD_VPN_PORT at a port that the panel "
            "does not use, stop it and import again"
        )
    try:
        progress(f"{len(wanted.inbounds):,} inbounds")
        here, added, widened = _inbounds(work, scope, wanted.inbounds)
        if wanted.pair is not None:
            _serve_beside(work, shared, wanted.pair, cause)
        progress(f"{len(keys):,} keys")
        numbers = _keys(work, keys, here)
        _plans(work, wanted.plans)
    except IntegrityError as error:
        raise Conflict("a UUID, an id or a port of the plan is taken by now; make the plan again") from error
    progress("traffic, terms and subscriptions")
    _figures(work, scope, keys, numbers)
    subscriptions = _subscriptions(work, keys, numbers)
    renumbered = sum(1 for key in keys if key.number not in (None, numbers[key.public_id]))
    taken = Taken(len(keys), added, widened, subscriptions, renumbered, len(wanted.plans))
    progress("audit records")
    _audit(work, keys, numbers, taken, cause)
    return taken


def _second(work: Work) -> SecondPair | None:
    """Return the other pair that the inbound serves which keys share."""
    shared = inbound_store.for_placement(work.connection, Placement.SHARED)
    if shared is None or shared.second_pair_id is None:
        return None
    return pair_store.find(work.connection, shared.second_pair_id)


def _inbounds(work: Work, scope: str, wanted: Sequence[TakenInbound]) -> tuple[dict[str, Inbound], int, int]:
    """Return the inbounds of the scope by tag, how many were added, and how many were widened."""
    here = {inbound.tag: inbound for inbound in inbound_store.of_scope(work.connection, scope)}
    added = widened = 0
    for planned in wanted:
        found = here.get(planned.tag)
        if found is None:
            here[planned.tag] = _add(work, scope, planned)
            added += 1
        elif (planned.server_names, planned.short_ids) != (found.server_names, found.short_ids):
            inbound_store.widen(work.connection, found.id, planned.server_names, planned.short_ids)
            work.audit("vpn.inbound.widen", f"vpn inbound {found.tag}", names=list(planned.server_names))
            widened += 1
    return here, added, widened


def _add(work: Work, scope: str, planned: TakenInbound) -> Inbound:
    made = Inbound(
        id=0,
        scope=scope,
        tag=planned.tag,
        placement=planned.placement,
        listen=planned.listen,
        port=planned.port,
        sealed_private_key="",
        public_key=planned.public_key,
        target=planned.target,
        server_names=planned.server_names,
        short_ids=planned.short_ids,
        flow=planned.flow,
    )
    made = replace(made, id=inbound_store.add(work.connection, made, work.now))
    inbound_store.set_private_key(work.connection, made.id, work.keys.seal(planned.private_key, made.place))
    names = list(made.server_names)
    work.audit("vpn.inbound.import", f"vpn inbound {made.tag}", port=made.port, target=made.target, names=names)
    return made


def _serve_beside(work: Work, shared: Inbound, pair: TakenPair, cause: Cause) -> None:
    """Have a pair served at the port that keys share, until somebody retires it.

    It stands behind ours: no link from here carries it, so that it is used ever less.
    """
    connection, there = work.connection, pair_store.of_scope(work.connection, shared.scope)
    if there is not None and there.public_key != pair.public_key:
        raise Conflict("another key pair is served beside ours by now; make the plan again")
    if there is not None:
        if (pair.server_names, pair.short_ids) != (there.server_names, there.short_ids):
            wider = replace(there, server_names=pair.server_names, short_ids=pair.short_ids)
            pair_store.widen(connection, wider)
            work.audit("vpn.pair.widen", f"key pair of {shared.scope}", names=list(pair.server_names))
        return
    made = SecondPair(
        id=0,
        scope=shared.scope,
        sealed_private_key="",
        public_key=pair.public_key,
        is_front=False,
        stage=Stage.GOING,
        server_names=pair.server_names,
        short_ids=pair.short_ids,
        made_at=work.now,
        turned_at=work.now,
        kept_s=0,
        until=None,
        origin=cause.origin,
        target=None if pair.target == shared.target else pair.target,
    )
    made = replace(made, id=pair_store.add(connection, made))
    pair_store.set_private_key(connection, made.id, work.keys.seal(pair.private_key, made.place))
    pair_store.take_up_at(connection, made.id, shared.id)
    facts = {"public_key": made.public_key, "origin": cause.origin, "target": pair.target}
    work.audit("vpn.pair.import", f"key pair of {shared.scope}", **facts)


def _plans(work: Work, plans: Sequence[PortablePlan]) -> None:
    for plan in plans:
        made = Plan(plan.name, plan.starts, plan.terms, work.now, plan.placement)
        plan_store.add(work.connection, work.principal.account_id, made)
        work.audit("vpn.plan.import", f"vpn plan {plan.name}")


def _keys(work: Work, keys: Sequence[TakenKey], here: Mapping[str, Inbound]) -> dict[str, int]:
    """Insert keys under labels of their own; return their numbers by public id."""
    highest = takeover_store.highest_number(work.connection)
    granted = {key.number for key in keys if key.number is not None and key.number > highest}
    numbers: dict[str, int] = {}
    for is_wished in (True, False):
        rows = [
            _row(work, key, here[key.tag].id) | ({"number": key.number} if is_wished else {})
            for key in keys
            if (key.number in granted) is is_wished
        ]
        numbers |= takeover_store.add_keys(work.connection, rows)
    takeover_store.set_labels(work.connection, {number: label_of(number, 1) for number in numbers.values()})
    return numbers


def _row(work: Work, key: TakenKey, inbound_id: int) -> dict[str, object]:
    return {
        "public_id": key.public_id,
        "account_id": work.principal.account_id,
        "inbound_id": inbound_id,
        "issued_by": work.principal.token_id,
        "name": key.name[:NAME_LENGTH_MAX] or None,
        "uuid": key.uuid,
        "masked_uuid": masked(key.uuid),
        "label": f"new-{key.uuid}",
        "flow": key.flow,
        "short_id": key.short_id,
        "server_name": key.server_name,
        "is_active": key.is_enabled and (key.held is None or key.held.stop is None),
        "is_enabled": key.is_enabled,
        "state": KeyState.ISSUING.value,
        "created_at": key.created_at,
    }


def _figures(work: Work, scope: str, keys: Sequence[TakenKey], numbers: Mapping[str, int]) -> None:
    """Store what the keys have carried, with what their panel no longer showed forgiven, and their terms."""
    carried = [(numbers[key.public_id], label_of(numbers[key.public_id], 1), key.lifetime, key.used) for key in keys]
    traffic_store.start_many(work.connection, carried, work.now)
    work.mark(scope, "import")
    terms = [(numbers[key.public_id], key.held) for key in keys if key.held is not None]
    term_store.add_many(work.connection, terms, work.marks[-1].generation)


def _subscriptions(work: Work, keys: Sequence[TakenKey], numbers: Mapping[str, int]) -> int:
    """Store the tokens that come along, sealed for their rows; return how many."""
    tokens = [(numbers[key.public_id], key.subscription_token) for key in keys if key.subscription_token is not None]
    rows = [
        (number, fingerprint(token.reveal()), work.keys.seal(token, SUBSCRIPTION_TOKEN.place(number)))
        for number, token in tokens
    ]
    subscription_store.add_many(work.connection, rows, work.now)
    return len(rows)


def _audit(work: Work, keys: Sequence[TakenKey], numbers: Mapping[str, int], taken: Taken, cause: Cause) -> None:
    for key in keys:
        work.audit("vpn.key.import", f"vpn key {numbers[key.public_id]}", name=key.name, origin=cause.origin)
    work.audit("vpn.import", f"import {cause.origin}", **asdict(cause), **asdict(taken))
