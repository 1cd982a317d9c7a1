"""What zones hold, looked into now and then: changes made elsewhere are found, and those made here are right."""

from datetime import timedelta
from typing import Any

import pytest

from keystead.access import audit
from keystead.access.permissions import Permission
from keystead.access.principal import Principal, operator
from keystead.dialects.v1 import domain_shapes
from keystead.kit.errors import Conflict, Forbidden, KeysteadError, StorageFailed
from keystead.kit.page import Page
from keystead.kit.secret import Secret
from keystead.operations.calls import Call
from keystead.operations.domains.records import Action, RecordChange
from keystead.operations.domains.watch.contents import TOGETHER_MAX
from keystead.operations.providers.cloudflare import Application
from keystead.providers.cloudflare_permissions import Profile
from keystead.providers.redirect import Redirect
from keystead.vault import contents, domains, findings, zones
from keystead.vault.domains import Entry
from keystead.vault.errors import ZoneNotFound
from keystead.vault.store.domaintable import Narrowed, Row, Window
from keystead.vault.store.findings import Finding
from tests.support import people
from tests.support.standins.cloudflare import MINE, Cloudflare
from tests.support.standins.cloudflare_state import GROUPS
from tests.support.standins.server import Fate
from tests.support.vaulted import EVERY, Vaulted
from tests.support.work import Workplace
from tests.unit.operations.domains.test_domain_watch import listening, told, watched

A = {"type": "A", "name": "www", "content": "192.0.2.1", "ttl": 1, "proxied": False}


@pytest.fixture
async def vaulted(workplace: Workplace) -> Vaulted:
    """Return a vault with a Cloudflare account that has one zone with a record, looked into once."""
    made = Vaulted(workplace, Cloudflare())
    made.remote.add_zones(1)
    made.remote.add_records(remote_id(made), 2)
    await made.connect(made.remote.bootstrap().value)
    await made.content_watch.round()
    return made


def remote_id(vaulted: Vaulted) -> str:
    return str(next(iter(vaulted.remote.zones)))


def records(vaulted: Vaulted) -> dict[str, dict[str, Any]]:
    return vaulted.remote.records[remote_id(vaulted)]


async def zone_id(vaulted: Vaulted) -> int:
    [zone] = await vaulted.workplace.do(zones.list_)
    return zone.id


async def later(vaulted: Vaulted) -> list[Finding]:
    """Return what is found at the next look."""
    vaulted.workplace.clock.advance(EVERY.total_seconds() + 1)
    await vaulted.content_watch.round()
    return await compared(vaulted)


async def compared(vaulted: Vaulted) -> list[Finding]:
    await vaulted.workplace.do(findings.compare)
    found = await vaulted.workplace.do(findings.list_, Page())
    return [one for one in found if one.kind in {"records", "redirects", "credential-permission-missing"}]


async def row(vaulted: Vaulted, text: str | None = None) -> Row | None:
    rows = await vaulted.workplace.do(domains.list_, Narrowed(text=text), Window())
    return rows[0] if rows else None


def change_behind_our_back(vaulted: Vaulted, content: str = "198.51.100.7") -> dict[str, Any]:
    changed = next(iter(records(vaulted).values()))
    before = dict(changed)
    changed["content"] = content
    return before


async def test_what_is_seen_first_is_right_and_costs_two_requests(vaulted: Vaulted) -> None:
    vaulted.remote.came.clear()

    found = await later(vaulted)

    assert found == []
    assert [came.path.rpartition("/")[2] for came in vaulted.remote.came] == ["dns_records", "entrypoint"]


async def test_a_record_that_somebody_else_changed_is_found_told_once_and_goes_when_it_is_put_back(
    vaulted: Vaulted,
) -> None:
    await listening(vaulted)
    before = change_behind_our_back(vaulted)

    [finding] = await later(vaulted)
    for _ in range(3):
        vaulted.workplace.clock.advance(timedelta(hours=2).total_seconds())
        await vaulted.domain_watch.round()
    events = [data for event, data in await told(vaulted) if event == "domain.drifted" and data["kind"] == "records"]
    records(vaulted)[before["id"]]["content"] = before["content"]
    cured = await later(vaulted)

    line = f"{before['type']} {before['name']}: "
    assert (finding.kind, finding.domain) == ("records", vaulted.remote.zones[remote_id(vaulted)]["name"])
    assert len(finding.expected) == len(finding.seen) == 1
    assert finding.expected[0].startswith(line + before["content"])
    assert finding.seen[0].startswith(f"changed: {line}198.51.100.7")
    assert [data["seen"] for data in events] == [finding.seen]
    assert cured == []


