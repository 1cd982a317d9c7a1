"""Bulk redirects of accounts: changes made elsewhere are found, those made here are right, and domains show them."""

from datetime import timedelta
from typing import Any

import pytest

from keystead.access.principal import operator
from keystead.kit.page import Page
from keystead.kit.secret import Secret
from keystead.operations.providers.cloudflare import Application
from keystead.providers.cloudflare_permissions import Profile
from keystead.providers.cloudflare_rules import LIST_NAME
from keystead.providers.redirect import BulkRedirect
from keystead.vault import bulklists, credentials, domains, findings
from keystead.vault.errors import CredentialNotFound
from keystead.vault.store.domaintable import Narrowed, Row, Window
from keystead.vault.store.findings import Finding
from tests.support import people
from tests.support.standins.cloudflare import MINE, Cloudflare
from tests.support.standins.cloudflare_state import GROUPS
from tests.support.standins.server import Fate
from tests.support.vaulted import EVERY, Vaulted
from tests.support.work import Workplace
from tests.unit.operations.domains.test_domain_watch import listening, told, watched

SITE = "site-0000.example.com"
OLD = BulkRedirect(f"{SITE}/old", "https://example.net/new", 302, keeps_query=True)
BELOW = BulkRedirect("https://www.site-0001.example.com/", "https://example.net/", matches_subpaths=True)
MOMENTS = {"created_on": "2026-01-01T00:00:00Z", "modified_on": "2026-01-01T00:00:00Z"}
NOBODYS = BulkRedirect("elsewhere.example/", "https://example.net/")


async def connected(workplace: Workplace, profile: Profile = Profile.BULK_REDIRECTS, zones: int = 3) -> Vaulted:
    made = Vaulted(workplace, Cloudflare())
    made.remote.add_zones(zones)
    bootstrap = Secret(made.remote.bootstrap().value)
    await made.cloudflare.connect(made.call(), Application(MINE, bootstrap), profile)
    await watched(made)
    return made


@pytest.fixture
async def vaulted(workplace: Workplace) -> Vaulted:
    """Return a vault with a Cloudflare account of three zones, which has bulk redirects, looked at once before."""
    made = await connected(workplace)
    await made.redirects.put_bulk(made.call(), await key(made), [OLD, BELOW, NOBODYS])
    return made


async def key(vaulted: Vaulted) -> int:
    [held] = await vaulted.workplace.do(credentials.list_)
    return held.id


def items(vaulted: Vaulted) -> list[dict[str, Any]]:
    [ident] = [ident for ident, one in vaulted.remote.lists.items() if one["name"] == LIST_NAME]
    return vaulted.remote.items[ident]


def rules(vaulted: Vaulted) -> list[dict[str, Any]]:
    return vaulted.remote.rulesets[f"accounts/{MINE} http_request_redirect"]["rules"]


async def later(vaulted: Vaulted) -> list[Finding]:
    """Return what is found at the next look."""
    vaulted.workplace.clock.advance(EVERY.total_seconds())
    await watched(vaulted)
    await vaulted.workplace.do(findings.compare)
    return [one for one in await vaulted.workplace.do(findings.list_, Page()) if one.credential_id is not None]


async def table(vaulted: Vaulted, text: str | None = None) -> dict[str, Row]:
    rows = await vaulted.workplace.do(domains.list_, Narrowed(text=text), Window())
    return {row.name: row for row in rows}


async def test_bulk_redirects_put_and_removed_here_are_right(vaulted: Vaulted) -> None:
    call, ident = vaulted.call(), await key(vaulted)
    after_put = await later(vaulted)
    await vaulted.redirects.put_bulk(call, ident, [BulkRedirect(OLD.source, "https://example.org/")])
    await vaulted.redirects.remove_bulk(call, ident, [BELOW.source])

    assert (after_put, await later(vaulted)) == ([], [])
    assert (await vaulted.lists.find(call, ident)).redirects is None


