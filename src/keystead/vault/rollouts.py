"""The verbs of rollouts: plan a template for many zones, review it, start it, watch it, cancel it.

A rollout is planned by one job and carried out by another, zone by zone (``rolloutparts``). Its plan changes nothing
and has a digest; who starts it names the digest, and what runs is exactly that plan. A plan that deletes too much is
not started unless the zones it does so in, or the plan itself, are named.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.jobs import store as jobs
from keystead.jobs.store import NewJob
from keystead.kit.errors import Conflict, Invalid, NeedsConfirmation, NotFound
from keystead.kit.page import Page
from keystead.vault import templateplan, templates, templatevalue
from keystead.vault.errors import ZoneNotFound
from keystead.vault.rolloutvalue import (
    Outcome,
    Rollout,
    Selection,
    Stage,
    Totals,
    ZoneResult,
    checked_values,
    stage_of,
)
from keystead.vault.store import rollouts as store
from keystead.vault.store import zones as zone_store
from keystead.vault.store.rollouts import NewRollout, Shown
from keystead.vault.store.zones import Zone
from keystead.vault.templateplan import Limits, Loss
from keystead.vault.templatevalue import template_of

PLAN_KIND, APPLY_KIND = "vault.rollout.plan", "vault.rollout.apply"
# What is planned is gone after 30 days (``jobs``), and long before that it says little of what is there.
GOOD_FOR = timedelta(days=7)
_LAST = 2**31 - 1
_OPEN = frozenset({Outcome.WAITING.value, Outcome.PLANNED.value, Outcome.APPLYING.value})


@requires(Permission.VAULT_USE)
def plan(work: Work, *, template: str, selection: Selection, values: Mapping[str, Any], limits: Limits) -> Rollout:
    """Put in the job that plans a template for zones; nothing is changed by that.

    Raises NotFound, ZoneNotFound, and Invalid for an empty selection or a placeholder without a value.
    """
    selection.check()
    kept, given = templates.find(work, template), checked_values(values)
    templatevalue.expanded(template_of(template, kept.body), "example.com", given)
    account_id = work.principal.account_id
    chosen = _chosen(zone_store.list_(work.connection, account_id), selection)
    request = {"template": template}
    job = NewJob(account_id, PLAN_KIND, work.principal.as_data(), request, len(chosen))
    number = jobs.enqueue(work.connection, job, at=work.now)
    new = NewRollout(account_id, template, kept.body, given, number, work.now)
    rollout = store.add(work.connection, new, [(zone.id, zone.name) for zone in chosen])
    work.audit("vault.rollout.plan", subject(rollout), template=template, zones=len(chosen))
    return _told(work, _shown(work, rollout), limits)


@requires(Permission.VAULT_USE)
def start(work: Work, *, number: int, digest: str | None, forced: Sequence[str], limits: Limits) -> Rollout:
    """Put in the job that carries a plan out.

    ``forced`` names zones that may lose more than the limits say, or the plan by its digest, for all of them. Raises
    NeedsConfirmation without the digest or for a plan that deletes too much, and Conflict for a digest that is not the
    plan's, and for a plan that is not complete, was started, or is old.
    """
    shown = _shown(work, number)
    if stage_of(shown.planning, shown.applying) is not Stage.PLANNED or shown.digest is None:
        raise Conflict(f"rollout {number} cannot be started: it is not one that is planned and waits")
    if work.now - shown.created_at > GOOD_FOR:
        raise Conflict(f"the plan is older than {GOOD_FOR.days} days; plan it again")
    if digest is None:
        raise NeedsConfirmation("name the digest of the plan you reviewed")
    if digest != shown.digest:
        raise Conflict("this is not the digest of the plan; look at it again")
    named = frozenset(forced)
    losses = store.losses(work.connection, [number])[number]
    problems = [] if digest in named else templateplan.unsafe(losses, limits, named)
    if problems:
        raise NeedsConfirmation(
            f"{'; '.join(problems[:5])}; force the zones by their names, or all of the plan by its digest",
            problems=problems,
        )
    total = store.totals(work.connection, [number])[number].outcomes.get(Outcome.PLANNED.value, 0)
    if not total:
        raise Conflict(f"rollout {number} has nothing to do")
    new = NewJob(work.principal.account_id, APPLY_KIND, work.principal.as_data(), {"digest": digest}, total)
    job = jobs.enqueue(work.connection, new, at=work.now)
    if not store.start(work.connection, number, job):
        raise Conflict(f"rollout {number} was started at this moment")
    work.audit("vault.rollout.start", subject(number), digest=digest, zones=total, forced=sorted(named))
    return _told(work, _shown(work, number), limits)


@requires(Permission.VAULT_READ)
def find(work: Work, *, number: int, limits: Limits) -> Rollout:
    """Return how a rollout stands; raise NotFound."""
    return _told(work, _shown(work, number), limits)


@requires(Permission.VAULT_READ)
def list_(work: Work, *, page: Page, limits: Limits) -> list[Rollout]:
    """Return rollouts, the newest first; ``after`` of the page is the number before which it begins."""
    found = store.page(work.connection, work.principal.account_id, before=page.after or _LAST, limit=page.limit)
    return _all_told(work, found, limits)


@requires(Permission.VAULT_READ)
def results(work: Work, *, number: int, outcome: str | None, page: Page) -> list[ZoneResult]:
    """Return what a rollout does to which zone, by position; ``after`` of the page counts positions from 1."""
    _shown(work, number)
    return store.results(work.connection, number, outcome=outcome, after=page.after - 1, limit=page.limit)


@requires(Permission.VAULT_USE)
def cancel(work: Work, *, number: int, limits: Limits) -> Rollout:
    """End a rollout where it is: what is done stays done. Raises Conflict for one that has ended."""
    shown = _shown(work, number)
    job = shown.plan_job if shown.apply_job is None else shown.apply_job
    if not jobs.cancel(work.connection, job, work.now):
        raise Conflict(f"rollout {number} is not under way")
    work.audit("vault.rollout.cancel", subject(number))
    return _told(work, _shown(work, number), limits)


def subject(number: int) -> str:
    """Return how audit records name a rollout."""
    return f"rollout {number}"


def _shown(work: Work, number: int) -> Shown:
    found = store.find(work.connection, work.principal.account_id, number)
    if found is None:
        raise NotFound("rollout", number)
    return found


def _told(work: Work, shown: Shown, limits: Limits) -> Rollout:
    return _all_told(work, [shown], limits)[0]


def _all_told(work: Work, shown: Sequence[Shown], limits: Limits) -> list[Rollout]:
    """Return how rollouts stand; all are asked about at once."""
    totals = store.totals(work.connection, [one.number for one in shown])
    reviewed = [one.number for one in shown if _stage(one) is Stage.PLANNED and totals[one.number].deletes]
    losses = store.losses(work.connection, reviewed) if reviewed else {}
    return [_rollout(one, totals[one.number], losses.get(one.number, ()), limits) for one in shown]


def _rollout(shown: Shown, totals: Totals, losses: Sequence[Loss], limits: Limits) -> Rollout:
    stage, total = _stage(shown), sum(totals.outcomes.values())
    waiting = _OPEN if stage is not Stage.PLANNING else frozenset({Outcome.WAITING.value})
    left = sum(count for outcome, count in totals.outcomes.items() if outcome in waiting)
    done = total if stage is Stage.PLANNED else total - left
    return Rollout(
        shown.number,
        shown.template,
        stage,
        shown.message,
        shown.digest,
        done,
        total,
        totals,
        tuple(templateplan.unsafe(losses, limits, frozenset())),
        shown.created_at,
    )


def _stage(shown: Shown) -> Stage:
    return stage_of(shown.planning, shown.applying)


def _chosen(present: Sequence[Zone], selection: Selection) -> list[Zone]:
    """Return the zones that are meant, by name and each once; those that are gone at the provider are not there."""
    there = [zone for zone in present if zone.missing_since is None]
    if selection.every:
        return there
    named = Counter(zone.name for zone in there)
    by_text = {str(zone.id): zone for zone in there} | {zone.name: zone for zone in there}
    chosen: dict[int, Zone] = {}
    for text in selection.zones:
        zone = by_text.get(text.strip().lower().rstrip("."))
        if zone is None:
            raise ZoneNotFound(text)
        if named[zone.name] > 1 and text.strip() != str(zone.id):
            problem = f"there are several zones {zone.name}; name one by its number"
            raise Invalid(problem, fields={"zones": problem})
        chosen[zone.id] = zone
    return sorted(chosen.values(), key=lambda zone: (zone.name, zone.id))
