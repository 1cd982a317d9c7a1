"""The watch over domains: looks, name servers, DNS, findings and alerts, with a clock that a test moves."""

import json
from contextlib import suppress
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import select

from keystead.access import roles, webhooks
from keystead.access.permissions import ALL_PERMISSIONS
from keystead.access.principal import Principal
from keystead.jobs.models import JOBS
from keystead.jobs.store import Job
from keystead.kit.errors import Rejected, StorageBusy
from keystead.kit.page import Page
from keystead.kit.reach import reach
from keystead.kit.secret import Secret
from keystead.operations.domains.watch.alerts import AlertMails
from keystead.operations.domains.watch.domains import ASKED_TOGETHER as TOGETHER
from keystead.operations.domains.watch.looks import ASKED_TOGETHER
from keystead.outbox.models import DELIVERIES
from keystead.vault import credentials, domains, findings, looks, registrations, zones
from keystead.vault.domains import Entry
from keystead.vault.registrations import SeenRegistration
from keystead.vault.relays import Way
from keystead.vault.store import delegations
from keystead.vault.store import zones as zone_store
from keystead.vault.store.domaintable import Narrowed, Row, Window
from keystead.vault.store.findings import Finding
from keystead.vault.zones import SeenZone
from tests.support import people
from tests.support.clock import ManualClock
from tests.support.standins.cloudflare import Cloudflare
from tests.support.standins.namecheap import API_KEY, IP, USERNAME
from tests.support.vaulted import EVERY, Vaulted
from tests.support.work import Workplace
from tests.unit.vault.shelf import added

OURS, PARKED = ("bob.ns.test", "lola.ns.test"), ("dns1.registrar-servers.com", "dns2.registrar-servers.com")


@pytest.fixture
async def vaulted(workplace: Workplace) -> Vaulted:
    """Return a vault with a Namecheap user who has two domains, far from their ends, and enough money."""
    made = Vaulted(workplace, Cloudflare())
    way = Way(IP, "https://namecheap.test", "namecheap.test", Secret(made.registrar.password))
    await made.namecheap.set_way(made.call(), way)
    made.registrar.balance = "1,204.50"
    made.registrar.domains = {"one.com": "05/22/2029", "two.com": "06/22/2029"}
    made.lookup.servers = {"one.com": PARKED, "two.com": PARKED}
    await made.namecheap.connect(made.call(), username=USERNAME, api_key=Secret(API_KEY), alias="shop")
    return made


async def watched(vaulted: Vaulted) -> None:
    """Let a round begin looks, errands be carried out, and another round compare."""
    await vaulted.domain_watch.round()
    await vaulted.settle()
    await vaulted.domain_watch.round()


def away(*_: Any) -> None:
    raise StorageBusy("the database is locked")


async def table(vaulted: Vaulted) -> dict[str, Row]:
    rows = await vaulted.workplace.do(domains.list_, Narrowed(), Window())
    return {row.name: row for row in rows}


async def found(vaulted: Vaulted) -> list[Finding]:
    return await vaulted.workplace.do(findings.list_, Page())


async def told(vaulted: Vaulted) -> list[tuple[str, dict[str, Any]]]:
    """Return the events that were put for the webhook, with their data."""
    statement = select(DELIVERIES.c.event, DELIVERIES.c.body).order_by(DELIVERIES.c.number)
    rows = await vaulted.workplace.database.read(lambda c: list(c.execute(statement)))
    return [(row.event, json.loads(row.body)["data"]) for row in rows]


async def listening(vaulted: Vaulted) -> None:
    await vaulted.workplace.do(
        webhooks.create, url="https://hooks.example.com/x", description="", events=(), reach=reach(())
    )


async def zone(vaulted: Vaulted, *names: str) -> None:
    [held] = await vaulted.workplace.do(credentials.list_)
    seen = [SeenZone(f"id-{name}", name, "active", "free", OURS) for name in names]
    await vaulted.workplace.do(zones.record, held.id, seen)


async def test_a_look_takes_domains_name_servers_dns_and_balance_over(vaulted: Vaulted) -> None:
    await watched(vaulted)

    row = (await table(vaulted))["one.com"]
    [look] = (await vaulted.workplace.do(looks.list_)).values()
    assert (row.registrar, row.expires_on, row.renews_itself) == ("namecheap", date(2029, 5, 22), True)
    assert tuple(row.registrar_name_servers or ()) == tuple(row.dns_name_servers or ()) == PARKED
    assert (look.balance, look.problem, look.is_refused) == ("1204.50", None, False)
    assert await found(vaulted) == []


