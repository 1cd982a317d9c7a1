"""The stages of a domain move, each as one attempt: what is asked of providers and DNS, and what came of it.

Every attempt may be the second one, after a kill or an answer that was lost: it looks before it acts, and what it is
about to change is written down first, in the domain's row and as an intent on record. A zone that was asked for without
an answer is found by its name, and one name has one zone in an account, so that no second one is made.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial

from keystead.jobs.store import Job
from keystead.operations.domains.moving.desk import Desk
from keystead.operations.domains.records import Action, RecordChange, told_of
from keystead.operations.domains.registrars import pointing
from keystead.operations.transaction import Transactions
from keystead.operations.vault.changes import ChangeRecords
from keystead.outgoing.dns import Delegation, Lookup
from keystead.providers.cloudflare import Cloudflare
from keystead.providers.cloudflare_answers import Json, RemoteZone
from keystead.providers.cloudflare_records import RecordChanges
from keystead.providers.errors import AlreadyThere, ProviderBusy, ProviderRejected, ProviderUnavailable
from keystead.providers.registrar import NameServers
from keystead.vault import contents, moverecords, moves, zones
from keystead.vault.contentvalue import Noted, record_entry
from keystead.vault.intents import Change
from keystead.vault.movevalue import Direction, Item, Missed, Outcome, Passed, Previous, Refused, Stage, Waits

# How old a list of zones may be in which a zone is looked for before it is made. When one was asked for without an
# answer the list is read again.
_ZONES_AGE_MAX_S = 300.0
_ACTIVE = "active"
# Cloudflare takes a request to check a zone of the free plan once an hour (developers.cloudflare.com/api, "Zone
# Activation Check", read 2026-11).
_CHECKED_EVERY_S = 3600.0

Attempt = Callable[[Desk, Job, Item], Awaitable[Outcome]]


class Stages:
    """Attempt stages."""

    def __init__(self, transactions: Transactions, lookup: Lookup) -> None:
        self._transactions = transactions
        self._changes = ChangeRecords(transactions)
        self._lookup = lookup
        self._checked_s: dict[str, float] = {}
        self._attempts: Mapping[Stage, Attempt] = {
            Stage.ZONE: self._zone,
            Stage.RECORDS: self._records,
            Stage.NAME_SERVERS: self._name_servers,
            Stage.BY_HAND: self._by_hand,
            Stage.DELEGATION: partial(self._delegated, is_back=False),
            Stage.ACTIVATION: self._activation,
            Stage.RESTORE: self._restore,
            Stage.RESTORED: partial(self._delegated, is_back=True),
            Stage.ZONE_REMOVAL: self._zone_removal,
        }

    async def attempt(self, desk: Desk, job: Job, item: Item) -> Outcome:
        """Attempt the stage at which a domain is; raise what kept it from an outcome."""
        return await self._attempts[item.stage](desk, job, item)

    async def _zone(self, desk: Desk, job: Job, item: Item) -> Outcome:
        zones = await desk.zones(item.zone_credential_id, age_max_s=_ZONES_AGE_MAX_S)
        found = zones.get(item.domain)
        if found is not None:
            return _has_zone(found, is_made=item.is_making)
        access = await desk.cloudflare(item.zone_credential_id)
        await self._transactions.write(desk.call, moves.begin_making, job, item)
        intent = self._zone_intent(desk, item, Change.ZONE_CREATE, credential=item.zone_credential_id)
        try:
            async with intent:
                made = await access.client.create_zone(access.account_id, item.domain)
        except AlreadyThere:
            desk.forget_zones(item.zone_credential_id)
            zones = await desk.zones(item.zone_credential_id, age_max_s=_ZONES_AGE_MAX_S)
            if item.domain in zones:
                return _has_zone(zones[item.domain], is_made=item.is_making)
            return Refused("another account of Cloudflare has a zone of this name", is_making=False)
        except ProviderBusy:
            # Nothing was made: a zone that is there next time is somebody else's.
            await self._transactions.write(desk.call, moves.take_back_making, job, item)
            raise
        except ProviderUnavailable as error:
            desk.forget_zones(item.zone_credential_id)
            return Missed(error.message, is_making=error.may_have_landed or item.is_making)
        except ProviderRejected as error:
            return _rejected(error, is_making=item.is_making)
        desk.note_zone(item.zone_credential_id, made)
        return _has_zone(made, is_made=True)

    async def _records(self, desk: Desk, job: Job, item: Item) -> Outcome:
        wanted = moverecords.given(job.request["records"], item.domain) + await _copied(desk, item)
        if not wanted:
            return Passed()
        access = await desk.cloudflare(item.zone_credential_id)
        present = await access.client.records(str(item.zone_id))
        missing = [dict(record) for record in moverecords.missing(wanted, present)]
        added = await self._added(desk, item, access.client, missing) if missing else []
        ours = [one for one in present if not moverecords.missing([one], wanted)]
        noted = Noted(there=[record_entry(one) for one in (*ours, *added)])
        await self._transactions.write(desk.call, contents.note_records, str(item.zone_id), noted)
        return Passed(did={"added": len(added)})

    async def _name_servers(self, desk: Desk, job: Job, item: Item) -> Outcome:
        registrar = await desk.registrar(item.registrar_credential_id)
        current = await registrar.pointed(item.domain)
        if _same(current.names, item.name_servers):
            # Set by somebody before, or by an attempt whose answer was lost.
            ours = await self._transactions.read(desk.call, moves.previous_of, job, item)
            if ours is not None:
                await self._catch_up(desk, item, item.name_servers)
            return Passed({"previous": ours}, None if ours is None else _pointed(ours.names, item))
        previous = Previous(current.names, current.is_own_dns)
        kept = (await self._transactions.write(desk.call, moves.keep_previous, job, item, previous)).value
        async with self._pointing(desk, item, item.name_servers):
            await registrar.set_name_servers(item.domain, list(item.name_servers))
        return Passed({"previous": kept.previous}, _pointed(current.names, item))

    async def _by_hand(self, desk: Desk, job: Job, item: Item) -> Outcome:
        """Wait until a person has pointed the domain at its zone, or back; nobody here can."""
        is_back = job.request["direction"] == Direction.UNDO.value
        wanted = item.previous.names if is_back and item.previous is not None else item.name_servers
        told = await self._lookup.delegation(item.domain)
        if _same(told.name_servers, wanted):
            return Passed()
        if is_back and told.name_servers and not _same(told.name_servers, item.name_servers):
            return _meanwhile(told.name_servers)
        if not is_back and told.name_servers and item.previous is None:
            await self._transactions.write(desk.call, moves.keep_previous, job, item, Previous(told.name_servers))
        return Waits(f"set its name servers to {', '.join(wanted)} at its registrar; now they are {_written(told)}")

    async def _delegated(self, _: Desk, __: Job, item: Item, *, is_back: bool) -> Outcome:
        """Wait until the parent delegates the domain to where it was pointed, or back to where it was."""
        wanted = item.previous.names if is_back and item.previous is not None else item.name_servers
        told = await self._lookup.delegation(item.domain)
        if _same(told.name_servers, wanted):
            return Passed()
        return Waits(f"the parent delegates it to {_written(told)}")

    async def _activation(self, desk: Desk, _: Job, item: Item) -> Outcome:
        zones = await desk.zones_waited_for(item.zone_credential_id)
        zone = zones.get(item.domain)
        if zone is None or zone.id != item.zone_id:
            return Missed("its zone is not in Cloudflare's list")
        if zone.status == _ACTIVE:
            self._checked_s.pop(zone.id, None)
            return Passed()
        now_s = self._transactions.clock.monotonic_s()
        if now_s - self._checked_s.get(zone.id, -_CHECKED_EVERY_S) >= _CHECKED_EVERY_S:
            access = await desk.cloudflare(item.zone_credential_id)
            with suppress(ProviderRejected):  # asked too often; Cloudflare looks by itself as well
                await access.client.check_activation(zone.id)
            self._checked_s[zone.id] = now_s
        return Waits(f"the zone is {zone.status} at Cloudflare")

    async def _restore(self, desk: Desk, _: Job, item: Item) -> Outcome:
        """Set the previous name servers back, unless somebody has chosen others meanwhile."""
        previous = item.previous or Previous(())
        registrar = await desk.registrar(item.registrar_credential_id)
        current = await registrar.pointed(item.domain)
        done = Passed(did={"before": list(current.names), "name_servers": list(previous.names)})
        if _same(current.names, previous.names):
            await self._catch_up(desk, item, previous.names)
            return done
        if not _same(current.names, item.name_servers):
            return _meanwhile(current.names)
        async with self._pointing(desk, item, previous.names):
            await registrar.point_back(item.domain, NameServers(previous.names, previous.is_own_dns))
        return done

    async def _zone_removal(self, desk: Desk, _: Job, item: Item) -> Outcome:
        """Delete a zone that the move made, unless the domain is still delegated to it."""
        told = await self._lookup.delegation(item.domain)
        if _shared(told.name_servers, item.name_servers):
            return Refused("the domain is still delegated to its zone; the zone was kept")
        access = await desk.cloudflare(item.zone_credential_id)
        async with self._zone_intent(desk, item, Change.ZONE_REMOVE, remote_id=item.zone_id):
            await access.client.delete_zone(str(item.zone_id))
        return Passed(did={"zone": item.zone_id})

    async def _added(self, desk: Desk, item: Item, client: Cloudflare, records: Sequence[Json]) -> list[Json]:
        """Add records, all at once; where Cloudflare has one of them in other words, one by one. Return those made."""
        zone_id, creates = str(item.zone_id), [RecordChange(Action.CREATE, record=record) for record in records]
        async with self._zone_intent(desk, item, Change.RECORDS_CHANGE, **told_of(creates)):
            with suppress(AlreadyThere):
                return (await client.change_records(zone_id, RecordChanges(posts=records))).posts
            made = []
            for record in records:
                with suppress(AlreadyThere):
                    made.append(await client.create_record(zone_id, record))
            return made

    def _zone_intent(
        self, desk: Desk, item: Item, change: Change, **facts: object
    ) -> AbstractAsyncContextManager[None]:
        """Put on record that a domain's zone is about to be changed; what came of it ``moves.write_down`` does."""
        return self._changes.changing(desk.call, change, zones.subject(item.domain), **facts)

    def _pointing(self, desk: Desk, item: Item, servers: Sequence[str]) -> AbstractAsyncContextManager[None]:
        """Put on record that a domain is about to be pointed, and where to once it is."""
        return pointing(self._transactions, desk.call, _registrar_of(item), item.domain, servers)

    async def _catch_up(self, desk: Desk, item: Item, servers: Sequence[str]) -> None:
        """Have the table of domains know where an attempt that was cut off has pointed a domain."""
        verb = zones.catch_up_name_servers
        await self._transactions.write(desk.call, verb, _registrar_of(item), item.domain, servers)