async def test_a_bulk_redirect_that_somebody_else_changed_is_told_once_and_goes_when_it_is_put_back(
    vaulted: Vaulted,
) -> None:
    await listening(vaulted)
    items(vaulted)[0]["redirect"]["target_url"] = "https://evil.example/"
    more = {"source_url": "more.example/", "target_url": "https://x.org/"}
    items(vaulted).append({"id": "f" * 32, "redirect": more} | MOMENTS)

    [finding] = await later(vaulted)
    for _ in range(3):
        vaulted.workplace.clock.advance(timedelta(hours=2).total_seconds())
        await vaulted.domain_watch.round()
    events = [data for event, data in await told(vaulted) if event == "credential.drifted"]
    await vaulted.redirects.put_bulk(vaulted.call(), await key(vaulted), [OLD])
    await vaulted.redirects.remove_bulk(vaulted.call(), await key(vaulted), ["more.example/"])
    cured = await later(vaulted)

    assert (finding.kind, finding.domain, finding.credential_id) == ("bulk-redirects", None, await key(vaulted))
    assert finding.expected == [f"{OLD.source}: https://example.net/new, 302, keeps query"]
    assert finding.seen == [
        f"changed: {OLD.source}: https://evil.example/, 302, keeps query",
        "added: more.example/: https://x.org/, 301",
    ]
    assert [(data["credential"]["id"], data["seen"]) for data in events] == [(await key(vaulted), finding.seen)]
    assert cured == []


async def test_a_list_that_is_gone_and_a_rule_that_looks_no_more_into_it_are_found(vaulted: Vaulted) -> None:
    rules(vaulted)[0]["enabled"] = False
    [disabled] = await later(vaulted)
    rules(vaulted).clear()
    [unruled] = await later(vaulted)
    vaulted.remote.lists.clear()
    [gone] = await later(vaulted)

    about = f"rule of the account: looks into the list {LIST_NAME}"
    assert (disabled.expected, disabled.seen) == ([about], [f"changed: {about} (disabled)"])
    assert unruled.seen == [f"removed: {about}"]
    assert [line.partition(":")[0] for line in gone.seen] == ["removed"] * 4


async def test_lists_and_rules_of_others_are_neither_compared_nor_shown(workplace: Workplace) -> None:
    vaulted = await connected(workplace)
    theirs = {"id": "a" * 32, "account": MINE, "name": "theirs", "kind": "redirect"} | MOMENTS
    ours_by_name = {"id": "b" * 32, "account": MINE, "name": LIST_NAME, "kind": "ip"} | MOMENTS
    for one in (theirs, ours_by_name):
        vaulted.remote.lists[one["id"]] = one
        vaulted.remote.items[one["id"]] = [
            {"id": "c" * 32, "redirect": {"source_url": f"{SITE}/theirs", "target_url": "https://x.org/"}}
        ]

    assert await later(vaulted) == []
    assert (await table(vaulted))[SITE].bulk_redirects == []
    assert not vaulted.remote.asked("GET", "/items")
    assert not [came for came in vaulted.remote.came if came.method != "GET" and "/rules/lists" in came.path]


async def test_what_is_accepted_is_right_from_then_on(vaulted: Vaulted) -> None:
    call, ident = vaulted.call(), await key(vaulted)
    items(vaulted).pop(0)
    assert len(await later(vaulted)) == 1

    accepted = await vaulted.lists.accept(call, ident)

    assert (accepted.redirects, accepted.accepted_at) == (None, vaulted.workplace.clock.now())
    assert await later(vaulted) == []


async def test_each_domain_shows_the_bulk_redirects_of_its_zone_at_once_and_is_found_by_them(vaulted: Vaulted) -> None:
    shown = await table(vaulted)
    by_target = await table(vaulted, "example.net/new")
    items(vaulted)[0]["redirect"]["target_url"] = "https://other.example/"
    await later(vaulted)
    seen = await table(vaulted)
    await vaulted.redirects.remove_bulk(vaulted.call(), await key(vaulted), [OLD.source])

    assert shown[SITE].bulk_redirects == [f"{OLD.source} → https://example.net/new, 302, keeps query"]
    assert shown["site-0001.example.com"].bulk_redirects == [
        f"{BELOW.source} → https://example.net/, 301, with all below"
    ]
    assert shown["site-0002.example.com"].bulk_redirects == []
    assert list(by_target) == [SITE]
    assert seen[SITE].bulk_redirects == [f"{OLD.source} → https://other.example/, 302, keeps query"]
    assert (await table(vaulted))[SITE].bulk_redirects == []


