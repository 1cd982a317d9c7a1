"""Domain moves against stand-ins: the whole way, what goes wrong on it, and what is left when it is cut."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from keystead.access.permissions import ALL_PERMISSIONS, Permission
from keystead.access.principal import Principal
from keystead.access.store.audit import AuditFilter
from keystead.access.store.audit import page as audit_page
from keystead.jobs.store import State as JobState
from keystead.kit.errors import Conflict, Forbidden, NeedsConfirmation, NotFound
from keystead.kit.page import Page
from keystead.outgoing.client import Problem
from keystead.providers.errors import ProviderUnavailable
from keystead.vault import credentials
from keystead.vault.moveplan import Fate, MoveOrder, Wanted
from keystead.vault.movevalue import ATTEMPTS_MAX, Stage, State
from tests.support import people
from tests.support.moving import CLOUDFLARES, Moving
from tests.support.queries import noted
from tests.support.standins.cloudflare import MINE
from tests.support.standins.namecheap import OWN_DNS, Refused
from tests.support.standins.server import Fate as Lot
from tests.support.work import Workplace

ONE = "domain-000.pro"


@pytest.fixture
async def moving(workplace: Workplace) -> Moving:
    made = Moving(workplace)
    await made.connect(domains=4)
    return made


async def audited(moving: Moving, verb: str) -> list[Any]:
    place = moving.workplace
    return await place.database.read(
        lambda c: audit_page(c, place.account_id, Page(limit=1000), AuditFilter(verb=verb))  # type: ignore[call-arg]
    )


async def test_a_list_is_moved_after_its_plan_was_approved(workplace: Workplace) -> None:
    moving = Moving(workplace)
    await moving.connect(domains=30)
    moving.remote._zone(ONE, MINE, "pending")
    planned = await moving.moves.plan(moving.vaulted.call(), moving.order())

    done = await moving.settle(await moving.start(moving.order()))

    assert (planned.counts[Fate.CHANGE], planned.zones_made) == (30, 29)
    assert (done.job.state, done.job.done, done.by_state()["done"]) == (JobState.DONE, 30, 30)
    assert set(moving.zones().values()) == {"active"}
    assert set(map(tuple, moving.registrar.name_servers.values())) == {tuple(CLOUDFLARES)}
    items = await moving.items(done.job.number, State.DONE)
    assert {item.previous and item.previous.names for item in items.values()} == {tuple(OWN_DNS)}
    assert [name for name, item in items.items() if not item.is_made] == [ONE]


async def test_a_plan_says_of_each_domain_what_becomes_of_it_and_why(moving: Moving) -> None:
    moving.remote._zone("domain-001.pro", MINE, "active")
    moving.registrar.name_servers["domain-001.pro"] = CLOUDFLARES
    moving.remote._zone("domain-002.pro", MINE, "moved")
    listed = (ONE, "domain-001.pro", "domain-002.pro", "elsewhere.com", "www.example.com", "no name", ONE.upper())
    order = MoveOrder((*map(Wanted, listed), Wanted("domain-003.pro", zone_credential_id=77)))

    planned = await moving.moves.plan(moving.vaulted.call(), order)

    told = [(one.fate.value, one.note) for one in planned.foreseen]
    assert told == [
        ("change", None),
        ("same", None),
        ("refused", "its zone is moved at Cloudflare; delete that zone, or have it checked"),
        ("refused", "it is not registered with credential 2"),
        ("refused", "www.example.com is below example.com"),
        ("refused", "this is not a domain name"),
        ("refused", "it is in the list twice"),
        ("refused", "credential 77 is none of this account's at Cloudflare"),
    ]
    assert moving.registrar.name_servers == {"domain-001.pro": CLOUDFLARES}


async def test_nothing_starts_without_the_digest_of_the_plan_as_it_is_now(moving: Moving) -> None:
    call = moving.vaulted.call()
    reviewed = await moving.moves.plan(call, moving.order())
    moving.remote._zone(ONE, MINE, "active")

    with pytest.raises(NeedsConfirmation):
        await moving.moves.start(call, moving.order(), digest=None)
    with pytest.raises(Conflict):
        await moving.moves.start(call, moving.order(), digest=reviewed.digest)

    assert await moving.moves.list_(call, Page(limit=10)) == []


async def test_the_registrars_list_is_not_asked_for_twice_in_a_row(moving: Moving) -> None:
    await moving.moves.plan(moving.vaulted.call(), moving.order())
    asked = len(moving.registrar.came)

    await moving.start(moving.order())
    moving.workplace.clock.advance(121)
    await moving.moves.plan(moving.vaulted.call(), moving.order())

    assert len(moving.registrar.came) == asked + 1


async def test_a_list_says_the_same_as_each_and_asks_no_more_for_many_than_for_one(moving: Moving) -> None:
    numbers = [await moving.start(moving.order(name)) for name in sorted(moving.registrar.domains)[:3]]
    await moving.settle(numbers[0])
    call, database = moving.vaulted.call(), moving.workplace.database

    with noted(database) as for_one:
        await moving.moves.list_(call, Page(limit=1))
    with noted(database) as for_all:
        listed = await moving.moves.list_(call, Page(limit=10))

    assert list(listed) == [await moving.find(number) for number in reversed(numbers)]
    assert len(for_all) == len(for_one)


async def test_records_are_copied_from_a_source_and_given_ones_added(moving: Moving) -> None:
    source = moving.remote._zone("source.com", MINE, "active")
    client = (await moving.job._openings.cloudflare(moving.vaulted.call(), moving.zone_credential)).client
    for record in (
        {"type": "A", "name": "source.com", "content": "192.0.2.1", "proxied": True, "ttl": 1},
        {"type": "CNAME", "name": "www.source.com", "content": "source.com", "ttl": 1},
    ):
        await client.create_record(source["id"], record)
    given = ({"type": "TXT", "name": "@", "content": "owner of {domain}", "ttl": 300},)
    order = MoveOrder((Wanted(ONE, source="source.com"),), given)

    done = await moving.settle(await moving.start(order))

    [zone_id] = [item.zone_id for item in (await moving.items(done.job.number)).values()]
    records = sorted(await client.records(str(zone_id)), key=lambda record: str(record["type"]))
    assert [(one["type"], one["name"], one["content"]) for one in records] == [
        ("A", ONE, "192.0.2.1"),
        ("CNAME", f"www.{ONE}", ONE),
        ("TXT", ONE, f"owner of {ONE}"),
    ]


async def test_records_that_are_there_in_other_words_are_not_counted_as_added(moving: Moving) -> None:
    error = b'{"code":81058,"message":"An identical record already exists."}'
    told = b'{"success":false,"errors":[' + error + b'],"messages":[],"result":null}'
    for ending in ("/dns_records/batch", "/dns_records"):
        moving.remote.fault("POST", ending, Lot.REFUSE, status=400, body=told)
    given = ({"type": "AAAA", "name": "@", "content": "2001:0db8:0:0::1", "ttl": 1},)

    await moving.settle(await moving.start(MoveOrder((Wanted(ONE),), given)))

    [record] = await audited(moving, "vault.move.records")
    assert record.facts == {"added": 0}


async def test_an_answer_that_is_lost_makes_no_second_zone(moving: Moving) -> None:
    moving.remote.fault("POST", "/zones", Lot.LOSE_ANSWER, times=2)
    moving.remote.fault("POST", "/zones", Lot.ACT_AND_FAIL, times=1)

    done = await moving.settle(await moving.start(moving.order()))

    assert done.by_state()["done"] == 4
    assert set(moving.zones()) == set(moving.registrar.domains)
    assert {item.is_made for item in (await moving.items(done.job.number)).values()} == {True}


async def test_name_servers_whose_answer_was_lost_are_on_record_with_what_they_were_before(moving: Moving) -> None:
    number = await moving.start(moving.order(ONE))
    left = 1

    def lose() -> None:
        nonlocal left
        asked = moving.registrar.came[-1].query["Command"]
        if left and asked.endswith("setCustom"):
            left -= 1
            raise ProviderUnavailable("no answer in time", may_have_landed=True)

    moving.vaulted.sender.after = lose
    await moving.settle(number)

    [item] = (await moving.items(number)).values()
    [record] = await audited(moving, "vault.move.name_servers")
    assert (item.state, item.previous and item.previous.names) == (State.DONE, tuple(OWN_DNS))
    assert record.facts == {"before": OWN_DNS, "name_servers": CLOUDFLARES}


async def test_a_limit_is_waited_for_and_is_no_failure(moving: Moving) -> None:
    moving.remote.fault("POST", "/zones", Lot.REFUSE, times=6, status=429, headers={"Retry-After": "120"})

    done = await moving.settle(await moving.start(moving.order()))

    assert done.by_state()["done"] == 4
    assert len(moving.zones()) == 4


async def test_a_zone_that_somebody_made_while_a_limit_was_waited_for_is_not_the_moves_to_delete(
    moving: Moving,
) -> None:
    number = await moving.start(moving.order(ONE))
    moving.remote.fault("POST", "/zones", Lot.REFUSE, times=1, status=429, headers={"Retry-After": "120"})
    await moving.turn()
    moving.remote._zone(ONE, MINE, "pending")

    await moving.after_a_kill().settle(number)

    [item] = (await moving.items(number)).values()
    assert (item.state, item.is_made, item.is_making) == (State.DONE, False, False)


async def test_a_check_of_a_zone_that_was_not_carried_out_is_asked_for_again_before_the_hour_is_over(
    moving: Moving,
) -> None:
    number = await moving.start(moving.order(ONE))
    moving.remote.fault("PUT", "/activation_check", Lot.REFUSE, times=1, status=429, headers={"Retry-After": "60"})
    begun_s = moving.workplace.clock.monotonic_s()

    # The clock goes on while the database works, so in small steps.
    done = await moving.settle(number, step_s=10)

    assert done.by_state()["done"] == 1
    assert moving.workplace.clock.monotonic_s() - begun_s < 3_600
    assert not moving.job._stages._checked_s


async def test_a_relay_that_is_silent_fails_a_domain_in_the_end_and_a_retry_goes_on_from_there(moving: Moving) -> None:
    number = await moving.start(moving.order())
    silence = moving.registrar.fault("GET", "/xml.response", Lot.LOSE_REQUEST, times=1_000_000)
    failed = await moving.settle(number)
    items = await moving.items(number)
    silence.times = 0

    retried = await moving.moves.retry(moving.vaulted.call(), number)
    done = await moving.settle(number)

    assert (failed.job.state, failed.job.done, failed.by_state()["failed"]) == (JobState.DONE, 4, 4)
    assert {(item.stage, item.attempts, item.problem) for item in items.values()} == {
        (Stage.NAME_SERVERS, ATTEMPTS_MAX, f"Namecheap did not answer: {Problem.PROTOCOL}")
    }
    assert (retried.job.state, retried.job.done) == (JobState.WAITING, 0)
    assert (done.by_state()["done"], done.job.done) == (4, 4)
    with pytest.raises(Conflict):
        await moving.moves.retry(moving.vaulted.call(), number)


async def test_a_move_that_failed_as_a_whole_goes_on_when_it_is_tried_again(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await moving.start(moving.order())

    async def crash(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(moving.job._stages, "attempt", crash)
        failed = await moving.settle(number)

    await moving.moves.retry(moving.vaulted.call(), number)
    done = await moving.settle(number)

    assert (failed.job.state, failed.by_state()["waiting"]) == (JobState.FAILED, 4)
    assert (done.job.state, done.by_state()["done"], done.job.done) == (JobState.DONE, 4, 4)


async def test_a_retry_while_a_move_finishes_up_is_carried_out(moving: Moving) -> None:
    number = await moving.start(moving.order(ONE))
    moving.registrar.refused[ONE] = Refused("2016166", "Domain is not associated with your account")
    see_zones = moving.job._see_zones

    async def retried_meanwhile(*given: Any) -> None:
        moving.job._see_zones = see_zones  # type: ignore[method-assign]
        del moving.registrar.refused[ONE]
        await moving.moves.retry(moving.vaulted.call(), number)
        await see_zones(*given)

    moving.job._see_zones = retried_meanwhile  # type: ignore[method-assign]
    done = await moving.settle(number)

    assert (done.job.state, done.job.done, done.by_state()["done"]) == (JobState.DONE, 1, 1)


async def test_what_a_provider_refuses_fails_that_domain_alone_with_its_words(moving: Moving) -> None:
    number = await moving.start(moving.order())
    moving.registrar.refused[ONE] = Refused("2016166", "Domain is not associated with your account")

    done = await moving.settle(number)

    [failed] = (await moving.items(number, State.FAILED)).values()
    assert failed.problem == "Namecheap refused: 2016166: Domain is not associated with your account"
    assert done.by_state()["done"] == 3


async def test_a_zone_of_another_account_is_said(moving: Moving) -> None:
    number = await moving.start(moving.order(ONE))
    moving.remote._zone(ONE, "00000000000000000000000000000002", "active")

    await moving.settle(number)

    [failed] = (await moving.items(number)).values()
    assert (failed.state, failed.problem) == (State.FAILED, "another account of Cloudflare has a zone of this name")


async def test_a_parent_that_does_not_follow_in_time_is_a_failure_that_says_what_it_delegates(moving: Moving) -> None:
    moving.parents.held[ONE] = ["ns1.old.net", "ns2.old.net"]

    done = await moving.settle(await moving.start(moving.order(ONE)), step_s=6 * 3600)

    [failed] = (await moving.items(done.job.number)).values()
    assert (failed.stage, failed.attempts) == (Stage.DELEGATION, 0)
    assert failed.problem == "not within 48 hours: the parent delegates it to ns1.old.net, ns2.old.net"


@pytest.mark.parametrize(
    ("behind", "moment"), [("request", n) for n in range(1, 9)] + [("commit", n) for n in range(1, 9)]
)
async def test_killed_behind_any_request_or_commit_it_ends_as_if_it_had_not_been(
    workplace: Workplace, behind: str, moment: int
) -> None:
    moving = Moving(workplace)
    await moving.connect(domains=1)
    number = await moving.start(moving.order())
    left = moment

    def kill() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise asyncio.CancelledError

    watched = moving.vaulted.sender if behind == "request" else moving.vaulted.transactions
    watched.after = kill
    job = await moving.runner.claim()
    assert job is not None
    with suppress(asyncio.CancelledError):
        await moving.job.carry_out(job)
    after = moving.after_a_kill()
    workplace.clock.advance(60)

    done = await after.settle(number)

    assert (done.job.state, done.job.done, done.by_state()["done"]) == (JobState.DONE, 1, 1)
    assert set(after.zones()) == set(moving.registrar.domains)
    items = await after.items(number)
    assert {(item.is_made, item.previous and item.previous.names) for item in items.values()} == {
        (True, tuple(OWN_DNS))
    }


async def test_a_paused_move_does_nothing_until_it_is_continued(moving: Moving) -> None:
    call = moving.vaulted.call()
    number = await moving.start(moving.order())
    paused = await moving.moves.pause(call, number)
    moving.workplace.clock.advance(3600)

    assert not await moving.turn()
    assert (paused.job.state, moving.zones()) == (JobState.PAUSED, {})
    await moving.moves.go_on(call, number)
    assert (await moving.settle(number)).by_state()["done"] == 4
    with pytest.raises(Conflict):
        await moving.moves.go_on(call, number)
    with pytest.raises(Conflict):
        await moving.moves.pause(call, number)


async def test_a_pause_in_the_middle_loses_nothing(moving: Moving) -> None:
    call = moving.vaulted.call()
    number = await moving.start(moving.order())
    asked = 0

    def count() -> None:
        nonlocal asked
        asked += 1

    moving.vaulted.sender.after = count
    turning = asyncio.create_task(moving.turn())
    while asked < 6:
        await asyncio.sleep(0)
    await moving.moves.pause(call, number)
    await turning
    paused = await moving.find(number)

    await moving.moves.go_on(call, number)
    done = await moving.settle(number)

    assert paused.job.state is JobState.PAUSED
    assert (done.by_state()["done"], done.job.done, len(moving.zones())) == (4, 4, 4)
    assert {item.is_made for item in (await moving.items(number)).values()} == {True}


async def test_a_move_that_is_undone_has_the_former_name_servers_and_keeps_its_zones_unless_asked(
    moving: Moving,
) -> None:
    call = moving.vaulted.call()
    moving.registrar.name_servers[ONE] = ["ns1.old.net", "ns2.old.net"]
    moving.remote._zone("domain-001.pro", MINE, "active")
    number = (await moving.settle(await moving.start(moving.order()))).job.number

    undone = await moving.settle((await moving.moves.undo(call, number, removes_zones=False)).job.number)
    zones = len(moving.zones())
    removed = await moving.settle((await moving.moves.undo(call, number, removes_zones=True)).job.number)

    assert (undone.by_state()["done"], removed.by_state()["done"]) == (4, 4)
    assert moving.registrar.name_servers == {ONE: ["ns1.old.net", "ns2.old.net"]}
    assert zones == 4
    assert list(moving.zones()) == ["domain-001.pro"]


async def test_undoing_leaves_a_domain_that_somebody_has_pointed_elsewhere_meanwhile(moving: Moving) -> None:
    call = moving.vaulted.call()
    number = (await moving.settle(await moving.start(moving.order()))).job.number
    moving.registrar.name_servers[ONE] = ["ns1.new.net", "ns2.new.net"]

    undoing = (await moving.moves.undo(call, number, removes_zones=True)).job.number
    await moving.settle(undoing)

    [failed] = (await moving.items(undoing, State.FAILED)).values()
    assert failed.problem == "somebody has pointed it at ns1.new.net, ns2.new.net meanwhile; nothing was changed"
    assert moving.registrar.name_servers == {ONE: ["ns1.new.net", "ns2.new.net"]}
    assert list(moving.zones()) == [ONE]


@pytest.mark.parametrize("told", [CLOUDFLARES[:1], [*CLOUDFLARES, "ns3.elsewhere.net"]])
async def test_a_zone_to_which_any_of_its_name_servers_still_leads_is_kept(moving: Moving, told: list[str]) -> None:
    number = await moving.start(moving.order(ONE))
    moving.registrar.refused[ONE] = Refused("2016166", "Domain is not associated with your account")
    await moving.settle(number)
    moving.parents.held[ONE] = told

    undoing = (await moving.moves.undo(moving.vaulted.call(), number, removes_zones=True)).job.number
    await moving.settle(undoing)

    [failed] = (await moving.items(undoing)).values()
    assert failed.problem == "the domain is still delegated to its zone; the zone was kept"
    assert list(moving.zones()) == [ONE]


async def test_a_move_is_undone_only_when_it_has_ended_and_an_undoing_not_at_all(moving: Moving) -> None:
    call = moving.vaulted.call()
    number = await moving.start(moving.order())

    with pytest.raises(Conflict):
        await moving.moves.undo(call, number, removes_zones=False)
    await moving.moves.cancel(call, number)
    with pytest.raises(Conflict):
        await moving.moves.undo(call, number, removes_zones=False)
    with pytest.raises(Conflict):
        await moving.moves.retry(call, number)


async def test_another_account_sees_no_move_and_uses_no_credential(moving: Moving) -> None:
    number = (await moving.settle(await moving.start(moving.order()))).job.number
    account_id = (await people.account(moving.workplace, "other")).id
    eve = moving.vaulted.call(Principal(account_id, "user:9 eve", ALL_PERMISSIONS))
    named = MoveOrder((Wanted(ONE, moving.zone_credential, moving.registrar_credential),))

    planned = await moving.moves.plan(eve, named)
    for refused in (moving.moves.find, moving.moves.pause, moving.moves.go_on, moving.moves.cancel, moving.moves.retry):
        with pytest.raises(NotFound):
            await refused(eve, number)
    with pytest.raises(NotFound):
        await moving.moves.results(eve, number, state=None, page=Page(limit=10))
    for undo in (moving.moves.plan_undo, moving.moves.undo):
        with pytest.raises(NotFound):
            await undo(eve, number, removes_zones=True)

    assert planned.counts[Fate.REFUSED] == 1
    assert await moving.moves.list_(eve, Page(limit=10)) == []


async def test_only_who_may_use_credentials_moves(moving: Moving) -> None:
    reader = Principal(moving.workplace.account_id, "token:1 bot", frozenset({Permission.VAULT_READ}))

    with pytest.raises(Forbidden):
        await moving.moves.plan(moving.vaulted.call(reader), moving.order())


async def test_a_credential_that_is_revoked_meanwhile_is_the_reason(moving: Moving) -> None:
    number = await moving.start(moving.order(ONE))
    await moving.workplace.do(credentials.revoke, moving.registrar_credential)

    await moving.settle(number)

    [failed] = (await moving.items(number)).values()
    assert failed.problem == f"credential {moving.registrar_credential} is revoked; activate it first"


async def test_everything_that_was_changed_is_on_record(moving: Moving) -> None:
    number = (await moving.settle(await moving.start(moving.order()))).job.number
    await moving.settle((await moving.moves.undo(moving.vaulted.call(), number, removes_zones=True)).job.number)

    counts = {
        verb: len(await audited(moving, f"vault.move.{verb}"))
        for verb in ("start", "zone", "name_servers", "undo", "restore", "zone_removal")
    }
    assert counts == {"start": 1, "zone": 4, "name_servers": 4, "undo": 1, "restore": 4, "zone_removal": 4}
