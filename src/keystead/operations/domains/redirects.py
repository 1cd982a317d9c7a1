"""Operations on redirects, once for all wires: single ones of a zone, and bulk ones of an account at the provider.

Redirects are not kept here: they are read from the provider when somebody asks, and changed there. Only those that
were made here are changed; others are counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from keystead.kit.errors import Invalid
from keystead.operations.calls import Call
from keystead.operations.domains.hosts import Host, ZoneHosts
from keystead.operations.transaction import Transactions
from keystead.operations.vault.alone import Alone
from keystead.providers import redirect as redirects
from keystead.providers.cloudflare import CLOUDFLARE
from keystead.providers.cloudflare_rules import BulkItem, SeenRule, ref_of
from keystead.providers.errors import NotThere
from keystead.providers.redirect import BulkRedirect, Redirect
from keystead.vault import credentials
from keystead.vault.contentvalue import Noted, bulk_entry, look_entry, redirect_entry
from keystead.vault.intents import Change

# What the list of an account may hold on the plan with the fewest is ten thousand (developers.cloudflare.com, 2026-11).
BULK_MAX = 10_000


@dataclass(frozen=True)
class ZoneRedirects:
    """The redirects of a zone that are ours, in the order in which they are tried, and how many are not."""

    zone: str
    ours: Sequence[SeenRule]
    foreign: int


@dataclass(frozen=True)
class BulkPut:
    """How many entries were added, changed and right already, and how many there are in all."""

    added: int
    changed: int
    same: int
    total: int


class RedirectOperations:
    """What callers may do with redirects."""

    def __init__(self, transactions: Transactions, hosts: ZoneHosts, apart: Alone) -> None:
        self._transactions = transactions
        self._hosts = hosts
        self._apart = apart

    async def list_(self, call: Call, zone_id: int) -> ZoneRedirects:
        """Return the redirects of a zone."""
        host = await self._hosts.of_zone(call, zone_id)
        found = await host.client.redirect_rules(host.zone.remote_id)
        rules = () if found is None else found.rules
        ours = [rule for rule in rules if rule.is_ours]
        return ZoneRedirects(host.zone.name, ours, len(rules) - len(ours))

    async def set_(self, call: Call, zone_id: int, redirect: Redirect) -> tuple[SeenRule, bool]:
        """Make a redirect be as it is told, one for each source; return it, and whether it is new."""
        host = await self._hosts.of_zone(call, zone_id)
        wanted = redirects.checked(redirect)
        _check_in_zone(wanted, host.zone.name)
        facts = {"source": wanted.source, "target": wanted.target.partition("?")[0], "status": wanted.status}
        async with self._hosts.changing(call, Change.REDIRECT_SET, host.zone.name, **facts):
            is_new = await host.client.set_redirect(host.zone.remote_id, wanted)
            await self._hosts.note_redirects(call, host, Noted(there=[redirect_entry(wanted)]))
        await self._hosts.done(call, Change.REDIRECT_SET, host.zone.name, **facts, is_new=is_new)
        return SeenRule("", ref_of(wanted.source), wanted, None, is_enabled=True, expression=""), is_new

    async def remove(self, call: Call, zone_id: int, ref: str) -> None:
        """Delete a redirect that was made here; raise NotThere for any other."""
        host = await self._hosts.of_zone(call, zone_id)
        async with self._hosts.changing(call, Change.REDIRECT_REMOVE, host.zone.name, ref=ref):
            was_there = await host.client.delete_redirect(host.zone.remote_id, ref)
            await self._hosts.note_redirects(call, host, Noted(gone=[ref]))
        await self._hosts.done(call, Change.REDIRECT_REMOVE, host.zone.name, ref=ref, was_there=was_there)
        if not was_there:
            raise NotThere(f"{host.zone.name} has no redirect {ref} that was made here", status=404)

    async def bulk(self, call: Call, credential_id: int) -> list[BulkItem]:
        """Return the bulk redirects of a credential's account that were made here."""
        host = await self._hosts.of_credential(call, credential_id)
        return await host.client.bulk_redirects(host.credential.external_id)

    async def put_bulk(self, call: Call, credential_id: int, wanted: Sequence[BulkRedirect]) -> BulkPut:
        """Add bulk redirects and change those that have the same source, all in one operation.

        Raises Invalid for one that is wrong, and for two of a source that say different things: nobody knows which.
        """
        checked: dict[str, BulkRedirect] = {}
        for position, one in enumerate(_checked(wanted), 1):
            if checked.setdefault(one.source, one) != one:
                problem = f"{one.source} stands here twice, with something else each time"
                raise Invalid(f"redirect {position}: {problem}", fields={f"redirects.{position}.source": problem})
        host = await self._hosts.of_credential(call, credential_id)
        async with self._alone(call, host):
            return await self._merge(call, host, checked)

    async def remove_bulk(self, call: Call, credential_id: int, sources: Sequence[str]) -> int:
        """Delete bulk redirects by their sources; return how many there were."""
        named = {redirects.canonical_source(source) for source in sources}
        host = await self._hosts.of_credential(call, credential_id)
        account_id = host.credential.external_id
        async with self._alone(call, host):
            gone = [one for one in await host.client.bulk_redirects(account_id) if one.redirect.source in named]
            if gone:
                place, facts = credentials.subject(credential_id), {"count": len(gone)}
                async with self._hosts.changing_at(call, Change.BULK_REDIRECTS_REMOVE, place, **facts):
                    ids = [one.id for one in gone]
                    await host.client.delete_bulk_redirects(account_id, ids, self._transactions.clock)
                    noted = Noted(gone=[bulk_entry(one.redirect).id for one in gone])
                    await self._hosts.note_list(call, host, noted)
                await self._hosts.done_at(call, Change.BULK_REDIRECTS_REMOVE, place, **facts)
        return len(gone)

    def _alone(self, call: Call, host: Host) -> AbstractAsyncContextManager[None]:
        """Return what keeps two changes of an account's list apart: each is made of what is there before it."""
        return self._apart.at(call, f"{CLOUDFLARE.id} lists {host.credential.external_id}")

    async def _merge(self, call: Call, host: Host, checked: Mapping[str, BulkRedirect]) -> BulkPut:
        account_id = host.credential.external_id
        present = {item.redirect.source: item.redirect for item in await host.client.bulk_redirects(account_id)}
        merged = {**present, **checked}
        _check_count(len(merged))
        put = BulkPut(
            added=len(merged) - len(present),
            changed=sum(source in present and present[source] != one for source, one in checked.items()),
            same=sum(present.get(source) == one for source, one in checked.items()),
            total=len(merged),
        )
        place, facts = credentials.subject(host.credential.id), {"added": put.added, "changed": put.changed}
        async with self._hosts.changing_at(call, Change.BULK_REDIRECTS_PUT, place, **facts):
            await host.client.put_bulk_redirects(account_id, list(merged.values()), self._transactions.clock)
            noted = Noted(there=[bulk_entry(one) for one in checked.values()])
            await self._hosts.note_list(call, host, noted, made=[look_entry()])
        await self._hosts.done_at(call, Change.BULK_REDIRECTS_PUT, place, **facts, total=put.total)
        return put


def _check_in_zone(redirect: Redirect, zone: str) -> None:
    bare = redirect.host.removeprefix("*.")
    if bare != zone and not bare.endswith(f".{zone}"):
        problem = f"{redirect.host} is not in the zone {zone}"
        raise Invalid(f"host: {problem}", fields={"host": problem})


def _checked(wanted: Iterable[BulkRedirect]) -> Iterable[BulkRedirect]:
    """Return every entry in canonical form; raise Invalid that says which one is wrong, by its position from 1."""
    for position, one in enumerate(wanted, 1):
        try:
            yield redirects.checked_bulk(one)
        except Invalid as error:
            fields = {f"redirects.{position}.{field}": problem for field, problem in error.fields.items()}
            raise Invalid(f"redirect {position}: {error.message}", fields=fields) from None


def _check_count(count: int) -> None:
    if count > BULK_MAX:
        raise Invalid(f"an account has at most {BULK_MAX} bulk redirects", fields={"redirects": f"at most {BULK_MAX}"})
