"""Import from another panel: what a plan is made against, and its application while Keystead is stopped.

Part of the composition root, called by the command line: it joins what ``importing`` plans with the verbs of
``vpn/takeover.py``. Plan and application are one transaction, so that what was approved is what is written.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlalchemy import Connection, create_engine

from keystead import founding
from keystead.access import accounts, datakeys
from keystead.access.principal import operator
from keystead.access.work import Work
from keystead.db import migrate
from keystead.db.session import Database, open_database
from keystead.importing import planning
from keystead.importing.found import Found, NotCarried, What, without_duplicates
from keystead.importing.planvalue import (
    Existing,
    ExistingInbound,
    ExistingKey,
    ExistingPair,
    ImportPlan,
    PlannedInbound,
    PlannedKey,
    Standing,
)
from keystead.kit.clock import SystemClock
from keystead.kit.errors import Conflict, Invalid, Misconfigured
from keystead.kit.files import exclusive_lock
from keystead.kit.ids import RandomIds
from keystead.operations.vpn import subscriptions
from keystead.settings import Settings
from keystead.vpn import takeover
from keystead.vpn.founding import SHARED_TAG
from keystead.vpn.takeover import Cause, Progress, Taken, TakenInbound, TakenKey, TakenPair, Wanted

# The digits of a digest that are printed; fewer do not name a plan.
DIGEST_LENGTH_MIN = 16
_NOTHING = Taken(0, 0, 0, 0, 0)

T = TypeVar("T")


@dataclass(frozen=True)
class Answers:
    """What a person decided: inbounds for those who have several, the most wanted first, and a name for the source."""

    prefer: tuple[str, ...] = ()
    origin: str | None = None


def plan(settings: Settings, found: Found, answers: Answers) -> ImportPlan:
    """Return what becomes of every customer; the service may run meanwhile. Where no instance is, nothing collides."""
    if not founding.has_schema(settings):
        return _planned(found, Existing(), answers)
    existing = _in_database(settings, lambda work: _existing(settings, work))
    return _planned(found, existing, answers)


def apply(
    settings: Settings, scope: str, found: Found, answers: Answers, *, digest: str, progress: Progress
) -> tuple[ImportPlan, Taken]:
    """Take over what a plan says, and return it with what was done; customers who are here are left alone.

    Raises Conflict when the plan has another digest by now, and Misconfigured while Keystead serves.
    """
    if not founding.has_schema(settings):
        raise Misconfigured(
            f"{settings.data_dir} holds no instance; name it with KEYSTEAD_DATA_DIR, or start Keystead once"
        )

    def unit(work: Work) -> tuple[ImportPlan, Taken]:
        made = _planned(found, _existing(settings, work), answers)
        _require_same(made, digest)
        return made, _applied(work, scope, made, progress) if not made.is_empty else _NOTHING

    with exclusive_lock(settings.data_dir / "keystead.lock", held_by="Keystead"):
        return _in_database(settings, unit)


def _require_same(made: ImportPlan, digest: str) -> None:
    if len(digest) < DIGEST_LENGTH_MIN:
        raise Invalid(f"a digest has {DIGEST_LENGTH_MIN} digits or more; the plan prints it")
    if not made.digest.startswith(digest):
        raise Conflict(
            f"the plan is {made.digest[:DIGEST_LENGTH_MIN]} by now, and {digest:.64} was approved: the source or the "
            "answers have changed; look at the plan again"
        )


def _in_database(settings: Settings, verb: Callable[[Work], T]) -> T:
    """Run a verb as the operator in a transaction of its own."""
    root, clock = founding.load_root(settings), SystemClock()

    def unit(connection: Connection) -> T:
        who = operator(accounts.ensure_default(connection, clock.now()))
        keys = datakeys.open_keys(connection, root, clock.now()).ring
        return verb(Work(connection, who, clock, RandomIds(), keys, "import"))

    database = _database(settings)
    try:
        return asyncio.run(database.write(unit))
    finally:
        database.close()


def _database(settings: Settings) -> Database:
    engine = create_engine(settings.sqlalchemy_url)
    try:
        if not migrate.engine_is_current(engine):
            raise Misconfigured("the database is of another version of Keystead; start this one once, then import")
    finally:
        engine.dispose()
    return open_database(settings.sqlalchemy_url)


def _existing(settings: Settings, work: Work) -> Existing:
    here = takeover.present(work)
    second = here.second
    inbounds = tuple(
        ExistingInbound(one.tag, one.listen, one.port, one.public_key, one.server_names, one.short_ids)
        for one in here.inbounds
    )
    return Existing(
        keys=tuple(ExistingKey(*key) for key in here.keys),
        inbounds=inbounds,
        ports={address.port: f"the API of Keystead ({settings.setting_of(address)})" for address in settings.layout},
        tokens=here.tokens,
        plans={plan.name: plan for plan in here.plans},
        main=next((one for one in inbounds if one.tag == SHARED_TAG), None),
        second=None if second is None else ExistingPair(second.public_key, second.server_names, second.short_ids),
        is_external=settings.xray_api is not None,
    )


def _planned(found: Found, existing: Existing, answers: Answers) -> ImportPlan:
    made = planning.plan(found, existing, now=SystemClock().now(), prefer=answers.prefer, origin=answers.origin)
    answered = f"{subscriptions.PREFIX}/"
    if made.subscription_path == answered:
        return made
    asked = made.subscription_path or "another address"
    told = NotCarried(
        What.SUBSCRIPTION,
        f"its subscription address is not carried: apps ask at {asked}, and Keystead answers at {answered}",
    )
    return replace(made, keys=tuple(_without_subscription(key, told) for key in made.keys))


def _without_subscription(key: PlannedKey, told: NotCarried) -> PlannedKey:
    if key.subscription_token is None:
        return key
    return replace(key, subscription_token=None, not_carried=without_duplicates([*key.not_carried, told]))


def _applied(work: Work, scope: str, made: ImportPlan, progress: Progress) -> Taken:
    inbounds = [_inbound(planned) for planned in made.inbounds if planned.standing is not Standing.BESIDE]
    pair = next((_pair(planned) for planned in made.inbounds if planned.standing is Standing.BESIDE), None)
    wanted = Wanted(inbounds, [_key(key) for key in made.keys], made.plans, pair)
    return takeover.take(
        work,
        scope,
        wanted,
        cause=Cause(made.source.value, made.origin, made.digest),
        progress=progress,
    )


def _inbound(planned: PlannedInbound) -> TakenInbound:
    found = planned.found
    return TakenInbound(
        tag=planned.tag,
        placement=found.placement,
        listen=found.listen,
        port=found.port,
        private_key=found.private_key,
        public_key=found.public_key,
        target=found.target,
        server_names=planned.server_names,
        short_ids=planned.short_ids,
        flow=planned.flow,
    )


def _pair(planned: PlannedInbound) -> TakenPair:
    found = planned.found
    return TakenPair(found.private_key, found.public_key, found.target, planned.server_names, planned.short_ids)


def _key(key: PlannedKey) -> TakenKey:
    return TakenKey(
        public_id=key.public_id,
        name=key.name,
        uuid=key.uuid,
        tag=key.inbound,
        flow=key.flow,
        short_id=key.short_id,
        server_name=key.server_name,
        is_enabled=key.is_enabled,
        created_at=key.created_at,
        lifetime=key.lifetime,
        used=key.used,
        held=key.held,
        subscription_token=key.subscription_token,
        number=key.number,
    )
