"""What a domain move changes is on record before a provider is asked, and a kill at any rung doubles nothing."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from keystead.jobs.errors import NotYet
from keystead.outgoing.client import Reply, Request
from keystead.vault import domains, intents
from keystead.vault.moveplan import MoveOrder, Wanted
from keystead.vault.store.domaintable import Narrowed, Window
from tests.support.moving import CLOUDFLARES, Moving
from tests.support.standins.namecheap import OWN_DNS
from tests.support.standins.server import Fate as Lot
from tests.support.work import Workplace
from tests.unit.operations.domains.test_domain_watch import watched
from tests.unit.operations.domains.test_moves import ONE, audited

ORDER = MoveOrder((Wanted(ONE),), ({"type": "A", "name": "@", "content": "192.0.2.1", "ttl": 1},))
# The requests of a move that change something, and what their intents call it.
CHANGES = {
    "POST /zones": "zone.create",
    "POST /batch": "records.change",
    "setCustom": "domain.name_servers",
    "setDefault": "domain.name_servers",
    "DELETE": "zone.remove",
}
MOVED = ["zone.create", "records.change", "domain.name_servers"]
UNDONE = ["domain.name_servers", "zone.remove"]


class Killed(asyncio.CancelledError):
    """The process is gone."""


@dataclass
class Trail:
    """What a process has put on record and what providers have carried out, in order; it dies behind some of that."""

    dies_behind: int | None = None
    seen: list[tuple[str, str]] = field(default_factory=list)

    def follow(self, moving: Moving) -> None:
        """Follow the requests and commits of a process."""
        write, send = moving.vaulted.transactions.write, moving.vaulted.sender.send

        async def writing(call: Any, verb: Any, /, *args: Any, **more: Any) -> Any:
            committed = await write(call, verb, *args, **more)
            if verb is intents.put:
                self._note("intent", args[0].value)
            return committed

        async def sending(request: Request) -> Reply:
            reply = await send(request)
            change = change_of(request)
            if change is not None:
                self._note("asked", change)
            return reply

        moving.vaulted.transactions.write = writing  # type: ignore[method-assign]
        moving.vaulted.sender.send = sending  # type: ignore[method-assign]

    def _note(self, what: str, change: str) -> None:
        self.seen.append((what, change))
        if len(self.seen) == self.dies_behind:
            raise Killed

    def asked(self) -> list[str]:
        """Return the changes that providers were asked for."""
        return [change for what, change in self.seen if what == "asked"]


def change_of(request: Request) -> str | None:
    path = request.url.partition("?")[0]
    texts = [f"{request.method} /{path.rpartition('/')[2]}", request.method]
    texts += [name for name in ("setCustom", "setDefault") if f"dns.{name}&" in f"{request.url}&"]
    return next((CHANGES[text] for text in texts if text in CHANGES), None)


@pytest.fixture
async def moving(workplace: Workplace) -> Moving:
    """Return a move's surroundings with one domain at its registrar, which was looked at."""
    made = Moving(workplace)
    await made.connect(domains=1)
    await watched(made.vaulted)
    return made


async def killed(moving: Moving, moment: int) -> Trail:
    """Carry a job out in a process that dies, and then in the one after it; return what both have done."""
    trail = Trail(moment)
    trail.follow(moving)
    job = await moving.runner.claim()
    assert job is not None
    with suppress(Killed, NotYet):
        await moving.job.carry_out(job)
    assert len(trail.seen) == moment
    moving.workplace.clock.advance(60)
    return trail


async def shown(moving: Moving) -> list[str] | None:
    [row] = await moving.workplace.do(domains.list_, Narrowed(), Window())
    return row.registrar_name_servers


def check_recorded_first(trail: Trail) -> None:
    """Check that each request had an intent of its own before it."""
    for change in {change for _, change in trail.seen}:
        before = "asked"
        for what in [what for what, about in trail.seen if about == change]:
            assert (before, what) != ("asked", "asked"), f"{change} was asked for without an intent"
            before = what


async def test_every_change_of_a_move_and_of_its_undoing_is_on_record_before_it_is_asked_for(moving: Moving) -> None:
    trail = Trail()
    trail.follow(moving)

    number = await moving.start(ORDER)
    await moving.settle(number)
    await moving.settle((await moving.moves.undo(moving.vaulted.call(), number, removes_zones=True)).job.number)

    expected = [(what, change) for change in MOVED + UNDONE for what in ("intent", "asked")]
    pointed = await audited(moving, "vault.intent")
    assert trail.seen == expected
    assert [one.request_id for one in pointed] == [f"move-{number}"] * 3 + [f"move-{number + 1}"] * 2
    assert pointed[2].subject == f"credential {moving.registrar_credential}"
    assert pointed[2].facts == {"change": "domain.name_servers", "domain": ONE, "name_servers": CLOUDFLARES}
    assert await audited(moving, "vault.intent.fail") == []


@pytest.mark.parametrize("moment", range(1, 7))
async def test_killed_behind_any_intent_or_change_a_move_asks_for_nothing_twice(moving: Moving, moment: int) -> None:
    number = await moving.start(ORDER)
    trail = await killed(moving, moment)
    cut_off = trail.seen[-1]
    after = moving.after_a_kill()
    trail.follow(after)

    done = await after.settle(number)

    check_recorded_first(trail)
    assert (done.by_state()["done"], trail.asked()) == (1, MOVED)
    assert len(await audited(moving, "vault.intent")) == len(MOVED) + (cut_off[0] == "intent")
    for verb in ("vault.domain.name_servers", "vault.move.name_servers", "vault.move.zone"):
        assert len(await audited(moving, verb)) == 1, verb
    [outcome] = await audited(moving, "vault.move.name_servers")
    assert outcome.facts == {"before": OWN_DNS, "name_servers": CLOUDFLARES}
    assert await shown(after) == CLOUDFLARES


@pytest.mark.parametrize("moment", range(1, 5))
async def test_killed_behind_any_intent_or_change_an_undoing_asks_for_nothing_twice(
    moving: Moving, moment: int
) -> None:
    moved = await moving.start(ORDER)
    await moving.settle(moved)
    undoing = (await moving.moves.undo(moving.vaulted.call(), moved, removes_zones=True)).job.number
    trail = await killed(moving, moment)
    after = moving.after_a_kill()
    trail.follow(after)

    done = await after.settle(undoing)

    check_recorded_first(trail)
    assert (done.by_state()["done"], set(trail.asked()), after.zones()) == (1, set(UNDONE), {})
    assert trail.asked().count("domain.name_servers") == 1
    assert len(await audited(moving, "vault.domain.name_servers")) == 2
    assert await shown(after) == OWN_DNS


async def test_a_change_whose_answer_was_lost_says_that_it_may_have_been_made(moving: Moving) -> None:
    moving.remote.fault("POST", "/batch", Lot.LOSE_ANSWER, times=1)

    await moving.settle(await moving.start(ORDER))

    [failed] = await audited(moving, "vault.intent.fail")
    assert (failed.facts["change"], failed.facts["may_have_landed"]) == ("records.change", True)
    assert [len(records) for records in moving.remote.records.values()] == [1]


async def test_a_limit_that_came_before_the_request_is_no_change_that_may_have_been_made(moving: Moving) -> None:
    moving.remote.fault("POST", "/zones", Lot.REFUSE, times=1, status=429, headers={"Retry-After": "120"})

    await moving.settle(await moving.start(ORDER))

    [failed] = await audited(moving, "vault.intent.fail")
    assert (failed.facts["change"], failed.facts["may_have_landed"]) == ("zone.create", False)
