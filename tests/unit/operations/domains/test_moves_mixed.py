"""Domain moves over several registrars at once, and of domains that no registrar here has."""

import asyncio
from contextlib import suppress

import pytest

from keystead.access.permissions import ALL_PERMISSIONS
from keystead.access.principal import Principal
from keystead.jobs.errors import NotYet
from keystead.jobs.store import State as JobState
from keystead.kit.errors import NotFound
from keystead.kit.page import Page
from keystead.vault.moveplan import Fate, MoveOrder, Wanted
from keystead.vault.movevalue import Item, Stage, State
from tests.support import people
from tests.support.moving import CLOUDFLARES, OWN_SERVERS, Moving
from tests.support.standins.cloudflare import MINE
from tests.support.standins.namecheap import OWN_DNS
from tests.support.standins.namesilo import Refused
from tests.support.standins.server import Fate as Lot
from tests.support.work import Workplace

FIRST, SECOND, NOBODYS = "domain-000.pro", "second.com", "elsewhere.com"
OLD = ["ns1.old.net", "ns2.old.net"]
BY_HAND = MoveOrder((Wanted(FIRST), Wanted(SECOND), Wanted(NOBODYS, is_by_hand=True)))


@pytest.fixture
async def moving(workplace: Workplace) -> Moving:
    made = Moving(workplace)
    await made.connect(domains=1)
    await made.connect_second(SECOND)
    made.parents.held[NOBODYS] = OLD
    return made


async def turned_until_by_hand(moving: Moving, number: int) -> Item:
    """Carry a move out until its domain without a registrar waits for a person, and return that domain."""
    for _ in range(200):
        item = (await moving.items(number))[NOBODYS]
        if item.stage is Stage.BY_HAND and item.problem:
            return item
        if not await moving.turn():
            moving.workplace.clock.advance(60)
    raise AssertionError(item)


async def moved(moving: Moving, order: MoveOrder = BY_HAND) -> int:
    """Carry a move out to its end; the person does what is asked for."""
    number = await moving.start(order)
    await turned_until_by_hand(moving, number)
    moving.parents.held[NOBODYS] = CLOUDFLARES
    await moving.settle(number)
    return number


async def test_the_plan_says_which_registrars_key_serves_which_domain(moving: Moving) -> None:
    moving.second.mine.domains["both.com"] = "2030-01-01"
    moving.registrar.domains["both.com"] = "01/22/2030"
    listed = (Wanted(FIRST), Wanted(SECOND), Wanted("both.com"), Wanted(NOBODYS), Wanted(NOBODYS, is_by_hand=True))
    first, second = moving.registrar_credential, moving.second_credential

    planned = await moving.moves.plan(moving.vaulted.call(), MoveOrder(listed))

    told = [(one.registrar_credential_id, one.registrar, one.is_by_hand, one.note) for one in planned.foreseen]
    both = (
        f"credentials {first} (namecheap) and {second} (namesilo) both have it; name the one whose registrar it is at"
    )
    assert told == [
        (first, "namecheap", False, None),
        (second, "namesilo", False, None),
        (None, None, False, both),
        (None, None, False, "it is not registered with any credential here"),
        (None, None, True, None),
    ]
    assert planned.foreseen[-1].delegated == tuple(OLD)
    assert (planned.by_hand, planned.counts[Fate.CHANGE]) == (1, 3)


async def test_domains_of_several_registrars_are_moved_by_one_job_and_undone_by_one(moving: Moving) -> None:
    call = moving.vaulted.call()
    order = MoveOrder((Wanted(FIRST), Wanted(SECOND)))

    number = (await moving.settle(await moving.start(order))).job.number
    items = await moving.items(number)
    pointed = (dict(moving.registrar.name_servers), dict(moving.second.mine.name_servers))
    undone = await moving.settle((await moving.moves.undo(call, number, removes_zones=True)).job.number)

    assert {name: item.previous and list(item.previous.names) for name, item in items.items()} == {
        FIRST: OWN_DNS,
        SECOND: OWN_SERVERS,
    }
    assert pointed == ({FIRST: CLOUDFLARES}, {SECOND: CLOUDFLARES})
    assert (undone.by_state()["done"], moving.zones()) == (2, {})
    assert (moving.registrar.name_servers, moving.second.mine.name_servers) == ({}, {SECOND: OWN_SERVERS})


async def test_a_registrar_that_is_held_up_holds_up_no_other(moving: Moving) -> None:
    number = await moving.start(MoveOrder((Wanted(FIRST), Wanted(SECOND))))
    moving.second.next_refusals = [Refused("400")] * 50

    for _ in range(10):
        await moving.turn()
        moving.workplace.clock.advance(20)
    held_up = await moving.items(number)
    moving.second.next_refusals = []
    done = await moving.settle(number)

    assert held_up[FIRST].state is State.DONE
    assert (held_up[SECOND].stage, held_up[SECOND].attempts) == (Stage.NAME_SERVERS, 0)
    assert done.by_state()["done"] == 2


async def test_what_one_registrar_refuses_is_said_in_its_own_words(moving: Moving) -> None:
    number = await moving.start(MoveOrder((Wanted(FIRST), Wanted(SECOND))))
    moving.second.mine.domains.clear()

    await moving.settle(number)

    [failed] = (await moving.items(number, State.FAILED)).values()
    told = "NameSilo refused: 200: Domain is not active, or does not belong to this user"
    assert (failed.domain, failed.problem) == (SECOND, told)