async def test_what_is_accepted_is_right_from_then_on(vaulted: Vaulted) -> None:
    change_behind_our_back(vaulted)
    assert len(await later(vaulted)) == 1

    accepted = await vaulted.contents.accept(vaulted.call(), await zone_id(vaulted))

    assert (accepted.records, accepted.redirects, accepted.accepted_at) == (None, None, vaulted.workplace.clock.now())
    assert await compared(vaulted) == []
    assert await later(vaulted) == []


async def test_records_changed_here_are_right_and_what_others_changed_meanwhile_is_not(vaulted: Vaulted) -> None:
    call, zone = vaulted.call(), await zone_id(vaulted)
    made = await vaulted.records.change(call, zone, RecordChange(Action.CREATE, record=A))
    await vaulted.records.change(call, zone, RecordChange(Action.UPDATE, made["id"], {"content": "192.0.2.9"}))
    gone = next(iter(records(vaulted)))
    many = [RecordChange(Action.DELETE, gone), RecordChange(Action.CREATE, record={**A, "name": "b"})]
    await vaulted.records.change_many(call, zone, many)
    await vaulted.records.import_(call, zone, "c 300 IN A 192.0.2.3\n", proxied=False)
    assert await later(vaulted) == []

    change_behind_our_back(vaulted)
    await vaulted.records.change(call, zone, RecordChange(Action.CREATE, record={**A, "name": "d"}))
    [finding] = await later(vaulted)

    assert [line.partition(":")[0] for line in finding.seen] == ["changed"]


async def test_a_batch_of_which_some_was_refused_leaves_what_was_made_right(vaulted: Vaulted) -> None:
    call, zone = vaulted.call(), await zone_id(vaulted)
    many = [RecordChange(Action.DELETE, "f" * 32), RecordChange(Action.CREATE, record=A)]

    outcomes = await vaulted.records.change_many(call, zone, many)

    assert [one.error is None for one in outcomes] == [False, True]
    assert await later(vaulted) == []


async def test_redirects_of_ours_are_compared_and_shown_and_those_of_others_counted(vaulted: Vaulted) -> None:
    call, zone = vaulted.call(), await zone_id(vaulted)
    await vaulted.redirects.set_(call, zone, lead_of(vaulted))
    shown = await row(vaulted, "https://elsewhere")
    vaulted.remote.add_foreign_rule(remote_id(vaulted))
    assert await later(vaulted) == []

    vaulted.remote.rules(remote_id(vaulted))[0]["enabled"] = False
    [disabled] = await later(vaulted)
    vaulted.remote.rules(remote_id(vaulted)).pop(0)
    [removed] = await later(vaulted)
    seen = await row(vaulted)

    assert shown is not None
    assert shown.redirects == [f"{lead_of(vaulted).source} → {lead_of(vaulted).text}"]
    assert f"{lead_of(vaulted).source} → https://elsewhere.example" in next(domain_shapes.table([shown]))
    assert disabled.seen == [f"changed: {lead_of(vaulted).source}: {lead_of(vaulted).text} (disabled)"]
    assert removed.seen[0].startswith("removed: ")
    assert seen is not None
    assert (seen.redirects, seen.foreign_redirects) == ([], 1)
    assert await row(vaulted, "https://elsewhere") is None


def lead_of(vaulted: Vaulted) -> Redirect:
    return Redirect(f"www.{vaulted.remote.zones[remote_id(vaulted)]['name']}", "https://elsewhere.example")


async def test_a_redirect_removed_here_is_no_drift(vaulted: Vaulted) -> None:
    call, zone = vaulted.call(), await zone_id(vaulted)
    rule, _ = await vaulted.redirects.set_(call, zone, lead_of(vaulted))
    await later(vaulted)

    await vaulted.redirects.remove(call, zone, rule.ref)

    assert await later(vaulted) == []


