"""The verbs of key pairs: rotate the one that links carry, turn back, retire the other, and who would miss it.

A rotation has two steps, for a link must connect when it is handed out. ``begin`` makes a second pair, which the engine
comes to serve at the same ports; ``follow`` turns links to it once it does. From then on the former pair is the second
one, until its time is over. What the engine is told changes with ``begin`` and ``retire`` alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit.errors import Conflict
from keystead.vpn.errors import NoValidTarget
from keystead.vpn.founding import KeyPair
from keystead.vpn.inbound import Inbound
from keystead.vpn.pairplan import Act, PairPlan, Wish
from keystead.vpn.placement import Placement
from keystead.vpn.secondpair import SecondPair, Stage
from keystead.vpn.store import inbounds as inbound_store
from keystead.vpn.store import secondpairs as pair_store
from keystead.vpn.store.secondpairs import Use

# What is marked: no label of a key, so that a comparison follows and nothing else.
_MARK = "pairs"


@dataclass(frozen=True)
class Pairs:
    """The pair that links carry, and the second one if there is one.

    ``ports`` inbounds have the first and ``keys`` keys; ``tags`` are the inbounds at which a client authenticates with
    the second, ``used`` how many keys were seen there. ``late`` inbounds have the first alone, since they were opened
    when links carried it already.
    """

    linked: str
    linked_since: datetime
    ports: int
    keys: int
    second: SecondPair | None
    tags: frozenset[str]
    used: int
    late: int = 0


@requires(Permission.VPN_PAIRS_READ)
def look(work: Work, scope: str) -> Pairs:
    """Return the pairs of a scope; raise NoValidTarget before there is one."""
    return _look(work, scope)


@requires(Permission.VPN_PAIRS_READ)
def uses(work: Work, scope: str) -> list[Use]:
    """Return the caller's keys that were seen at the second pair, by number."""
    second = pair_store.of_scope(work.connection, scope)
    if second is None:
        return []
    account, confined = work.principal.account_id, work.principal.confined_to_token
    return list(pair_store.uses(work.connection, second.id, account_id=account, issued_by=confined))


@requires(Permission.VPN_PAIRS_READ)
def plan(work: Work, scope: str, wish: Wish) -> PairPlan:
    """Return what a wish would mean; raise Conflict when it cannot be."""
    return _plan(_look(work, scope), scope, wish)


@requires(Permission.VPN_PAIRS_MANAGE)
def begin(work: Work, scope: str, wish: Wish, *, digest: str, pair: KeyPair) -> SecondPair:
    """Have the engine serve a new pair beside the one that links carry; raise Conflict when that is not the plan."""
    _require(work, scope, wish, digest)
    shared = _shared(work)
    alike = [one for one in inbound_store.of_scope(work.connection, scope) if _is_alike(one, shared)]
    made = SecondPair(
        id=0,
        scope=scope,
        sealed_private_key="",
        public_key=pair.public_key,
        is_front=True,
        stage=Stage.COMING,
        server_names=tuple(sorted({name for one in alike for name in one.server_names})),
        short_ids=tuple(sorted({short_id for one in alike for short_id in one.short_ids})),
        made_at=work.now,
        turned_at=work.now,
        kept_s=wish.keep_s,
        until=None,
    )
    try:
        made = replace(made, id=pair_store.add(work.connection, made))
    except IntegrityError as error:
        raise Conflict("another rotation has begun meanwhile; see: keystead vpn pair show") from error
    pair_store.set_private_key(work.connection, made.id, work.keys.seal(pair.private_key, made.place))
    pair_store.take_up(work.connection, made.id, scope=scope, public_key=shared.public_key, target=shared.target)
    facts = {"before": shared.public_key, "after": made.public_key, "keep_s": wish.keep_s, "digest": digest}
    work.audit("vpn.pair.rotate", _subject(scope), **facts)
    work.mark(scope, _MARK)
    return made


@requires(Permission.VPN_PAIRS_MANAGE)
def follow(work: Work, pair_id: int) -> SecondPair | None:
    """Turn links to a pair that is served by now; None when somebody gave it up meanwhile."""
    second = pair_store.find(work.connection, pair_id)
    if second is None or second.stage is not Stage.COMING:
        return None
    return _turn(work, second, kept_s=second.kept_s, verb="vpn.pair.follow")