def failure(error: ProviderRejected) -> Outcome:
    """Return what a refusal of a provider means for an attempt."""
    return _rejected(error, is_making=None)


async def _copied(desk: Desk, item: Item) -> list[Json]:
    if item.source is None:
        return []
    source = (await desk.zones(item.zone_credential_id, age_max_s=_ZONES_AGE_MAX_S)).get(item.source)
    if source is None:
        raise ProviderRejected(f"the source {item.source} is no zone any more")
    return moverecords.copied(await desk.records(item.zone_credential_id, source.id), item.source, item.domain)


def _registrar_of(item: Item) -> int:
    return int(item.registrar_credential_id or 0)


def _has_zone(zone: RemoteZone, *, is_made: bool) -> Outcome:
    if not zone.name_servers:
        return Missed("Cloudflare names no name servers for the zone")
    learnt = {
        "zone_id": zone.id,
        "name_servers": tuple(server.lower() for server in zone.name_servers),
        "is_made": is_made,
        "is_making": False,
    }
    return Passed(learnt, {"zone": zone.id} if is_made else None)


def _rejected(error: ProviderRejected, *, is_making: bool | None) -> Refused:
    return Refused(f"{error.message}: {error.text}" if error.text else error.message, is_making=is_making)


def _meanwhile(names: Sequence[str]) -> Refused:
    return Refused(f"somebody has pointed it at {', '.join(names)} meanwhile; nothing was changed")


def _pointed(before: tuple[str, ...], item: Item) -> dict[str, list[str]]:
    return {"before": list(before), "name_servers": list(item.name_servers)}


def _same(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return sorted(name.lower() for name in some) == sorted(name.lower() for name in others)


def _shared(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Tell whether a name is in both: a zone that is asked by one of its servers alone is still in use."""
    return not {name.lower() for name in some}.isdisjoint(name.lower() for name in others)


def _written(told: Delegation) -> str:
    return ", ".join(told.name_servers) or f"nobody: {told.problem}"