async def test_what_was_seen_while_something_was_changed_here_says_nothing(vaulted: Vaulted) -> None:
    zone = await zone_id(vaulted)
    revision = await vaulted.workplace.do(contents.revision, zone)
    stale = await vaulted.contents._read(vaulted.call(), zone)
    await vaulted.records.change(vaulted.call(), zone, RecordChange(Action.CREATE, record=A))

    recorded = await vaulted.workplace.do(contents.record, zone, stale, revision=revision)

    with pytest.raises(Conflict):
        await vaulted.workplace.do(contents.accept, zone, stale, revision=revision)
    assert recorded.is_known is False
    assert await compared(vaulted) == []
    assert await vaulted.content_watch.round() == 1


async def test_zones_are_looked_into_a_few_at_a_time_and_each_once_in_a_while(workplace: Workplace) -> None:
    vaulted = Vaulted(workplace, Cloudflare())
    vaulted.remote.add_zones(TOGETHER_MAX + 3)
    await vaulted.connect(vaulted.remote.bootstrap().value)

    rounds = [await vaulted.content_watch.round() for _ in range(3)]

    assert rounds == [TOGETHER_MAX, 3, 0]


async def test_a_zone_that_cannot_be_read_says_so_and_keeps_nobody_waiting(vaulted: Vaulted) -> None:
    working = vaulted.remote.working()[0]
    working.policies = []

    [finding] = await later(vaulted)
    found = await vaulted.workplace.do(contents.find, await zone_id(vaulted))

    assert (finding.kind, finding.credential_id is not None) == ("credential-permission-missing", True)
    assert found.problem is not None
    with pytest.raises(KeysteadError):
        await vaulted.contents.compare(vaulted.call(), await zone_id(vaulted))


@pytest.mark.parametrize(
    ("fate", "requests"), [({"fate": Fate.REFUSE, "status": 429}, 1), ({"fate": Fate.LOSE_REQUEST, "times": 3}, 3)]
)
async def test_a_provider_that_does_not_answer_is_left_alone_for_ten_minutes(
    workplace: Workplace, fate: dict[str, Any], requests: int
) -> None:
    vaulted = Vaulted(workplace, Cloudflare())
    vaulted.remote.add_zones(3)
    await vaulted.connect(vaulted.remote.bootstrap().value)
    vaulted.remote.fault("GET", "/dns_records", **fate)
    vaulted.remote.came.clear()

    rounds = [await vaulted.content_watch.round() for _ in range(2)]
    asked = len(vaulted.remote.came)
    vaulted.workplace.clock.advance(timedelta(minutes=10, seconds=1).total_seconds())
    rounds += [await vaulted.content_watch.round() for _ in range(2)]

    assert (rounds, asked) == ([3, 0, 3, 0], requests)
    for zone in await vaulted.workplace.do(zones.list_):
        assert (await vaulted.workplace.do(contents.find, zone.id)).seen_at == vaulted.workplace.clock.now()


async def test_who_may_not_read_does_not_get_the_permission_by_a_provider_that_is_away(vaulted: Vaulted) -> None:
    vaulted.remote.working()[0].policies = []
    lacking = await later(vaulted)
    vaulted.remote.fault("GET", "/dns_records", Fate.REFUSE, status=429, headers={"Retry-After": "60"})

    assert await later(vaulted) == lacking
    assert [one.kind for one in lacking] == ["credential-permission-missing"]


async def test_redirects_that_may_not_be_read_are_not_accepted_with_the_records(vaulted: Vaulted) -> None:
    await vaulted.redirects.set_(vaulted.call(), await zone_id(vaulted), lead_of(vaulted))
    vaulted.remote.rules(remote_id(vaulted)).pop(0)
    change_behind_our_back(vaulted)
    before = [one for one in await later(vaulted) if one.kind == "redirects"]
    redirects = [ident for (group, _), ident in GROUPS.items() if "Redirects" in group]
    for policy in vaulted.remote.working()[0].policies:
        policy["permission_groups"] = [one for one in policy["permission_groups"] if one["id"] not in redirects]

    accepted = await vaulted.contents.accept(vaulted.call(), await zone_id(vaulted))

    assert (accepted.records, accepted.problem) == (None, contents.REDIRECTS_UNREADABLE)
    found = await compared(vaulted)
    assert [one for one in found if one.kind == "redirects"] == before != []
    assert {one.kind for one in found} == {"redirects", "credential-permission-missing"}