@requires(Permission.VPN_PAIRS_MANAGE)
def give_up(work: Work, pair_id: int, *, reason: str) -> None:
    """Take back a pair that the engine does not come to serve; links have never carried it."""
    second = pair_store.find(work.connection, pair_id)
    if second is not None and second.stage is Stage.COMING:
        _drop(work, second, "vpn.pair.rotate.undo", reason=reason)


@requires(Permission.VPN_PAIRS_MANAGE)
def complete(work: Work, scope: str, wish: Wish, *, digest: str) -> int:
    """Have ports with the linked pair alone serve both, so that links can turn at them too; return how many.

    They were opened since the younger pair came. The engine has to serve them before ``revert``. Raises Conflict when
    that is not the plan.
    """
    _require(work, scope, wish, digest)
    second = pair_store.of_scope(work.connection, scope)
    assert second is not None  # noqa: S101 - the plan that was compared has one
    late = _late(inbound_store.of_scope(work.connection, scope), _shared(work))
    if not late:
        return 0
    names = {*second.server_names, *(name for one in late for name in one.server_names)}
    short_ids = {*second.short_ids, *(short_id for one in late for short_id in one.short_ids)}
    wider = replace(second, server_names=tuple(sorted(names)), short_ids=tuple(sorted(short_ids)))
    pair_store.widen(work.connection, wider)
    for one in late:
        pair_store.take_up_at(work.connection, second.id, one.id)
    work.audit("vpn.pair.complete", _subject(scope), public_key=second.public_key, ports=len(late), digest=digest)
    work.mark(scope, _MARK)
    return len(late)


@requires(Permission.VPN_PAIRS_MANAGE)
def revert(work: Work, scope: str, wish: Wish, *, digest: str) -> SecondPair | None:
    """Turn links back to the pair before; raise Conflict when that is not the plan, or not all ports serve both."""
    _require(work, scope, wish, digest)
    second = pair_store.of_scope(work.connection, scope)
    assert second is not None  # noqa: S101 - the plan that was compared has one
    if _late(inbound_store.of_scope(work.connection, scope), _shared(work)):
        raise Conflict("a port was opened meanwhile with the pair that links carry; look at the plan again")
    return _turn(work, second, kept_s=wish.keep_s, verb="vpn.pair.revert")


@requires(Permission.VPN_PAIRS_MANAGE)
def retire(work: Work, scope: str, wish: Wish, *, digest: str) -> None:
    """Serve the second pair no more, and delete it; raise Conflict when that is not the plan."""
    _require(work, scope, wish, digest)
    second = pair_store.of_scope(work.connection, scope)
    assert second is not None  # noqa: S101 - the plan that was compared has one
    _drop(work, second, "vpn.pair.retire", used=pair_store.count_uses(work.connection, second.id, second.turned_at))


@requires(Permission.VPN_PAIRS_MANAGE)
def retire_over(work: Work) -> list[str]:
    """Retire the pairs whose time is over, and return their scopes; the system's own."""
    found = pair_store.over(work.connection, work.now)
    for second in found:
        used = pair_store.count_uses(work.connection, second.id, second.turned_at)
        _drop(work, second, "vpn.pair.retire", used=used)
    return [second.scope for second in found]


@requires(Permission.VPN_PAIRS_MANAGE)
def note_uses(work: Work, pair_id: int, *, is_front: bool, seen: Mapping[int, datetime]) -> int:
    """Record when keys were seen at a second pair, unless it is another one by now; metering, and not audited."""
    second = pair_store.find(work.connection, pair_id)
    if second is None or second.is_front is not is_front:
        return 0
    return pair_store.note_uses(work.connection, second, seen)


