"""The verbs of domain moves: start one from its plan, look at it, pause, go on, cancel, retry and undo it.

A move is a job with a row for each domain. What providers are asked stands elsewhere
(``operations/domains/moving/stages.py``); the verbs that write down what came of it are here too, each in a transaction
that first holds the job: one that was paused, cancelled or taken by somebody else is not written to any more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.jobs import store as jobs
from keystead.jobs.store import Job, NewJob
from keystead.jobs.store import State as JobState
from keystead.kit.errors import Conflict, NeedsConfirmation, NotFound
from keystead.kit.page import Page
from keystead.vault import movevalue
from keystead.vault.moveplan import Fate, MovePlan
from keystead.vault.moverecords import checked
from keystead.vault.movevalue import Direction, Item, Outcome, Passed, Previous, Stage, State
from keystead.vault.store import moves as store
from keystead.vault.store.moves import Count

KIND = "vault.move"
_LAST = 2**31 - 1
_STATES = {Fate.CHANGE: State.WAITING, Fate.SAME: State.SAME, Fate.REFUSED: State.REFUSED}
_ENDED = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


@dataclass(frozen=True)
class Move:
    """A move as it stands; ``counts`` are its domains by state and stage."""

    job: Job
    counts: tuple[Count, ...]

    @property
    def direction(self) -> Direction:
        """Tell whether domains are moved, or a move is undone."""
        return Direction(self.job.request["direction"])

    def by_state(self) -> Mapping[str, int]:
        """Return how many domains are in each state."""
        return {state.value: sum(one.domains for one in self.counts if one.state is state) for state in State}

    def by_stage(self) -> Mapping[str, int]:
        """Return at which stage the domains are that are still to be done."""
        return {one.stage.value: one.domains for one in self.counts if one.state is State.WAITING}


@requires(Permission.VAULT_USE)
def start(work: Work, plan: MovePlan, *, digest: str | None) -> Move:
    """Put in the job that carries out a plan; raise NeedsConfirmation without its digest, Conflict with another one."""
    if digest is None:
        raise NeedsConfirmation("name the digest of the plan you reviewed; dry_run shows it")
    if digest != plan.digest:
        raise Conflict("the plan has changed since it was reviewed; look at it again")
    request = {"direction": Direction.MOVE.value, "records": checked(plan.order.records), "digest": digest}
    number = _enqueue(work, request, plan.counts[Fate.CHANGE])
    store.add(work.connection, list(_items(work, number, plan)))
    facts = {fate.value: count for fate, count in plan.counts.items()}
    work.audit("vault.move.start", subject(number), digest=digest, zones=plan.zones_made, **facts)
    return _found(work, number)


@requires(Permission.VAULT_READ)
def find(work: Work, number: int) -> Move:
    """Return a move; raise NotFound."""
    return _found(work, number)


@requires(Permission.VAULT_READ)
def list_(work: Work, page: Page) -> list[Move]:
    """Return the moves of the account, the newest first; ``after`` is the number before which the page begins."""
    account_id = work.principal.account_id
    found = jobs.page(work.connection, account_id, KIND, before=page.after or _LAST, limit=page.limit)
    counts = store.counts(work.connection, [job.number for job in found])
    return [Move(job, tuple(counts[job.number])) for job in found]


@requires(Permission.VAULT_READ)
def results(work: Work, number: int, *, state: State | None, page: Page) -> list[Item]:
    """Return what became of which domain, by position; ``after`` of the page counts positions from 1."""
    _job(work, number)
    return store.page(work.connection, number, state=state, after=page.after - 1, limit=page.limit)


@requires(Permission.VAULT_USE)
def pause(work: Work, number: int) -> Move:
    """Have nothing more done for now; raise Conflict for a move that has ended."""
    job = _job(work, number)
    if job.state is not JobState.PAUSED:
        if not jobs.pause(work.connection, number):
            raise Conflict(f"move {number} has ended already")
        work.audit("vault.move.pause", subject(number), done=job.done, total=job.total)
    return _found(work, number)


@requires(Permission.VAULT_USE)
def go_on(work: Work, number: int) -> Move:
    """Go on with a move that was paused; raise Conflict for one that was not."""
    _job(work, number)
    if not jobs.go_on(work.connection, number, work.now):
        raise Conflict(f"move {number} is not paused")
    work.audit("vault.move.continue", subject(number))
    return _found(work, number)


@requires(Permission.VAULT_USE)
def cancel(work: Work, number: int) -> Move:
    """End a move where it is: what is done stays done. Raises Conflict for one that has ended."""
    _job(work, number)
    if not jobs.cancel(work.connection, number, work.now):
        raise Conflict(f"move {number} has ended already")
    move = _found(work, number)
    work.audit("vault.move.cancel", subject(number), done=move.job.done, total=move.job.total)
    return move


@requires(Permission.VAULT_USE)
def retry(work: Work, number: int) -> Move:
    """Try the domains that failed again, each from where it failed; a move that failed as a whole goes on.

    Raises Conflict when nothing failed, and for a move that was cancelled.
    """
    job = _job(work, number)
    if job.state is JobState.CANCELLED:
        raise Conflict(f"move {number} was cancelled; plan what is left anew")
    failed = store.failed(work.connection, number)
    if not failed and job.state is not JobState.FAILED:
        raise Conflict(f"no domain of move {number} has failed")
    for item in failed:
        store.set_(work.connection, movevalue.again(item, work.now))
    jobs.reopen(work.connection, number, work.now, less=len(failed))
    work.audit("vault.move.retry", subject(number), domains=len(failed))
    return _found(work, number)


@requires(Permission.VAULT_READ)
def plan_undo(work: Work, number: int, *, removes_zones: bool) -> list[Item]:
    """Return what undoing a move would begin with, domain by domain; raise Conflict while the move goes on."""
    return _undoing(work, number, removes_zones=removes_zones)


@requires(Permission.VAULT_USE)
def undo(work: Work, number: int, *, removes_zones: bool) -> Move:
    """Put in the job that sets the previous name servers back and, if asked, deletes the zones that the move made."""
    begun = _undoing(work, number, removes_zones=removes_zones)
    if not begun:
        raise Conflict(f"move {number} has changed nothing that could be undone")
    request = {"direction": Direction.UNDO.value, "of": number, "removes_zones": removes_zones, "records": []}
    undoing = _enqueue(work, request, len(begun))
    items = [replace(item, job=undoing, position=position) for position, item in enumerate(begun)]
    store.add(work.connection, items)
    work.audit("vault.move.undo", subject(undoing), of=number, domains=len(items), removes_zones=removes_zones)
    return _found(work, undoing)


@requires(Permission.VAULT_USE)
def waiting(work: Work, job: Job) -> list[Item]:
    """Return the domains of a job that are still to be done."""
    return store.waiting(work.connection, job.number)


@requires(Permission.VAULT_READ)
def credentials_of(work: Work, job: Job) -> list[int]:
    """Return the credentials whose zones a job has to do with."""
    found = {item.zone_credential_id for item in store.all_(work.connection, job.number) if item.zone_id is not None}
    return sorted(credential_id for credential_id in found if credential_id is not None)


@requires(Permission.VAULT_USE)
def begin_making(work: Work, job: Job, item: Item) -> None:
    """Write down that a zone is about to be asked for, before it is. Raises JobLost."""
    jobs.hold(work.connection, job)
    store.set_making(work.connection, item, is_making=True)


@requires(Permission.VAULT_USE)
def take_back_making(work: Work, job: Job, item: Item) -> None:
    """Write down that a zone was not asked for after all; what an earlier attempt left open stays. Raises JobLost."""
    jobs.hold(work.connection, job)
    store.set_making(work.connection, item, is_making=item.is_making)


@requires(Permission.VAULT_USE)
def keep_previous(work: Work, job: Job, item: Item, previous: Previous) -> Item:
    """Write down a domain's name servers before they are changed; what was written first stays. Raises JobLost."""
    jobs.hold(work.connection, job)
    return replace(item, previous=store.keep_previous(work.connection, item, previous))


