"""The verbs that carry a bulk out, a part at a time: each part is one transaction, with the job's progress in it.

Keys are changed by the verbs of single keys, so that each has its audit record, event and mark, and its rules. A key
that cannot be changed any more is refused with the reason, and the others go on. Called by the operations of bulks as
whoever started the bulk.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.jobs import store as jobs
from keystead.jobs.store import Job
from keystead.kit.errors import Conflict, Invalid, NotFound, QuotaExceeded
from keystead.vpn import batches, keys, placing, subscriptions, terms
from keystead.vpn.batches import Batch
from keystead.vpn.bulkvalue import Action, Creation, Order, order_of
from keystead.vpn.keyvalue import KeyIdent
from keystead.vpn.lookup import IsApplied, IsGone
from keystead.vpn.placement import Placement
from keystead.vpn.plans import Wish, terms_of
from keystead.vpn.ports import PortPool
from keystead.vpn.store import bulks as store
from keystead.vpn.store import keys as key_store
from keystead.vpn.store import plans as plan_store
from keystead.vpn.store.bulks import NewItem
from keystead.vpn.terms import Live

# Keys of a part: enough that a commit is cheap a key, few enough that others wait for a fraction of a second.
_CREATED_TOGETHER = 500
_OPENED_TOGETHER = 50
_CHANGED_TOGETHER = 100
_REFUSALS = (NotFound, Invalid, Conflict, QuotaExceeded)
_NO_PORT = "no port was left; widen KEYSTEAD_VPN_PORTS"


@dataclass(frozen=True)
class Means:
    """What the verbs of single keys are given from outside."""

    pool: PortPool
    grace_s: int
    is_applied: IsApplied
    is_gone: IsGone
    live: Live
    target_problem: str | None = None


@dataclass(frozen=True)
class Part:
    """What one transaction did: whether the bulk is over, and the positions of keys it created, by label."""

    is_over: bool
    created: Mapping[str, int] = field(default_factory=dict)


@requires(Permission.VPN_KEYS_READ)
def go_on(work: Work, *, job: Job, means: Means) -> Part:
    """Do the next part of a bulk; raise JobLost when it was cancelled or somebody else has it."""
    done = jobs.hold(work.connection, job)
    if done >= job.total:
        return Part(is_over=True)
    order = order_of(job.request)
    if order.creation is not None:
        return _create(work, job, order.creation, means, done)
    end = min(done + _CHANGED_TOGETHER, job.total)
    store.hold_keys(work.connection, job.number, done, end)
    change = _change_of(work, order, means)
    outcomes = [
        _outcome(change, position, number) for position, number in store.numbers(work.connection, job.number, done, end)
    ]
    store.set_outcomes(work.connection, job.number, outcomes)
    jobs.advance(work.connection, job, end)
    return Part(end >= job.total)


@requires(Permission.VPN_KEYS_READ)
def take_up(work: Work, *, job: Job) -> Part:
    """Mark again what an earlier process created and did not see confirmed."""
    jobs.hold(work.connection, job)
    found = store.unconfirmed(work.connection, job.number)
    for scope in sorted({one.scope for one in found}):
        work.mark_all(scope, [one.label for one in found if one.scope == scope])
    return Part(is_over=False, created={one.label: one.position for one in found})


@requires(Permission.VPN_KEYS_ISSUE)
def take_back(work: Work, *, job: Job, refused: Mapping[int, str]) -> None:
    """Take back keys that their engine refused for good: positions, and what it said."""
    for position, reason in refused.items():
        [(_, number)] = store.numbers(work.connection, job.number, position, position + 1)
        key = key_store.find(work.connection, job.account_id, KeyIdent("", number, None))
        if key is not None:
            keys.undo_issue(work, key=key, reason=reason)
    outcomes = [(position, "refused", reason[:255]) for position, reason in refused.items()]
    store.set_outcomes(work.connection, job.number, outcomes)


def _create(work: Work, job: Job, creation: Creation, means: Means, done: int) -> Part:
    placement = creation.placement or Placement.SHARED
    together = _CREATED_TOGETHER if placement is Placement.SHARED else _OPENED_TOGETHER
    names = creation.named(done, done + together)
    plan = plan_store.read(job.request["plan"]) if job.request["plan"] is not None else None
    batch = Batch(names, placement, terms_of(plan, Wish(creation.plan), work.now))
    issued = batches.issue(work, batch=batch, pool=means.pool, target_problem=means.target_problem)
    if creation.has_subscriptions:
        subscriptions.open_many(work, numbers=[one.number for one in issued])
    made = [NewItem(done + index, one.number, None, "done", None) for index, one in enumerate(issued)]
    lacking = range(done + len(issued), done + len(names))
    store.add(work.connection, job.number, [*made, *(NewItem(at, None, None, "refused", _NO_PORT) for at in lacking)])
    end = done + len(names)
    jobs.advance(work.connection, job, end)
    return Part(end >= job.total, {one.label: done + index for index, one in enumerate(issued)})


def _change_of(work: Work, order: Order, means: Means) -> Callable[[KeyIdent], object]:
    """Return what is done to each key."""
    is_applied, live = means.is_applied, means.live
    match order.action:
        case Action.EXTEND:
            days = order.days or 0
            return lambda key: terms.extend(work, ident=key, days=days, request=None, is_applied=is_applied, live=live)
        case Action.TOP_UP:
            more = order.size_bytes or 0
            return lambda key: terms.top_up(work, ident=key, more=more, request=None, is_applied=is_applied, live=live)
        case Action.DISABLE:
            return lambda key: keys.disable(work, ident=key, is_applied=is_applied)
        case Action.ENABLE:
            return lambda key: keys.enable(work, ident=key, is_applied=is_applied)
        case Action.DELETE:
            return lambda key: keys.revoke(work, ident=key, is_applied=is_applied, is_gone=means.is_gone)
        case Action.MOVE | Action.CREATE:
            placement = order.placement or Placement.SHARED
            there = {"placement": placement, "pool": means.pool, "grace_s": means.grace_s}
            return lambda key: placing.move(work, ident=key, is_applied=is_applied, **there)  # type: ignore[arg-type]


def _outcome(change: Callable[[KeyIdent], object], position: int, number: int) -> tuple[int, str, str | None]:
    try:
        change(KeyIdent(str(number), number, None))
    except _REFUSALS as error:
        return position, "refused", error.message[:255]
    return position, "done", None