async def test_a_list_longer_than_the_limit_is_gone_on_with_where_it_was(vaulted: Vaulted) -> None:
    vaulted.registrar.domains = {f"name-{number:04d}.com": "05/22/2029" for number in range(2300)}
    await vaulted.domain_watch.round()
    await vaulted.runner.round()
    first = await vaulted.workplace.do(domains.list_, Narrowed(), Window(limit=3000))
    vaulted.registrar.domains.pop("name-0001.com")
    for _ in range(3):
        vaulted.workplace.clock.advance(61)
        await vaulted.runner.round()

    rows = await vaulted.workplace.do(domains.list_, Narrowed(), Window(limit=3000))
    pages = [came.query["Page"] for came in vaulted.registrar.came if came.query["Command"].endswith("domains.getList")]
    assert 0 < len(first) < 2300
    assert len(rows) == 2300
    assert [row.name for row in rows if row.registration_missing_since] == []
    assert pages == [*map(str, range(1, 19)), *map(str, range(18, 24))]


async def test_looks_follow_each_other_in_their_time_and_not_sooner(vaulted: Vaulted) -> None:
    await watched(vaulted)
    asked = len(vaulted.registrar.came)
    vaulted.workplace.clock.advance(EVERY.total_seconds() / 2)
    await watched(vaulted)
    between = len(vaulted.registrar.came)
    vaulted.workplace.clock.advance(EVERY.total_seconds() / 2)
    await watched(vaulted)

    assert between == asked
    assert len(vaulted.registrar.came) == 2 * asked - 1  # the first call of all was connecting
    assert vaulted.lookup.asked == ["one.com", "two.com"] * 2


async def test_name_servers_are_asked_for_bit_by_bit_the_oldest_first(vaulted: Vaulted) -> None:
    vaulted.registrar.domains = {f"name-{number:02d}.com": "05/22/2029" for number in range(ASKED_TOGETHER + 2)}
    await vaulted.domain_watch.round()
    await vaulted.runner.round()
    await vaulted.runner.round()
    first = [row.name for row in (await table(vaulted)).values() if row.registrar_name_servers]
    await vaulted.settle()

    assert first == [f"name-{number:02d}.com" for number in range(ASKED_TOGETHER)]
    assert all(row.registrar_name_servers for row in (await table(vaulted)).values())


async def test_a_domain_that_is_listed_no_more_is_missing_and_back_when_it_is_back(vaulted: Vaulted) -> None:
    await watched(vaulted)
    gone = vaulted.registrar.domains.pop("two.com")
    vaulted.workplace.clock.advance(EVERY.total_seconds())
    await watched(vaulted)
    missing = [(one.domain, one.kind) for one in await found(vaulted)]
    vaulted.registrar.domains["two.com"] = gone
    vaulted.workplace.clock.advance(EVERY.total_seconds())
    await watched(vaulted)

    assert missing == [("two.com", "registration-missing")]
    assert await found(vaulted) == []


async def test_drift_is_found_told_once_and_cleared_by_itself(vaulted: Vaulted) -> None:
    await listening(vaulted)
    await watched(vaulted)
    await zone(vaulted, "one.com")
    vaulted.workplace.clock.advance(3600)
    await watched(vaulted)
    [drift] = await found(vaulted)
    silent = await told(vaulted)
    for _ in range(3):
        vaulted.workplace.clock.advance(3600)
        await watched(vaulted)
    before = await told(vaulted)
    vaulted.registrar.name_servers["one.com"] = list(OURS)
    vaulted.lookup.servers["one.com"] = OURS
    vaulted.workplace.clock.advance(EVERY.total_seconds())
    await watched(vaulted)

    assert (drift.domain, drift.kind) == ("one.com", "registrar-name-servers")
    assert (tuple(drift.expected), tuple(drift.seen)) == (OURS, PARKED)
    assert silent == []
    assert [event for event, _ in before] == ["domain.drifted"]
    assert before[0][1]["domain"]["name"] == "one.com"
    assert await found(vaulted) == []
    assert await told(vaulted) == before