def _look(work: Work, scope: str) -> Pairs:
    shared = _shared(work)
    second = pair_store.of_scope(work.connection, scope)
    inbounds = inbound_store.of_scope(work.connection, scope)
    tags: frozenset[str] = frozenset()
    if second is not None:
        fronts = {one.tag for one in inbounds if one.second_pair_id == second.id}
        tags = frozenset(fronts if second.is_front else {second.tag})
    return Pairs(
        shared.public_key,
        shared.pair_made_at or work.now,
        sum(_is_alike(one, shared) for one in inbounds),
        pair_store.count_keys(work.connection, scope, shared.public_key),
        second,
        tags,
        0 if second is None else pair_store.count_uses(work.connection, second.id, second.turned_at),
        0 if second is None or second.is_foreign else len(_late(inbounds, shared)),
    )


def _plan(found: Pairs, scope: str, wish: Wish) -> PairPlan:
    second = found.second
    if wish.act is Act.ROTATE and second is not None:
        raise Conflict("two pairs are served already; retire one first, or turn back: keystead vpn pair show")
    if wish.act is not Act.ROTATE and second is None:
        raise Conflict(f"there is no second pair to {wish.act.value}; see: keystead vpn pair show")
    if wish.act is not Act.ROTATE and second is not None and second.stage is Stage.COMING:
        raise Conflict("a rotation is under way; look again when it is done: keystead vpn pair show")
    if wish.act is Act.REVERT and second is not None and second.is_foreign:
        raise Conflict(
            f"the second pair was taken over from {second.origin}: no link from here has carried it, so there is "
            "nothing to turn back to; it is served until it is retired: keystead vpn pair retire"
        )
    return PairPlan(
        scope,
        wish,
        linked=found.linked,
        linked_since=found.linked_since,
        other=None if second is None else second.public_key,
        until=None if second is None else second.until,
        ports=found.ports,
        keys=found.keys,
        used=found.used,
        late=found.late,
        origin=None if second is None else second.origin,
    )


def _require(work: Work, scope: str, wish: Wish, digest: str) -> None:
    if _plan(_look(work, scope), scope, wish).digest != digest:
        raise Conflict(f"the plan for the pairs of {scope} has changed since it was reviewed; look at it again")


def _shared(work: Work) -> Inbound:
    shared = inbound_store.for_placement(work.connection, Placement.SHARED)
    if shared is None:
        raise NoValidTarget("no REALITY target has passed its examination yet; see keystead doctor")
    return shared


def _late(inbounds: Iterable[Inbound], shared: Inbound) -> list[Inbound]:
    return [one for one in inbounds if _is_alike(one, shared) and one.second_pair_id is None]


def _is_alike(inbound: Inbound, shared: Inbound) -> bool:
    return (inbound.scope, inbound.public_key, inbound.target) == (shared.scope, shared.public_key, shared.target)


def _turn(work: Work, second: SecondPair, *, kept_s: int, verb: str) -> SecondPair:
    """Have links carry the second pair, so that the one they carried is the second from now on."""
    connection, keys = work.connection, work.keys
    inbounds = inbound_store.of_second_pair(connection, second.id)
    before, theirs = inbounds[0], keys.open(second.sealed_private_key, second.place)
    ours = keys.open(before.sealed_private_key, before.place)
    inbound_store.set_pair(
        connection,
        [
            replace(
                one,
                sealed_private_key=keys.seal(theirs, one.place),
                public_key=second.public_key,
                pair_made_at=second.made_at,
            )
            for one in inbounds
        ],
    )
    turned = replace(
        second,
        sealed_private_key=keys.seal(ours, second.place),
        public_key=before.public_key,
        is_front=not second.is_front,
        stage=Stage.GOING,
        made_at=before.pair_made_at or second.made_at,
        turned_at=work.now,
        kept_s=kept_s,
        until=work.now + timedelta(seconds=kept_s),
    )
    pair_store.change(connection, turned)
    pair_store.forget_uses(connection, second.id)
    facts = {"before": turned.public_key, "after": second.public_key, "ports": len(inbounds), "kept_s": kept_s}
    work.audit(verb, _subject(second.scope), **facts)
    return turned


def _drop(work: Work, second: SecondPair, verb: str, **facts: object) -> None:
    pair_store.drop(work.connection, second.id)
    work.audit(verb, _subject(second.scope), public_key=second.public_key, **facts)
    work.mark(second.scope, _MARK)


def _subject(scope: str) -> str:
    return f"key pair of {scope}"