async def test_only_what_is_new_is_compared_and_only_with_whom_it_is(
    vaulted: Vaulted, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, zone = vaulted.call(), await zone_id(vaulted)
    other = operator((await people.account(vaulted.workplace, "Other")).id)
    await vaulted.workplace.do_as(other, domains.put, [Entry("other.com")])
    await watched(vaulted)
    seen = compares(vaulted, monkeypatch)

    await vaulted.contents.look(call, zone)
    await vaulted.domain_watch.round()
    without_news = list(seen)
    change_behind_our_back(vaulted)
    for _ in range(2):
        await vaulted.contents.look(call, zone)
    await vaulted.domain_watch.round()
    with_news = list(seen)
    await vaulted.contents.compare(call, zone)
    await vaulted.domain_watch.round()

    account_id = call.principal.account_id
    assert (without_news, with_news, seen) == ([], [account_id], [account_id, account_id])


def compares(vaulted: Vaulted, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the accounts that are compared from now on."""
    accounts: list[int] = []
    write = vaulted.transactions.write

    async def noting(call: Call, verb: Any, *args: Any, **more: Any) -> Any:
        if verb is findings.compare:
            accounts.append(call.principal.account_id)
        return await write(call, verb, *args, **more)

    monkeypatch.setattr(vaulted.transactions, "write", noting)
    return accounts


async def test_a_token_that_is_gone_is_verified_at_once_and_found_refused(vaulted: Vaulted) -> None:
    await watched(vaulted)
    vaulted.remote.tokens.clear()

    await later(vaulted)
    await vaulted.settle()
    await vaulted.workplace.do(findings.compare)

    kinds = [one.kind for one in await vaulted.workplace.do(findings.list_, Page()) if one.credential_id is not None]
    assert kinds == ["credential-refused"]


async def test_a_key_for_dns_alone_has_its_records_compared_and_nothing_said_of_redirects(workplace: Workplace) -> None:
    vaulted = Vaulted(workplace, Cloudflare())
    vaulted.remote.add_zones(1)
    vaulted.remote.add_records(remote_id(vaulted), 2)
    bootstrap = Secret(vaulted.remote.bootstrap().value)
    await vaulted.cloudflare.connect(vaulted.call(), Application(MINE, bootstrap), Profile.DNS_ONLY)
    await vaulted.content_watch.round()
    assert await later(vaulted) == []
    seen = await row(vaulted)

    change_behind_our_back(vaulted)
    found = await later(vaulted)

    assert seen is not None
    assert seen.redirects is None
    assert [one.kind for one in found] == ["records"]


async def test_another_accounts_zone_is_not_there(vaulted: Vaulted) -> None:
    zone = await zone_id(vaulted)
    stranger = operator((await people.account(vaulted.workplace, "Other")).id)

    for ask in (vaulted.contents.find, vaulted.contents.compare, vaulted.contents.accept):
        with pytest.raises(ZoneNotFound):
            await ask(vaulted.call(stranger), zone)


async def test_a_database_that_fails_is_no_problem_of_a_zone(vaulted: Vaulted, monkeypatch: pytest.MonkeyPatch) -> None:
    zone = await zone_id(vaulted)

    async def fails(*_: Any) -> Any:
        raise StorageFailed("the database refused: database or disk is full")

    monkeypatch.setattr(vaulted.hosts, "of_zone", fails)
    with pytest.raises(StorageFailed):
        await vaulted.contents.compare(vaulted.call(), zone)

    assert (await vaulted.contents.find(vaulted.call(), zone)).problem is None


async def test_who_may_not_look_into_a_zone_is_refused_once(vaulted: Vaulted) -> None:
    zone = await zone_id(vaulted)
    reader = Principal(vaulted.workplace.account_id, "user:9 anna", frozenset({Permission.VAULT_READ}))
    before = await denials(vaulted)

    with pytest.raises(Forbidden):
        await vaulted.contents.compare(vaulted.call(reader), zone)

    assert await denials(vaulted) == before + 1


async def denials(vaulted: Vaulted) -> int:
    found: list[Any] = await vaulted.workplace.do(audit.list_, Page(limit=1000))
    return sum(record.outcome == "denied" for record in found)