@requires(Permission.VAULT_READ)
def previous_of(work: Work, job: Job, item: Item) -> Previous | None:
    """Return the name servers that were written down before this job changed them; None when it has not."""
    return store.kept_previous(work.connection, replace(item, job=job.number))


@requires(Permission.VAULT_USE)
def write_down(work: Work, job: Job, item: Item, outcome: Outcome) -> Item:
    """Write down what came of an attempt, with the progress; return the domain as it stands. Raises JobLost."""
    done = jobs.hold(work.connection, job)
    following = movevalue.follow(Direction(job.request["direction"]), item, outcome, work.now)
    store.set_(work.connection, following)
    if following.is_over:
        jobs.advance(work.connection, job, done + 1)
    if isinstance(outcome, Passed) and outcome.did is not None:
        work.audit(f"vault.move.{item.stage.value.replace('-', '_')}", f"domain {item.domain}", **outcome.did)
    return following


def subject(number: int) -> str:
    """Return how audit records name a move."""
    return f"domain move {number}"


def _enqueue(work: Work, request: Mapping[str, Any], total: int) -> int:
    job = NewJob(work.principal.account_id, KIND, work.principal.as_data(), request, total)
    return jobs.enqueue(work.connection, job, at=work.now)


def _items(work: Work, number: int, plan: MovePlan) -> Iterable[Item]:
    for position, one in enumerate(plan.foreseen):
        yield Item(
            job=number,
            position=position,
            domain=one.domain,
            state=_STATES[one.fate],
            stage=Stage.ZONE,
            attempts=0,
            due_at=work.now,
            since=work.now,
            zone_credential_id=one.zone_credential_id,
            registrar_credential_id=one.registrar_credential_id,
            source=one.source,
            name_servers=one.name_servers,
            problem=one.note if one.fate is Fate.REFUSED else None,
        )


def _undoing(work: Work, number: int, *, removes_zones: bool) -> list[Item]:
    job = _job(work, number)
    if job.request["direction"] != Direction.MOVE.value:
        raise Conflict(f"move {number} is itself the undoing of one; plan a new move")
    if job.state not in _ENDED:
        raise Conflict(f"move {number} goes on; cancel it first")
    begun = (
        movevalue.undone(item, work.now, removes_zone=removes_zones) for item in store.all_(work.connection, number)
    )
    return [item for item in begun if item is not None]


def _found(work: Work, number: int) -> Move:
    job = _job(work, number)
    return Move(job, tuple(store.counts(work.connection, [number])[number]))


def _job(work: Work, number: int) -> Job:
    job = jobs.find(work.connection, work.principal.account_id, KIND, number)
    if job is None:
        raise NotFound("domain move", number)
    return job