async def test_a_domain_by_hand_waits_for_a_person_who_is_told_what_to_set(moving: Moving) -> None:
    number = await moving.start(BY_HAND)

    waiting = await turned_until_by_hand(moving, number)
    under_way = await moving.find(number)
    moving.parents.held[NOBODYS] = CLOUDFLARES
    done = await moving.settle(number)

    told = f"set its name servers to {', '.join(CLOUDFLARES)} at its registrar; now they are {', '.join(OLD)}"
    assert waiting.problem == told
    assert under_way.by_stage()["by-hand"] == 1
    assert (done.by_state()["done"], moving.zones()[NOBODYS]) == (3, "active")
    previous = (await moving.items(number))[NOBODYS].previous
    assert (previous and list(previous.names)) == OLD


async def test_undoing_waits_until_the_person_has_set_it_back(moving: Moving) -> None:
    call = moving.vaulted.call()
    number = await moved(moving)

    undoing = (await moving.moves.undo(call, number, removes_zones=True)).job.number
    waiting = await turned_until_by_hand(moving, undoing)
    zones = set(moving.zones())
    moving.parents.held[NOBODYS] = OLD
    undone = await moving.settle(undoing)

    told = f"set its name servers to {', '.join(OLD)} at its registrar; now they are {', '.join(CLOUDFLARES)}"
    assert (waiting.problem, zones) == (told, {NOBODYS})
    assert (undone.by_state()["done"], moving.zones()) == (3, {})


async def test_undoing_leaves_what_the_person_has_pointed_elsewhere(moving: Moving) -> None:
    number = await moved(moving)
    moving.parents.held[NOBODYS] = ["ns1.new.net"]

    undoing = (await moving.moves.undo(moving.vaulted.call(), number, removes_zones=True)).job.number
    await moving.settle(undoing)

    [failed] = (await moving.items(undoing, State.FAILED)).values()
    assert failed.problem == "somebody has pointed it at ns1.new.net meanwhile; nothing was changed"
    assert set(moving.zones()) == {NOBODYS}


async def test_by_hand_needs_no_registrar_at_all(workplace: Workplace) -> None:
    moving = Moving(workplace)
    moving.parents.held[NOBODYS] = OLD
    moving.zone_credential = (await moving.vaulted.connect(moving.remote.bootstrap().value, MINE)).credential.id

    number = await moved(moving, MoveOrder((Wanted(NOBODYS, is_by_hand=True),)))

    assert (await moving.find(number)).by_state()["done"] == 1


@pytest.mark.parametrize("moment", [1, 3, 5, 7, 9, 12, 15])
async def test_killed_behind_any_request_it_ends_as_if_it_had_not_been(moving: Moving, moment: int) -> None:
    number = await moving.start(BY_HAND)
    left = moment

    def kill() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise asyncio.CancelledError

    moving.vaulted.sender.after = kill
    job = await moving.runner.claim()
    assert job is not None
    with suppress(asyncio.CancelledError, NotYet):
        await moving.job.carry_out(job)
    after = moving.after_a_kill()
    after.parents.held[NOBODYS] = OLD
    moving.workplace.clock.advance(60)
    await turned_until_by_hand(after, number)
    after.parents.held[NOBODYS] = CLOUDFLARES

    done = await after.settle(number)

    assert (done.job.state, done.job.done, done.by_state()["done"]) == (JobState.DONE, 3, 3)
    items = await after.items(number)
    assert {name: item.previous and list(item.previous.names) for name, item in items.items()} == {
        FIRST: OWN_DNS,
        SECOND: OWN_SERVERS,
        NOBODYS: OLD,
    }
    assert set(after.zones()) == {FIRST, SECOND, NOBODYS}


async def test_a_pause_while_a_person_is_waited_for_asks_nobody(moving: Moving) -> None:
    call = moving.vaulted.call()
    number = await moving.start(BY_HAND)
    await turned_until_by_hand(moving, number)

    await moving.moves.pause(call, number)
    moving.parents.held[NOBODYS] = CLOUDFLARES
    moving.workplace.clock.advance(3600)
    has_turned = await moving.turn()
    await moving.moves.go_on(call, number)
    done = await moving.settle(number)

    assert not has_turned
    assert done.by_state()["done"] == 3


async def test_an_answer_of_the_second_registrar_that_is_lost_loses_no_former_name_servers(moving: Moving) -> None:
    number = await moving.start(MoveOrder((Wanted(SECOND),)))
    moving.second.fault("GET", "/api/changeNameServers", Lot.LOSE_ANSWER, times=4)

    await moving.settle(number)

    [item] = (await moving.items(number)).values()
    assert (item.state, item.previous and list(item.previous.names)) == (State.DONE, OWN_SERVERS)


async def test_another_account_uses_none_of_the_registrars(moving: Moving) -> None:
    number = await moved(moving)
    account_id = (await people.account(moving.workplace, "other")).id
    eve = moving.vaulted.call(Principal(account_id, "user:9 eve", ALL_PERMISSIONS))
    named = MoveOrder((Wanted(SECOND, moving.zone_credential, moving.second_credential), Wanted(SECOND)))

    planned = await moving.moves.plan(eve, named)

    assert planned.counts[Fate.REFUSED] == 2
    assert all(SECOND not in (one.note or "") and one.registrar is None for one in planned.foreseen)
    with pytest.raises(NotFound):
        await moving.moves.results(eve, number, state=None, page=Page(limit=10))
    with pytest.raises(NotFound):
        await moving.moves.undo(eve, number, removes_zones=True)
