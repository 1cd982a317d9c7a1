"""The handler of domain moves: many domains at once, each a stage at a time, within the limits of all that are asked.

A domain waits in its row (``due_at``), a provider's limit holds up the *lane* of its credential: what is done with
other credentials, and in DNS, goes on. When nothing can be done for a while the job is given back until something can.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from keystead.access import principal
from keystead.jobs.errors import JobLost, NotYet
from keystead.jobs.store import Job
from keystead.kit.errors import (
    Conflict,
    Invalid,
    KeysteadError,
    Misconfigured,
    NotFound,
    StorageBusy,
    StorageFailed,
    Unavailable,
)
from keystead.kit.log import get_logger
from keystead.kit.waiting import ended
from keystead.operations.calls import Call
from keystead.operations.domains.moving.desk import Desk, Openings, Statuses
from keystead.operations.domains.moving.stages import Stages, failure
from keystead.operations.providers.cloudflare_errands import CloudflareErrands
from keystead.operations.transaction import Transactions
from keystead.providers.errors import ProviderBusy, ProviderRejected, SecretRefused
from keystead.vault import moves
from keystead.vault.movevalue import Item, Missed, Outcome, Refused, Stage

log = get_logger()

# A wait that is longer than this is waited for outside: the job is given back.
_PATIENCE_S = 5.0
_LOOK_S = 1.0
_SOON_S = 0.02
_FORBIDDEN = 403


class Lane(StrEnum):
    """Whom a stage asks."""

    ZONES = "zones"
    REGISTRAR = "registrar"
    DNS = "dns"


_LANES: Mapping[Stage, Lane] = {
    Stage.ZONE: Lane.ZONES,
    Stage.RECORDS: Lane.ZONES,
    Stage.NAME_SERVERS: Lane.REGISTRAR,
    Stage.BY_HAND: Lane.DNS,
    Stage.DELEGATION: Lane.DNS,
    Stage.ACTIVATION: Lane.ZONES,
    Stage.RESTORE: Lane.REGISTRAR,
    Stage.RESTORED: Lane.DNS,
    Stage.ZONE_REMOVAL: Lane.ZONES,
}
# How many domains are attempted in one lane at once.
_TOGETHER: Mapping[Lane, int] = {Lane.ZONES: 8, Lane.REGISTRAR: 4, Lane.DNS: 32}

_LaneOf = tuple[Lane, int | None]


@dataclass
class _Run:
    """One run over the domains of a job: those still to be done, those under way, and the lanes that are held up."""

    job: Job
    desk: Desk
    items: dict[int, Item]
    under_way: dict[int, asyncio.Task[Item]] = field(default_factory=dict)
    blocked: dict[_LaneOf, datetime] = field(default_factory=dict)
    message: str = "waiting"

    def ready(self, now: datetime) -> list[Item]:
        """Return domains that can be attempted now, as many as their lanes have room for."""
        room = dict.fromkeys(map(lane_of, self.items.values()), 0)
        for position in self.under_way:
            room[lane_of(self.items[position])] += 1
        found = []
        for position, item in self.items.items():
            lane = lane_of(item)
            is_due = position not in self.under_way and self.due_at(item) <= now
            if is_due and room[lane] < _TOGETHER[lane[0]]:
                room[lane] += 1
                found.append(item)
        return found

    def due_at(self, item: Item) -> datetime:
        """Return when a domain can be attempted, its lane counted in."""
        until = self.blocked.get(lane_of(item))
        return item.due_at if until is None else max(item.due_at, until)

    def block(self, lane: _LaneOf, until: datetime, why: str) -> None:
        """Hold up a lane."""
        self.blocked[lane] = until
        self.message = why


class MoveJob:
    """Carry moves out."""

    def __init__(
        self, transactions: Transactions, openings: Openings, stages: Stages, chores: CloudflareErrands
    ) -> None:
        self._transactions = transactions
        self._openings = openings
        self._stages = stages
        self._chores = chores
        self._statuses: Statuses = {}

    async def carry_out(self, job: Job) -> None:
        """Do the job of a move until every domain is done or has failed; raise NotYet when that takes its time."""
        call = Call(principal.from_data(job.account_id, job.caller), f"move-{job.number}")
        desk = Desk(call, self._openings, self._transactions.clock, self._statuses)
        has_worked = False
        while items := await self._transactions.read_many(call, moves.waiting, job):
            run = _Run(job, desk, {item.position: item for item in items})
            try:
                await self._work(run)
            finally:
                await ended(*run.under_way.values())
            has_worked = True
        if has_worked:
            await self._see_zones(call, job)

    async def _work(self, run: _Run) -> None:
        """Attempt domains until none of those that were read is left."""
        clock = self._transactions.clock
        while run.items:
            for item in run.ready(clock.now()):
                task = asyncio.create_task(self._attempted(run, item), name=f"move {item.domain}")
                run.under_way[item.position] = task
            if not run.under_way:
                await self._wait(run)
                continue
            await asyncio.wait(run.under_way.values(), timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            for position in [position for position, task in run.under_way.items() if task.done()]:
                item = run.under_way.pop(position).result()
                if item.is_over:
                    del run.items[position]
                else:
                    run.items[position] = item

    async def _wait(self, run: _Run) -> None:
        """Wait a little until something can be done; raise NotYet when that is not soon."""
        soonest = min(run.items.values(), key=run.due_at)
        wait_s = (run.due_at(soonest) - self._transactions.clock.now()).total_seconds()
        if wait_s > _PATIENCE_S:
            is_held_up = lane_of(soonest) in run.blocked and run.due_at(soonest) > soonest.due_at
            raise NotYet(run.message if is_held_up else _told(soonest), due_at=run.due_at(soonest))
        await self._transactions.clock.sleep(max(wait_s, _SOON_S))

    async def _attempted(self, run: _Run, item: Item) -> Item:
        """Attempt a domain's stage and write down what came of it; a provider's limit is no outcome."""
        try:
            outcome = await self._stages.attempt(run.desk, run.job, item)
        except ProviderBusy as busy:
            until = self._transactions.clock.now() + timedelta(seconds=busy.retry_after_s)
            run.block(lane_of(item), until, busy.message)
            return item
        except KeysteadError as error:
            outcome = outcome_of(error)
        committed = await self._transactions.write(run.desk.call, moves.write_down, run.job, item, outcome)
        return committed.value

    async def _see_zones(self, call: Call, job: Job) -> None:
        """Take over the zones as they are now, once for each credential; a sync does it where that fails."""
        used = await self._transactions.read_many(call, moves.credentials_of, job)
        for credential_id in used:
            self._statuses.pop(credential_id, None)
            try:
                await self._chores.read_zones(call, credential_id)
            except KeysteadError as error:
                log.warning("zones not read after a move", credential=credential_id, reason=error.message)


def lane_of(item: Item) -> _LaneOf:
    """Return the lane of the stage at which a domain is."""
    lane = _LANES[item.stage]
    credentials = {Lane.ZONES: item.zone_credential_id, Lane.REGISTRAR: item.registrar_credential_id, Lane.DNS: None}
    return lane, credentials[lane]


def outcome_of(error: KeysteadError) -> Outcome:
    """Return what an error means for an attempt; raise what concerns the whole job."""
    match error:
        case JobLost() | StorageBusy() | StorageFailed():
            raise error
        case SecretRefused() if error.status == _FORBIDDEN:
            # Cloudflare refuses now and then what it takes a moment later (octodns-cloudflare#121).
            return Missed(f"{error.message}: {error.text}")
        case ProviderRejected():
            return failure(error)
        case Unavailable():
            return Missed(error.message)
        case Conflict() | Invalid() | NotFound() | Misconfigured():
            return Refused(error.message)
        case _:
            raise error


def _told(item: Item) -> str:
    return f"{item.domain}: {item.problem}" if item.problem else f"{item.domain} waits at {item.stage.value}"