async def test_a_change_that_one_side_does_not_know_yet_is_asked_about_and_told_to_nobody(vaulted: Vaulted) -> None:
    await listening(vaulted)
    await watched(vaulted)
    vaulted.registrar.name_servers["one.com"] = list(OURS)
    vaulted.lookup.servers["one.com"] = OURS
    await vaulted.workplace.database.write(lambda c: delegations.make_all_due(c, vaulted.workplace.account_id))
    await vaulted.domain_watch.round()
    suspected = [one.kind for one in await found(vaulted)]
    await watched(vaulted)
    vaulted.workplace.clock.advance(7200)
    await watched(vaulted)

    assert suspected == ["dns-name-servers"]
    assert await found(vaulted) == []
    assert await told(vaulted) == []


async def test_name_servers_set_through_keystead_are_known_at_once(vaulted: Vaulted) -> None:
    await watched(vaulted)
    [held] = await vaulted.workplace.do(credentials.list_)
    vaulted.lookup.servers["one.com"] = OURS

    await vaulted.registrars.set_name_servers(vaulted.call(), "namecheap", held.id, "one.com", list(OURS))
    await vaulted.domain_watch.round()

    row = (await table(vaulted))["one.com"]
    assert tuple(row.registrar_name_servers or ()) == tuple(row.dns_name_servers or ()) == OURS
    assert await found(vaulted) == []


async def test_drift_that_returns_is_told_again(vaulted: Vaulted) -> None:
    await listening(vaulted)
    await watched(vaulted)
    for servers in (OURS, PARKED, OURS):
        vaulted.lookup.servers["one.com"] = servers
        vaulted.workplace.clock.advance(EVERY.total_seconds())
        await watched(vaulted)
        vaulted.workplace.clock.advance(3600)
        await watched(vaulted)

    assert [data["kind"] for _, data in await told(vaulted)] == ["dns-name-servers"] * 2


async def test_an_end_is_told_once_at_each_threshold_and_is_quiet_after_renewal(vaulted: Vaulted) -> None:
    await listening(vaulted)
    ends = (vaulted.workplace.clock.now() + timedelta(days=31)).date()
    vaulted.registrar.domains["one.com"] = f"{ends:%m/%d/%Y}"
    for _ in range(33):
        await watched(vaulted)
        vaulted.workplace.clock.advance(EVERY.total_seconds())
    reached = [data["threshold_days"] for event, data in await told(vaulted) if event == "domain.expiring"]
    vaulted.registrar.domains["one.com"] = "05/22/2029"
    for _ in range(2):
        await watched(vaulted)
        vaulted.workplace.clock.advance(EVERY.total_seconds())

    assert reached == [30, 14, 7, 1, 0]
    assert [event for event, _ in await told(vaulted)].count("domain.expiring") == 5


async def test_a_low_balance_is_told_once_until_it_is_not_low(vaulted: Vaulted) -> None:
    await listening(vaulted)
    for balance in ("9.99", "8.00", "500.00", "3.00"):
        vaulted.registrar.balance = balance
        await watched(vaulted)
        vaulted.workplace.clock.advance(EVERY.total_seconds())

    assert [(event, data["balance"]) for event, data in await told(vaulted)] == [
        ("credential.balance_low", "9.99"),
        ("credential.balance_low", "3.00"),
    ]


async def test_a_credential_that_is_refused_is_found_and_told_and_one_that_is_away_is_not(vaulted: Vaulted) -> None:
    await listening(vaulted)
    vaulted.registrar.known_ips.clear()
    await watched(vaulted)
    unreachable = await found(vaulted)
    vaulted.registrar.known_ips.add(IP)
    vaulted.registrar.users[USERNAME.lower()] = "another"
    vaulted.workplace.clock.advance(EVERY.total_seconds())
    await watched(vaulted)
    vaulted.workplace.clock.advance(3600)
    await watched(vaulted)

    assert unreachable == []
    assert [(one.credential, one.kind) for one in await found(vaulted)] == [("shop", "credential-refused")]
    assert [event for event, _ in await told(vaulted)] == ["credential.refused"]


