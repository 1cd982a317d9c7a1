"""The verbs that carry a rollout on, a few zones at a time; called by its operations as whoever asked for it.

What was last said of a zone is committed before anything is asked of its provider, and what became of it after: a
process that is killed in between leaves a zone that is ``applying``, which the next one looks at anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.jobs import store as jobs
from keystead.jobs.store import Job
from keystead.kit.errors import NotFound
from keystead.vault import templateplan
from keystead.vault.rolloutvalue import Outcome
from keystead.vault.store import rollouts as store
from keystead.vault.store.rollouts import Soonest, ToDo
from keystead.vault.templateplan import Kind, Verb, ZonePlan
from keystead.vault.templatevalue import Template, template_of
from keystead.vault.zones import subject

# Zones that are asked about at the same time: enough that waiting for answers overlaps, few enough to stay polite.
TOGETHER = 4
_REASON_LENGTH_MAX = 255
_OVER = (Outcome.DONE, Outcome.FAILED, Outcome.REFUSED)


@dataclass(frozen=True)
class Part:
    """The next zones of a rollout, and what is wanted of them; none when all is done, or what is left is put off.

    ``soonest`` says until when, where any is put off.
    """

    number: int
    template: Template
    given: Mapping[str, str]
    zones: tuple[ToDo, ...]
    soonest: Soonest | None


@requires(Permission.VAULT_USE)
def to_plan(work: Work, *, job: Job) -> Part:
    """Return the next zones to be planned; when there is none, write down the digest of the plan."""
    jobs.hold(work.connection, job)
    part = _part(work, job, (Outcome.WAITING,))
    waiting = store.totals(work.connection, [part.number])[part.number].outcomes.get(Outcome.WAITING.value, 0)
    jobs.advance(work.connection, job, job.total - waiting)
    if not waiting:
        steps = store.planned_steps(work.connection, part.number)
        store.set_digest(work.connection, part.number, templateplan.digest(steps))
    return part


@requires(Permission.VAULT_USE)
def note_plan(work: Work, *, number: int, position: int, plan: ZonePlan) -> None:
    """Write down what is planned for a zone."""
    of_records = [step for step in plan.steps if step.kind is Kind.RECORD and step.verb is Verb.DELETE]
    counts = {
        "creates": plan.count(Verb.CREATE),
        "changes": plan.count(Verb.CHANGE),
        "deletes": plan.count(Verb.DELETE),
        "record_deletes": len(of_records),
    }
    store.set_plan(work.connection, number, position, plan, counts)


@requires(Permission.VAULT_USE)
def note_refusal(work: Work, *, number: int, position: int, reason: str) -> None:
    """Write down why nothing can be planned for a zone."""
    store.set_outcome(work.connection, number, position, Outcome.REFUSED, reason[:_REASON_LENGTH_MAX])


@requires(Permission.VAULT_USE)
def put_off(work: Work, *, number: int, zone: ToDo, wait_s: float, reason: str) -> None:
    """Write down that a zone is tried again later, and what it waits for; its attempts are those of ``zone``."""
    until, told = work.now + timedelta(seconds=wait_s), reason[:_REASON_LENGTH_MAX]
    store.put_off(work.connection, number, zone.position, attempts=zone.attempts, until=until, reason=told)


@requires(Permission.VAULT_USE)
def to_apply(work: Work, *, job: Job) -> Part:
    """Return the next zones to be changed, which are ``applying`` from now on."""
    jobs.hold(work.connection, job)
    part = _part(work, job, (Outcome.APPLYING, Outcome.PLANNED))
    outcomes = store.totals(work.connection, [part.number])[part.number].outcomes
    waiting = outcomes.get(Outcome.PLANNED.value, 0) + outcomes.get(Outcome.APPLYING.value, 0)
    jobs.advance(work.connection, job, job.total - waiting)
    for zone in part.zones:
        store.set_outcome(work.connection, part.number, zone.position, Outcome.APPLYING, None)
    return part


@requires(Permission.VAULT_USE)
def note_end(work: Work, *, part: Part, zone: ToDo, outcome: Outcome, reason: str | None) -> None:
    """Write down how changing a zone ended; once, whoever else was about it."""
    assert outcome in _OVER  # noqa: S101 - nothing else is an end
    told = None if reason is None else reason[:_REASON_LENGTH_MAX]
    if not store.end(work.connection, part.number, zone.position, outcome, told):
        return
    counts = {verb.value: sum(step.verb is verb for step in zone.steps) for verb in Verb}
    facts = {"rollout": part.number, "template": part.template.name, "outcome": outcome.value, "reason": told}
    work.audit("vault.rollout.zone", subject(zone.zone), **facts, **counts)


def _part(work: Work, job: Job, outcomes: tuple[Outcome, ...]) -> Part:
    found = store.of_job(work.connection, job.number)
    if found is None:
        raise NotFound("rollout of job", job.number)
    zones = store.next_(work.connection, found.number, outcomes, at=work.now, limit=TOGETHER)
    soonest = store.soonest(work.connection, found.number, outcomes)
    return Part(found.number, template_of(found.template, found.body), found.given, tuple(zones), soonest)