@pytest.mark.parametrize("zones", [1, 60])
async def test_a_look_asks_for_the_lists_the_entries_and_the_rule_once_however_many_zones_there_are(
    workplace: Workplace, zones: int
) -> None:
    vaulted = await connected(workplace, zones=zones)
    await vaulted.redirects.put_bulk(vaulted.call(), await key(vaulted), [OLD])
    vaulted.remote.came.clear()

    await later(vaulted)

    asked = [came.path for came in vaulted.remote.came if "/rules/lists" in came.path or "rulesets" in came.path]
    assert [path.rpartition("/")[2] for path in asked] == ["lists", "items", "entrypoint"]


async def test_what_was_seen_while_something_was_changed_here_says_nothing(vaulted: Vaulted) -> None:
    call, ident = vaulted.call(), await key(vaulted)
    revision = await vaulted.workplace.do(bulklists.revision, ident)
    stale = await vaulted.lists._read(call, ident)
    await vaulted.redirects.remove_bulk(call, ident, [OLD.source])

    recorded = await vaulted.workplace.do(bulklists.record, ident, stale, revision=revision)

    assert recorded.is_known is False
    assert (await vaulted.lists.find(call, ident)).redirects is None


async def test_a_change_here_has_a_list_that_differs_looked_at_soon(vaulted: Vaulted) -> None:
    items(vaulted)[0]["redirect"]["target_url"] = "https://evil.example/"
    assert len(await later(vaulted)) == 1

    await vaulted.redirects.put_bulk(vaulted.call(), await key(vaulted), [OLD])
    await watched(vaulted)

    assert [one for one in await vaulted.workplace.do(findings.list_, Page()) if one.credential_id is not None] == []


async def test_a_token_that_never_could_read_lists_is_no_finding_and_one_that_could_is(
    workplace: Workplace,
) -> None:
    vaulted = await connected(workplace, Profile.DOCUMENTED)
    never = await later(vaulted)
    shown = (await table(vaulted))[SITE].bulk_redirects
    again = Secret(vaulted.remote.bootstrap().value)
    await vaulted.cloudflare.connect(vaulted.call(), Application(MINE, again), Profile.BULK_REDIRECTS)
    assert await later(vaulted) == []
    for policy in vaulted.remote.working()[0].policies:
        lists = GROUPS["Account Rule Lists Read", "com.cloudflare.api.account"]
        policy["permission_groups"] = [one for one in policy["permission_groups"] if one["id"] != lists]

    [lost] = await later(vaulted)

    assert (never, shown) == ([], None)
    assert lost.kind == "credential-permission-missing"
    assert lost.seen == [bulklists.UNREADABLE, "Account Rule Lists Read is not granted"]


async def test_a_provider_that_is_away_changes_nothing_that_is_known(vaulted: Vaulted) -> None:
    vaulted.remote.fault("GET", "/rules/lists", Fate.REFUSE, status=503, times=3)
    vaulted.workplace.clock.advance(EVERY.total_seconds())
    await vaulted.domain_watch.round()
    await vaulted.runner.round()
    away = await vaulted.lists.find(vaulted.call(), await key(vaulted))
    await vaulted.settle()
    back = await vaulted.lists.find(vaulted.call(), await key(vaulted))

    assert (away.redirects, away.problem is None) == (None, False)
    assert (back.redirects, back.problem) == (None, None)


async def test_another_accounts_credential_is_not_there(vaulted: Vaulted) -> None:
    ident = await key(vaulted)
    stranger = operator((await people.account(vaulted.workplace, "Other")).id)

    for ask in (vaulted.lists.find, vaulted.lists.compare, vaulted.lists.accept):
        with pytest.raises(CredentialNotFound):
            await ask(vaulted.call(stranger), ident)