async def test_a_dns_that_is_away_changes_nothing_and_is_asked_again_soon(vaulted: Vaulted) -> None:
    await watched(vaulted)
    vaulted.lookup.is_away = True
    vaulted.workplace.clock.advance(EVERY.total_seconds())
    await watched(vaulted)
    kept = (await table(vaulted))["one.com"].dns_name_servers
    vaulted.lookup.is_away = False
    vaulted.lookup.servers["one.com"] = OURS
    vaulted.workplace.clock.advance(660)
    await watched(vaulted)

    assert tuple(kept or ()) == PARKED
    assert tuple((await table(vaulted))["one.com"].dns_name_servers or ()) == OURS


async def test_questions_that_came_to_nothing_are_asked_again_soon(
    vaulted: Vaulted, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched(vaulted)
    vaulted.workplace.clock.advance(EVERY.total_seconds() + 1)
    with monkeypatch.context() as patched:
        patched.setattr(delegations, "answer", away)
        with pytest.raises(StorageBusy):
            await vaulted.domain_watch.round()
    asked = len(vaulted.lookup.asked)
    vaulted.workplace.clock.advance(660)

    await vaulted.domain_watch.round()

    assert vaulted.lookup.asked[asked:] == ["one.com", "two.com"]


async def test_an_account_that_could_not_be_compared_is_compared_at_the_next_round(
    vaulted: Vaulted, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched(vaulted)
    await zone(vaulted, "one.com")
    with monkeypatch.context() as patched:
        patched.setattr(findings, "compare", away)
        vaulted.domain_watch.note_seen(vaulted.workplace.account_id)
        with suppress(StorageBusy):
            await vaulted.domain_watch.round()

    await vaulted.domain_watch.round()

    assert [one.kind for one in await found(vaulted)] == ["registrar-name-servers"]


async def test_owners_get_one_mail_that_says_everything(vaulted: Vaulted) -> None:
    place = vaulted.workplace
    await place.database.write(lambda c: roles.add_built_in(c, place.account_id))
    await people.user(place, "anna@example.com", "owner")
    await people.user(place, "bob@example.com", "viewer")
    await watched(vaulted)
    await zone(vaulted, "one.com", "two.com")
    for _ in range(3):
        place.clock.advance(3600)
        await watched(vaulted)

    statement = select(JOBS.c.request).where(JOBS.c.kind == "vault.alerts.mail")
    [request] = await place.database.read(lambda c: list(c.execute(statement).scalars()))
    assert request["to"] == "anna@example.com"
    assert request["subject"] == "Keystead: 2 things need attention"
    assert "one.com: registrar-name-servers" in request["text"]


async def test_what_a_revoked_credential_has_shown_is_compared_with_nothing(vaulted: Vaulted) -> None:
    await watched(vaulted)
    await zone(vaulted, "one.com")
    vaulted.workplace.clock.advance(3600)
    await watched(vaulted)
    before = len(await found(vaulted))
    [held] = await vaulted.workplace.do(credentials.list_)
    await vaulted.workplace.do(credentials.revoke, held.id)
    vaulted.workplace.clock.advance(3600)
    await watched(vaulted)

    assert before == 1
    assert await found(vaulted) == []


async def test_nobody_is_shown_or_told_what_another_account_has(vaulted: Vaulted) -> None:
    await zone(vaulted, "one.com")
    await watched(vaulted)
    eve = Principal((await people.account(vaulted.workplace, "other")).id, "user:9 eve", ALL_PERMISSIONS)

    assert await vaulted.workplace.do_as(eve, domains.list_, Narrowed(), Window()) == []
    assert await vaulted.workplace.do_as(eve, findings.list_, Page()) == []
    assert await vaulted.workplace.do_as(eve, looks.list_) == {}


async def test_an_end_of_a_credential_is_told_at_each_threshold_and_of_a_revoked_one_never(vaulted: Vaulted) -> None:
    await listening(vaulted)
    place = vaulted.workplace
    ends = place.clock.now() + timedelta(days=8)
    await added(place, external_id="kept", provider="hosttracker", expires_at=ends)
    revoked = await added(place, external_id="revoked", provider="hosttracker", expires_at=ends)
    await place.do(credentials.revoke, revoked.id)
    for _ in range(10):
        await watched(vaulted)
        place.clock.advance(EVERY.total_seconds())

    ending = [data for event, data in await told(vaulted) if event == "credential.expiring"]
    assert [(data["credential"]["alias"], data["threshold_days"]) for data in ending] == [
        ("301st-20250110-080000", level) for level in (14, 7, 1, 0)
    ]


async def test_a_deleted_credential_takes_registrations_along_and_leaves_domains(vaulted: Vaulted) -> None:
    await watched(vaulted)
    [held] = await vaulted.workplace.do(credentials.list_)

    await vaulted.workplace.do(credentials.remove, held.id)

    rows = await table(vaulted)
    assert sorted(rows) == ["one.com", "two.com"]
    assert {row.registrar for row in rows.values()} == {None}


async def test_a_transferred_domain_is_with_the_registrar_that_has_it_longest(vaulted: Vaulted) -> None:
    await watched(vaulted)
    place = vaulted.workplace
    other = await added(place, external_id="other", provider="namesilo")

    sooner, later = (SeenRegistration("one.com", date(year, 1, 1)) for year in (2027, 2031))
    await place.do(registrations.record, other.id, [sooner], began=place.clock.now())
    before = (await table(vaulted))["one.com"].registrar
    await place.do(registrations.record, other.id, [later], began=place.clock.now())

    assert before == "namecheap"
    assert (await table(vaulted))["one.com"].registrar == "namesilo"


async def test_a_replaced_account_keeps_domains_that_a_registrar_lists(vaulted: Vaulted) -> None:
    await watched(vaulted)
    await zone(vaulted, "one.com", "only-a-zone.com")
    [held] = await vaulted.workplace.do(credentials.list_)

    await vaulted.workplace.database.write(lambda c: zone_store.remove_of(c, held.id))

    assert sorted(await table(vaulted)) == ["one.com", "two.com"]


async def test_a_mail_is_sent_by_its_job_or_says_why_not() -> None:
    sent: list[tuple[str, str, str]] = []

    class Post:
        async def send(self, to: str, subject: str, text: Secret[str]) -> None:
            sent.append((to, subject, text.reveal()))

    request = {"to": "anna@example.com", "subject": "Keystead: 1 thing needs attention", "text": "- one.com"}
    job = cast("Job", SimpleNamespace(request=request))  # of a job only its request is looked at

    await AlertMails(Post(), ManualClock()).carry_out(job)
    with pytest.raises(Rejected):
        await AlertMails(None, ManualClock()).carry_out(job)

    assert sent == [("anna@example.com", "Keystead: 1 thing needs attention", "- one.com")]


async def test_a_dns_that_is_away_for_many_domains_keeps_nobody_from_being_told(vaulted: Vaulted) -> None:
    await listening(vaulted)
    await vaulted.workplace.do(domains.put, [Entry(f"name-{number}.org") for number in range(3 * TOGETHER)])
    vaulted.lookup.is_away = True
    vaulted.registrar.balance = "1.00"
    await watched(vaulted)
    vaulted.workplace.clock.advance(3600)
    await vaulted.domain_watch.round()

    assert [event for event, _ in await told(vaulted)] == ["credential.balance_low"]


async def test_a_token_whose_end_was_changed_at_cloudflare_ends_here_then_too(vaulted: Vaulted) -> None:
    await vaulted.connect(vaulted.remote.bootstrap().value, alias="cf")
    soon = (vaulted.workplace.clock.now() + timedelta(days=5)).replace(microsecond=0)
    vaulted.remote.working()[0].expires_on = soon.strftime("%Y-%m-%dT%H:%M:%SZ")
    await listening(vaulted)

    await watched(vaulted)

    [token] = [one for one in await vaulted.workplace.do(credentials.list_) if one.alias == "cf"]
    assert token.expires_at == soon
    assert "credential.expiring" in [event for event, _ in await told(vaulted)]


async def test_a_look_at_cloudflare_verifies_the_token_and_reads_zones(vaulted: Vaulted) -> None:
    vaulted.remote.add_zones(2)
    await vaulted.connect(vaulted.remote.bootstrap().value, alias="cf")
    vaulted.remote.add_zones(3)
    await watched(vaulted)
    zoned = [row for row in (await table(vaulted)).values() if row.zone_provider == "cloudflare"]
    missing = [row for row in zoned if row.zone_missing_since is not None]
    vaulted.remote.tokens.clear()
    vaulted.workplace.clock.advance(EVERY.total_seconds())
    await watched(vaulted)

    refused = [one for one in await found(vaulted) if one.kind == "credential-refused"]
    assert (len(zoned) > 2, missing) == (True, [])
    assert [(one.credential, one.provider) for one in refused] == [("cf", "cloudflare")]
