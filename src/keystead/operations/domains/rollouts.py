"""The jobs of rollouts: plan a template for many zones, and carry such a plan out, a few zones at a time.

A zone is read again right before it is changed. What is then to be done has to be part of what was reviewed: less of it
after a cut, and nothing else. What a provider refuses ends one zone; what waiting may cure puts the job off, which then
goes on with the zones it was about.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from keystead.access import principal
from keystead.jobs.store import Job
from keystead.kit.errors import KeysteadError, StorageFailed, Unavailable
from keystead.operations.calls import Call
from keystead.operations.domains.hosts import HostedZone, ZoneHosts
from keystead.operations.transaction import Transactions
from keystead.providers.cloudflare_records import RecordChanges
from keystead.providers.errors import ProviderRejected
from keystead.providers.redirect import Redirect
from keystead.vault import rolloutparts, templateplan, templatevalue
from keystead.vault.rolloutparts import Part
from keystead.vault.rolloutvalue import Outcome
from keystead.vault.store.rollouts import ToDo
from keystead.vault.templateplan import Kind, Step, Verb, ZonePlan

_CHANGED = "the zone is not as it was when this was planned; plan it again"


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

    async def carry_out(self, job: Job) -> None:
        """Change every zone that is planned."""
        call = _call(job)
        while (part := (await self._transactions.write(call, rolloutparts.to_apply, job=job)).value).zones:
            await _each(part, self._apply, call)

    async def _plan(self, call: Call, part: Part, zone: ToDo) -> None:
        write, at = self._transactions.write, {"number": part.number, "position": zone.position}
        try:
            _, plan = await self._planned(call, part, zone)
        except (Unavailable, StorageFailed):
            raise
        except KeysteadError as error:
            await write(call, rolloutparts.note_refusal, **at, reason=_told(error))
            return
        await write(call, rolloutparts.note_plan, **at, plan=plan)

    async def _apply(self, call: Call, part: Part, zone: ToDo) -> None:
        outcome, reason = Outcome.DONE, None
        try:
            host, plan = await self._planned(call, part, zone)
            if templateplan.is_within(plan.steps, zone.steps):
                await _carry_out(host, plan.steps, part.template.name)
            else:
                outcome, reason = Outcome.REFUSED, _CHANGED
        except (Unavailable, StorageFailed):
            raise
        except KeysteadError as error:
            outcome, reason = Outcome.FAILED, _told(error)
        ended = {"part": part, "zone": zone, "outcome": outcome, "reason": reason}
        await self._transactions.write(call, rolloutparts.note_end, **ended)  # type: ignore[arg-type]

    async def _planned(self, call: Call, part: Part, zone: ToDo) -> tuple[HostedZone, ZonePlan]:
        """Return what it takes for a zone to be as the template says, from what is there now."""
        wanted = templatevalue.expanded(part.template, zone.zone, part.given)
        host = await self._hosts.of_zone(call, zone.zone_id)
        records = [templateplan.present_record(one) for one in await host.client.records(host.zone.remote_id)]
        rules = await host.client.redirect_rules(host.zone.remote_id)
        return host, templateplan.planned(wanted, records, () if rules is None else rules.rules)


async def _each(part: Part, do: Callable[[Call, Part, ToDo], Awaitable[None]], call: Call) -> None:
    """Do something with every zone of a part at once; when all have ended, raise the first problem."""
    ended = await asyncio.gather(*(do(call, part, zone) for zone in part.zones), return_exceptions=True)
    for problem in ended:
        if problem is not None:
            raise problem


async def _carry_out(host: HostedZone, steps: Sequence[Step], template: str) -> None:
    """Change records in as few requests as may be, and redirects one by one."""
    zone_id, client = host.zone.remote_id, host.client
    of_records = [step for step in steps if step.kind is Kind.RECORD]
    if of_records:
        await client.change_records(
            zone_id,
            RecordChanges(
                deletes=[str(step.remote_id) for step in of_records if step.verb is Verb.DELETE],
                patches=[
                    {**(step.value or {}), "id": step.remote_id} for step in of_records if step.verb is Verb.CHANGE
                ],
                posts=[dict(step.value or {}) for step in of_records if step.verb is Verb.CREATE],
            ),
        )
    of_redirects = [step for step in steps if step.kind is Kind.REDIRECT]
    if of_redirects:
        gone = [str(step.remote_id) for step in of_redirects if step.verb is Verb.DELETE]
        wanted = [Redirect(**(step.value or {})) for step in of_redirects if step.verb is not Verb.DELETE]
        await client.change_redirects(zone_id, gone=gone, wanted=wanted, template=template)


def _call(job: Job) -> Call:
    return Call(principal.from_data(job.account_id, job.caller), f"rollout-{job.number}")


def _told(error: KeysteadError) -> str:
    is_theirs = isinstance(error, ProviderRejected) and error.text
    return f"{error.message}: {error.text}" if is_theirs else error.message  # type: ignore[attr-defined]
