"""The jobs of rollouts: plan a template for many zones, and carry such a plan out, a few zones at a time.

A zone is read again right before it is changed. What is then to be done has to be part of what was reviewed: less of it
after a cut, and nothing else. What a provider refuses ends one zone. What waiting may cure puts one zone off, so often
as a domain of a move and ever longer, while others go on; a provider's limit costs no attempt. The job itself is put
off when nothing is due, or the database is away.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from keystead.access import principal
from keystead.jobs.errors import NotYet
from keystead.jobs.store import Job
from keystead.kit.errors import KeysteadError, StorageBusy, StorageFailed, Unavailable
from keystead.kit.waiting import all_of
from keystead.operations.calls import Call
from keystead.operations.domains.hosts import HostedZone, ZoneHosts
from keystead.operations.domains.records import Action, RecordChange, told_of
from keystead.operations.transaction import Transactions
from keystead.providers.cloudflare_answers import Json
from keystead.providers.cloudflare_records import RecordChanges, RecordsChanged
from keystead.providers.errors import ProviderBusy, ProviderRejected
from keystead.providers.redirect import Redirect
from keystead.vault import contentvalue, rolloutparts, templateplan, templatevalue
from keystead.vault.contentvalue import Noted, record_entry, redirect_entry
from keystead.vault.intents import Change
from keystead.vault.movevalue import ATTEMPTS_MAX, delay_s
from keystead.vault.rolloutparts import Part
from keystead.vault.rolloutvalue import Outcome
from keystead.vault.store.rollouts import ToDo
from keystead.vault.templateplan import Kind, Step, Verb, ZonePlan
from keystead.vault.templatevalue import Template

_CHANGED = "the zone is not as it was when this was planned; plan it again"


@dataclass(frozen=True)
class _Now:
    """A zone as it is now: who has it, what a template says for it, its records, and what is to be done."""

    host: HostedZone
    wanted: Template
    records: Sequence[Json]
    plan: ZonePlan

    def steps(self, kind: Kind) -> list[Step]:
        """Return what is to be done to records, or to redirects."""
        return [step for step in self.plan.steps if step.kind is kind]


class RolloutJobs:
    """Carry rollouts on."""

    def __init__(self, transactions: Transactions, hosts: ZoneHosts) -> None:
        self._transactions = transactions
        self._hosts = hosts

    async def plan(self, job: Job) -> None:
        """Plan every zone that waits for it."""
        call = _call(job)
        while (part := (await self._transactions.write(call, rolloutparts.to_plan, job=job)).value).zones:
            await _each(part, self._plan, call)
        _require_all_over(part)

    async def carry_out(self, job: Job) -> None:
        """Change every zone that is planned."""
        call = _call(job)
        while (part := (await self._transactions.write(call, rolloutparts.to_apply, job=job)).value).zones:
            await _each(part, self._apply, call)
        _require_all_over(part)

    async def _plan(self, call: Call, part: Part, zone: ToDo) -> None:
        write, at = self._transactions.write, {"number": part.number, "position": zone.position}
        try:
            now = await self._planned(call, part, zone)
        except KeysteadError as error:
            if await self._is_put_off(call, part, zone, error):
                return
            await write(call, rolloutparts.note_refusal, **at, reason=_told(error))
            return
        await write(call, rolloutparts.note_plan, **at, plan=now.plan)

    async def _apply(self, call: Call, part: Part, zone: ToDo) -> None:
        outcome, reason = Outcome.DONE, None
        try:
            now = await self._planned(call, part, zone)
            if templateplan.is_within(now.plan.steps, zone.steps):
                await self._carry_out(call, now)
            else:
                outcome, reason = Outcome.REFUSED, _CHANGED
        except KeysteadError as error:
            if await self._is_put_off(call, part, zone, error):
                return
            outcome, reason = Outcome.FAILED, _told(error)
        ended = {"part": part, "zone": zone, "outcome": outcome, "reason": reason}
        await self._transactions.write(call, rolloutparts.note_end, **ended)  # type: ignore[arg-type]

    async def _is_put_off(self, call: Call, part: Part, zone: ToDo, error: KeysteadError) -> bool:
        """Put a zone off for what waiting may cure; return False for what ends it. Raises what concerns the job."""
        if isinstance(error, StorageBusy | StorageFailed):
            raise error
        if not isinstance(error, Unavailable):
            return False
        attempts = zone.attempts if isinstance(error, ProviderBusy) else zone.attempts + 1
        if attempts >= ATTEMPTS_MAX:
            return False
        wait_s, tried = max(error.retry_after_s, delay_s(attempts)), zone._replace(attempts=attempts)
        put_off = {"number": part.number, "zone": tried, "wait_s": wait_s, "reason": _told(error)}
        await self._transactions.write(call, rolloutparts.put_off, **put_off)  # type: ignore[arg-type]
        return True

    async def _carry_out(self, call: Call, now: _Now) -> None:
        """Change records in as few requests as may be, and redirects one by one; what is there then is right.

        Both are on record before they are asked for; what came of them is with the zone (``rolloutparts.note_end``).
        """
        name, records, redirects = now.host.zone.name, now.steps(Kind.RECORD), now.steps(Kind.REDIRECT)
        done, gone = RecordsChanged(), []
        if records:
            facts = told_of([_record_change(step) for step in records])
            async with self._hosts.changing(call, Change.RECORDS_CHANGE, name, **facts):
                done = await _change_records(now, records)
        await self._hosts.note_records(call, now.host, _noted(now, done))
        if redirects:
            changes = [{"action": step.verb.value, "source": step.subject} for step in redirects]
            async with self._hosts.changing(call, Change.REDIRECTS_CHANGE, name, changes=changes):
                gone = await _change_redirects(now, redirects)
        there = [redirect_entry(one) for one in now.wanted.redirects]
        await self._hosts.note_redirects(call, now.host, Noted(gone=gone, there=there))

    async def _planned(self, call: Call, part: Part, zone: ToDo) -> _Now:
        """Return what it takes for a zone to be as the template says, from what is there now."""
        wanted = templatevalue.expanded(part.template, zone.zone, part.given)
        host = await self._hosts.of_zone(call, zone.zone_id)
        found = await host.client.records(host.zone.remote_id)
        rules = await host.client.redirect_rules(host.zone.remote_id)
        records = [templateplan.present_record(one) for one in found]
        return _Now(host, wanted, found, templateplan.planned(wanted, records, () if rules is None else rules.rules))


def _require_all_over(part: Part) -> None:
    """Raise NotYet when zones are left that are put off."""
    if part.soonest is not None:
        raise NotYet(part.soonest.reason or "zones are tried again", due_at=part.soonest.due_at)


async def _each(part: Part, do: Callable[[Call, Part, ToDo], Awaitable[None]], call: Call) -> None:
    """Do something with every zone of a part at once."""
    await all_of(*(do(call, part, zone) for zone in part.zones))


def _record_change(step: Step) -> RecordChange:
    actions = {Verb.CREATE: Action.CREATE, Verb.CHANGE: Action.UPDATE, Verb.DELETE: Action.DELETE}
    return RecordChange(actions[step.verb], str(step.remote_id or ""), dict(step.value or {}))


async def _change_records(now: _Now, steps: Sequence[Step]) -> RecordsChanged:
    return await now.host.client.change_records(
        now.host.zone.remote_id,
        RecordChanges(
            deletes=[str(step.remote_id) for step in steps if step.verb is Verb.DELETE],
            patches=[{**(step.value or {}), "id": step.remote_id} for step in steps if step.verb is Verb.CHANGE],
            posts=[dict(step.value or {}) for step in steps if step.verb is Verb.CREATE],
        ),
    )


async def _change_redirects(now: _Now, steps: Sequence[Step]) -> list[str]:
    """Change redirects, and return the refs of those that were deleted."""
    gone = [str(step.remote_id) for step in steps if step.verb is Verb.DELETE]
    wanted = [Redirect(**(step.value or {})) for step in steps if step.verb is not Verb.DELETE]
    name = now.wanted.name
    await now.host.client.change_redirects(now.host.zone.remote_id, gone=gone, wanted=wanted, template=name)
    return gone


def _noted(now: _Now, done: RecordsChanged) -> Noted:
    """Return what is right in a zone to which a template was applied: what it says, also where nothing was changed."""
    all_about = contentvalue.says_all((one.type, one.name) for one in now.wanted.records)
    touched = {str(step.remote_id) for step in now.steps(Kind.RECORD)}
    left = [one for one in map(record_entry, now.records) if one.about in all_about and one.id not in touched]
    made = [record_entry(one) for one in (*done.patches, *done.posts)]
    gone = [str(step.remote_id) for step in now.steps(Kind.RECORD) if step.verb is Verb.DELETE]
    return Noted(gone, [*left, *made], all_about)


def _call(job: Job) -> Call:
    return Call(principal.from_data(job.account_id, job.caller), f"rollout-{job.number}")


def _told(error: KeysteadError) -> str:
    is_theirs = isinstance(error, ProviderRejected) and error.text
    return f"{error.message}: {error.text}" if is_theirs else error.message  # type: ignore[attr-defined]
