"""The verbs of bulks: plan one, start it, look at it, cancel it, and hand over what it made.

A bulk is one order for many keys. Its plan changes nothing and has a digest; who starts it names the digest, and what
runs is exactly that plan. It runs as a job, in parts (``bulkparts``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from keystead.access.permissions import Permission, check, requires
from keystead.access.work import Work
from keystead.jobs import store as jobs
from keystead.jobs.store import Job, NewJob, State
from keystead.kit.errors import Conflict, KeysteadError, NeedsConfirmation, NotFound
from keystead.kit.page import Page
from keystead.kit.secret import Secret
from keystead.vpn import holding, keys, terms
from keystead.vpn.bulkvalue import Action, BulkPlan, Creation, Fate, Foreseen, Order
from keystead.vpn.errors import PortsExhausted
from keystead.vpn.inbound import Inbound
from keystead.vpn.keyvalue import VpnKey, parse_ident
from keystead.vpn.lookup import IsApplied, is_visible
from keystead.vpn.placement import Firmness, Placement
from keystead.vpn.plans import Wish, placed, terms_of, wished_plan
from keystead.vpn.ports import PortPool
from keystead.vpn.sealed import SUBSCRIPTION_TOKEN
from keystead.vpn.store import bulks as store
from keystead.vpn.store import inbounds as inbound_store
from keystead.vpn.store import keys as key_store
from keystead.vpn.store import plans as plan_store
from keystead.vpn.store import terms as term_store
from keystead.vpn.store.bulks import Item, NewItem
from keystead.vpn.termvalue import Held
from keystead.vpn.values import ClientProfile

KIND = "vpn.bulk"
_LAST = 2**31 - 1
_OUTCOMES = {Fate.CHANGE: "planned", Fate.SAME: "same", Fate.REFUSED: "refused"}
# What who starts a bulk must be allowed to; the verbs of single keys ask again for each.
NEEDED: Mapping[Action, Permission] = {
    Action.CREATE: Permission.VPN_KEYS_ISSUE,
    Action.EXTEND: Permission.VPN_TERMS_CHANGE,
    Action.TOP_UP: Permission.VPN_TERMS_CHANGE,
    Action.DISABLE: Permission.VPN_KEYS_CHANGE,
    Action.ENABLE: Permission.VPN_KEYS_CHANGE,
    Action.DELETE: Permission.VPN_KEYS_REVOKE,
    Action.MOVE: Permission.VPN_KEYS_CHANGE,
}


@dataclass(frozen=True)
class Bulk:
    """A bulk as it stands; ``outcomes`` counts its keys by what became of them."""

    job: Job
    outcomes: Mapping[str, int]


class Handed(NamedTuple):
    """A key of a bulk with what its holder needs; ``token`` is that of its subscription, None while it has none."""

    key: VpnKey
    profile: ClientProfile
    token: Secret[str] | None


@requires(Permission.VPN_KEYS_READ)
def plan(work: Work, *, order: Order, pool: PortPool, is_applied: IsApplied) -> BulkPlan:
    """Return what an order would do now; nothing is done.

    Raises Invalid for an order that does not fit together, UnknownPlan, PortsExhausted for more keys than free ports.
    """
    return _planned(work, order, pool, is_applied)


@requires(Permission.VPN_KEYS_READ)
def start(work: Work, *, order: Order, digest: str | None, pool: PortPool, is_applied: IsApplied) -> Bulk:
    """Put in the job that carries out a plan.

    Raises NeedsConfirmation without the plan's digest, unless keys are only created, and Conflict when the plan has
    changed since it was reviewed.
    """
    check(work.principal, NEEDED[order.action])
    if order.creation is not None and order.creation.has_subscriptions:
        check(work.principal, Permission.VPN_LINKS_READ)
    planned = _planned(work, order, pool, is_applied)
    if digest is None and order.creation is None:
        raise NeedsConfirmation("name the digest of the plan you reviewed; dry_run shows it")
    if digest is not None and digest != planned.digest:
        raise Conflict("the plan has changed since it was reviewed; look at it again")
    account_id, request = work.principal.account_id, _request(work, order)
    total = planned.counts[Fate.CHANGE]
    number = jobs.enqueue(
        work.connection, NewJob(account_id, KIND, work.principal.as_data(), request, total), at=work.now
    )
    store.add(work.connection, number, _items(planned.foreseen))
    facts = {fate.value: count for fate, count in planned.counts.items()}
    work.audit("vpn.bulk.start", _subject(number), action=order.action.value, digest=planned.digest, **facts)
    return _found(work, number)


@requires(Permission.VPN_KEYS_READ)
def find(work: Work, *, number: int) -> Bulk:
    """Return a bulk; raise NotFound."""
    return _found(work, number)


@requires(Permission.VPN_KEYS_READ)
def list_(work: Work, *, page: Page) -> list[Job]:
    """Return the bulks of the account, the newest first; ``after`` of the page is the number before which it begins."""
    found = jobs.page(work.connection, work.principal.account_id, KIND, before=page.after or _LAST, limit=page.limit)
    return [job for job in found if _may_see(work, job)]


@requires(Permission.VPN_KEYS_READ)
def pause(work: Work, *, number: int) -> Bulk:
    """Have nothing more done until the bulk is continued. Raises Conflict for one that has ended."""
    job = _job(work, number)
    check(work.principal, NEEDED[Action(job.request["action"])])
    if job.state is not State.PAUSED:
        if not jobs.pause(work.connection, number):
            raise Conflict(f"bulk {number} has ended already")
        work.audit("vpn.bulk.pause", _subject(number), done=job.done, total=job.total)
    return _found(work, number)


@requires(Permission.VPN_KEYS_READ)
def go_on(work: Work, *, number: int) -> Bulk:
    """Go on with a bulk that was paused; raise Conflict for one that was not."""
    job = _job(work, number)
    check(work.principal, NEEDED[Action(job.request["action"])])
    if not jobs.go_on(work.connection, number, work.now):
        raise Conflict(f"bulk {number} is not paused")
    work.audit("vpn.bulk.continue", _subject(number))
    return _found(work, number)


@requires(Permission.VPN_KEYS_READ)
def cancel(work: Work, *, number: int) -> Bulk:
    """End a bulk where it is: what is done stays done. Raises Conflict for one that has ended."""
    job = _job(work, number)
    check(work.principal, NEEDED[Action(job.request["action"])])
    if not jobs.cancel(work.connection, number, work.now):
        raise Conflict(f"bulk {number} has ended already")
    bulk = _found(work, number)
    work.audit("vpn.bulk.cancel", _subject(number), done=bulk.job.done, total=bulk.job.total)
    return bulk


@requires(Permission.VPN_KEYS_READ)
def results(work: Work, *, number: int, outcome: str | None, page: Page) -> list[Item]:
    """Return what was done to which key, by position; ``after`` of the page counts positions from 1."""
    _job(work, number)
    return store.page(work.connection, number, outcome=outcome, after=page.after - 1, limit=page.limit)


@requires(Permission.VPN_LINKS_READ)
def hand_over(
    work: Work, *, number: int, begin: int, end: int, public_host: str, is_applied: IsApplied
) -> Sequence[Handed]:
    """Return the keys at some positions of a bulk that are there and usable, with their profiles."""
    _job(work, number)
    positions = [key_number for _, key_number in store.numbers(work.connection, number, begin, end)]
    found = key_store.of_numbers(
        work.connection,
        work.principal.account_id,
        issued_by=work.principal.confined_to_token,
        numbers=[one for one in positions if one is not None],
    )
    sealed = store.sealed_tokens(work.connection, number, begin, end)
    inbounds: dict[int, Inbound] = {}
    handed = []
    for key in sorted((key for key in found if is_visible(key, is_applied)), key=lambda key: key.number):
        if key.inbound_id not in inbounds:
            inbounds[key.inbound_id] = inbound_store.find(work.connection, key.inbound_id)
        token = sealed.get(key.number)
        opened = None if token is None else work.keys.open(token, SUBSCRIPTION_TOKEN.place(key.number))
        handed.append(Handed(key, keys.profile_at(key, inbounds[key.inbound_id], public_host), opened))
    return handed


def _planned(work: Work, order: Order, pool: PortPool, is_applied: IsApplied) -> BulkPlan:
    order.check()
    if order.creation is not None:
        return _creation(work, order, order.creation, pool)
    account_id, confined = work.principal.account_id, work.principal.confined_to_token
    found = store.meant(work.connection, account_id, order.where, issued_by=confined)
    shown = [key for key in found if is_visible(key, is_applied)]
    held = term_store.of_keys(work.connection, shown[0].number, shown[-1].number) if shown else {}
    free = _free(work, pool) if order.placement is Placement.OWN_PORT else 0
    foreseen = []
    for key in shown:
        one = _foreseen(order, key, held.get(key.number))
        if order.placement is Placement.OWN_PORT and one.fate is Fate.CHANGE:
            free -= 1
            if free < 0:
                one = one._replace(fate=Fate.REFUSED, reason="no port is left; widen KEYSTEAD_VPN_PORTS")
        foreseen.append(one)
    unknown = [Foreseen(Fate.REFUSED, named=text[:64], reason="no such key") for text in _unknown(order, shown)]
    every = [*foreseen, *unknown]
    return BulkPlan(order, tuple(every), sum(1 for one in every if one.fate is Fate.CHANGE))


def _creation(work: Work, order: Order, creation: Creation, pool: PortPool) -> BulkPlan:
    keys.checked(max((name for name in creation.named(0, creation.total) if name), key=len, default=None))
    wish = Wish(creation.plan)
    named = wished_plan(work.connection, work.principal.account_id, wish)
    terms_of(named, wish, work.now)
    where = creation.placement or placed(named, Placement.SHARED, Firmness.DEFAULT)
    if where is Placement.OWN_PORT and creation.total > (free := _free(work, pool)):
        raise PortsExhausted(f"{free} ports are free, and {creation.total} are needed; widen KEYSTEAD_VPN_PORTS")
    order = replace(order, creation=replace(creation, placement=where))
    told = "" if named is None else repr((named.starts, named.terms))
    return BulkPlan(order, (), creation.total, told)


def _free(work: Work, pool: PortPool) -> int:
    shared = inbound_store.for_placement(work.connection, Placement.SHARED)
    if shared is None:
        return 0
    return pool.size - inbound_store.count_ports(work.connection, shared.scope, pool.first, pool.last)


def _unknown(order: Order, found: Sequence[VpnKey]) -> Iterable[str]:
    """Return what the caller called keys that are none of those found, or not where the rest of the order says."""
    here = {name for key in found for name in (key.number, key.uuid, key.public_id)}
    for text in dict.fromkeys(order.where.keys or ()):
        ident = parse_ident(text)
        if ident.number not in here and ident.uuid not in here:
            yield text


def _foreseen(order: Order, key: VpnKey, held: Held | None) -> Foreseen:
    """Return what an order would do to a key, by the rules that the verbs of single keys have."""
    one = Foreseen(Fate.CHANGE, key.number, key.name)
    is_same = {
        Action.DISABLE: not key.is_enabled,
        Action.ENABLE: key.is_enabled and key.is_active,
        Action.MOVE: key.placement is order.placement,
    }
    if is_same.get(order.action, False):
        return one._replace(fate=Fate.SAME)
    try:
        if order.action is Action.ENABLE:
            holding.check_can_start(key, held)
        elif order.action is Action.EXTEND:
            terms.check_extendable(key, held)
        elif order.action is Action.TOP_UP:
            terms.check_metered(key, held)
    except KeysteadError as error:
        return one._replace(fate=Fate.REFUSED, reason=error.message[:255])
    return one


def _request(work: Work, order: Order) -> dict[str, Any]:
    """Return an order as it is kept: with the plan's terms as they are now, whatever becomes of the plan meanwhile."""
    data = order.as_data()
    if order.creation is not None:
        named = wished_plan(work.connection, work.principal.account_id, Wish(order.creation.plan))
        data["creation"]["placement"] = (
            order.creation.placement or placed(named, Placement.SHARED, Firmness.DEFAULT)
        ).value
        data["plan"] = None if named is None else plan_store.written(named)
    return data


def _items(foreseen: Sequence[Foreseen]) -> Iterable[NewItem]:
    """Return the rows of a plan, those to be changed first, so that positions count what is done."""
    ordered = sorted(foreseen, key=lambda one: one.fate is not Fate.CHANGE)
    for position, one in enumerate(ordered):
        yield NewItem(position, one.number, one.named, _OUTCOMES[one.fate], one.reason)


def _found(work: Work, number: int) -> Bulk:
    return Bulk(_job(work, number), store.counts(work.connection, number))


def _job(work: Work, number: int) -> Job:
    job = jobs.find(work.connection, work.principal.account_id, KIND, number)
    if job is None or not _may_see(work, job):
        raise NotFound("bulk", number)
    return job


def _may_see(work: Work, job: Job) -> bool:
    confined = work.principal.confined_to_token
    return confined is None or job.caller["token_id"] == confined


def _subject(number: int) -> str:
    return f"vpn bulk {number}"
