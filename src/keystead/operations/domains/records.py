"""Operations on DNS records, once for all wires: list, change one or many, write out and read in a zone file.

Records are not kept here: they are read from the provider when somebody asks, and changed there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from keystead.kit.errors import KeysteadError
from keystead.operations.calls import Call
from keystead.operations.domains.hosts import HostedZone, ZoneHosts
from keystead.providers.cloudflare_answers import Json
from keystead.providers.cloudflare_records import BATCH_MAX, Imported, RecordChanges
from keystead.providers.errors import NotThere, ProviderRejected, ProviderUnavailable, SecretRefused
from keystead.vault.contentvalue import Noted, record_entry
from keystead.vault.intents import Change


class Action(StrEnum):
    """What is done to a record."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True)
class RecordChange:
    """One change: the record it is about, except for a create, and what it says."""

    action: Action
    record_id: str = ""
    record: Json = field(default_factory=dict)


@dataclass(frozen=True)
class RecordOutcome:
    """How one change went: the record as it is now, or was when it was deleted, or why it was not made."""

    change: RecordChange
    record: Json | None = None
    error: KeysteadError | None = None


# The order of Cloudflare's batches, kept to when changes are made one by one.
_ORDER = (Action.DELETE, Action.UPDATE, Action.CREATE)


class RecordOperations:
    """What callers may do with the records of a zone."""

    def __init__(self, hosts: ZoneHosts) -> None:
        self._hosts = hosts

    async def list_(self, call: Call, zone_id: int) -> list[Json]:
        """Return all records of a zone, as its provider has them."""
        host = await self._hosts.of_zone(call, zone_id)
        return await host.client.records(host.zone.remote_id)

    async def change(self, call: Call, zone_id: int, wanted: RecordChange) -> Json:
        """Make one change and return the record; raise AlreadyThere and NotThere."""
        host = await self._hosts.of_zone(call, zone_id)
        async with self._hosts.changing(call, Change.RECORDS_CHANGE, host.zone.name, **told_of([wanted])):
            record = await _made(host, wanted)
            await self._hosts.note_records(call, host, _noted([RecordOutcome(wanted, record)]))
        await self._hosts.done(
            call, Change.RECORDS_CHANGE, host.zone.name, **told_of([wanted]), record=record.get("id")
        )
        return record

    async def change_many(self, call: Call, zone_id: int, wanted: Sequence[RecordChange]) -> list[RecordOutcome]:
        """Make changes, deletes first and creates last, and say of each how it went.

        They are asked for as one batch, which is made as a whole; where it is refused, each is asked for by itself, so
        that those that can be made are made.
        """
        host = await self._hosts.of_zone(call, zone_id)
        async with self._hosts.changing(call, Change.RECORDS_CHANGE, host.zone.name, **told_of(wanted)):
            try:
                outcomes = await _together(host, wanted)
            except SecretRefused:
                raise
            except ProviderRejected:
                outcomes = await _one_by_one(host, wanted)
            await self._hosts.note_records(call, host, _noted(outcomes))
        failed = sum(one.error is not None for one in outcomes)
        await self._hosts.done(call, Change.RECORDS_CHANGE, host.zone.name, **told_of(wanted), failed=failed)
        return outcomes

    async def export(self, call: Call, zone_id: int) -> str:
        """Return a zone's records as a zone file."""
        host = await self._hosts.of_zone(call, zone_id)
        return await host.client.export_records(host.zone.remote_id)

    async def import_(self, call: Call, zone_id: int, zone_file: str, *, proxied: bool) -> Imported:
        """Add the records of a zone file."""
        host = await self._hosts.of_zone(call, zone_id)
        async with self._hosts.changing(call, Change.RECORDS_IMPORT, host.zone.name, characters=len(zone_file)):
            told = await self._imported(call, host, zone_file, proxied=proxied)
        await self._hosts.done(call, Change.RECORDS_IMPORT, host.zone.name, added=told.added, parsed=told.parsed)
        return told

    async def _imported(self, call: Call, host: HostedZone, zone_file: str, *, proxied: bool) -> Imported:
        """Read a zone file in; which records that added is seen by who was not there before."""
        zone_id, client = host.zone.remote_id, host.client
        before = {str(one.get("id")) for one in await client.records(zone_id)}
        told = await client.import_records(zone_id, zone_file, proxied=proxied)
        added = [record_entry(one) for one in await client.records(zone_id) if str(one.get("id")) not in before]
        await self._hosts.note_records(call, host, Noted(there=added))
        return told


def told_of(wanted: Sequence[RecordChange]) -> dict[str, object]:
    """Return what goes on record of changes: no contents, which may be tokens for whoever verifies a domain."""
    return {
        "changes": [
            {"action": one.action.value}
            | ({"id": one.record_id} if one.record_id else {})
            | {name: one.record[name] for name in ("type", "name") if name in one.record}
            for one in wanted
        ]
    }


async def _made(host: HostedZone, wanted: RecordChange) -> Json:
    zone_id, client = host.zone.remote_id, host.client
    match wanted.action:
        case Action.CREATE:
            return await client.create_record(zone_id, wanted.record)
        case Action.UPDATE:
            return await client.change_record(zone_id, wanted.record_id, wanted.record)
        case Action.DELETE:
            if not await client.delete_record(zone_id, wanted.record_id):
                raise NotThere(f"{host.zone.name} has no record {wanted.record_id}", status=404)
            return {"id": wanted.record_id}


async def _together(host: HostedZone, wanted: Sequence[RecordChange]) -> list[RecordOutcome]:
    """Make all changes as one batch; more than one holds are refused before anything is asked."""
    assert len(wanted) <= BATCH_MAX  # noqa: S101 - wires take fewer
    of = {action: [one for one in wanted if one.action is action] for action in Action}
    done = await host.client.change_records(
        host.zone.remote_id,
        RecordChanges(
            deletes=[one.record_id for one in of[Action.DELETE]],
            patches=[{**one.record, "id": one.record_id} for one in of[Action.UPDATE]],
            posts=[one.record for one in of[Action.CREATE]],
        ),
    )
    made = {Action.DELETE: iter(done.deletes), Action.UPDATE: iter(done.patches), Action.CREATE: iter(done.posts)}
    return [RecordOutcome(one, next(made[one.action], None)) for one in wanted]


async def _one_by_one(host: HostedZone, wanted: Sequence[RecordChange]) -> list[RecordOutcome]:
    """Make what can be made; once the provider does not answer, the rest is not asked for."""
    outcomes: dict[int, RecordOutcome] = {}
    stopped: ProviderUnavailable | None = None
    for number, one in sorted(enumerate(wanted), key=lambda pair: _ORDER.index(pair[1].action)):
        if stopped is not None:
            reason = ProviderUnavailable(stopped.message, retry_after_s=stopped.retry_after_s)
            outcomes[number] = RecordOutcome(one, error=reason)
            continue
        try:
            outcomes[number] = RecordOutcome(one, await _made(host, one))
        except ProviderRejected as refusal:
            outcomes[number] = RecordOutcome(one, error=refusal)
        except ProviderUnavailable as failure:
            outcomes[number], stopped = RecordOutcome(one, error=failure), failure
    return [outcomes[number] for number in range(len(wanted))]


def _noted(outcomes: Sequence[RecordOutcome]) -> Noted:
    """Return what is right in a zone after changes, of those that were made."""
    made = [one for one in outcomes if one.error is None]
    is_gone = Action.DELETE
    return Noted(
        gone=[one.change.record_id for one in made if one.change.action is is_gone],
        there=[record_entry(one.record) for one in made if one.change.action is not is_gone and one.record],
    )
