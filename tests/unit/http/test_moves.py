"""Domain moves against stand-ins: the whole way, what goes wrong on it, and what is left when it is cut."""

import pytest

from keystead.jobs.store import State as JobState
from keystead.vault.moveplan import Fate
from keystead.vault.movevalue import State
from tests.support.moving import CLOUDFLARES, Moving
from tests.support.work import Workplace


@pytest.fixture
async def moving(workplace: Workplace) -> Moving:
    made = Moving(workplace)
    await made.connect(domains=30)
    return made


async def test_a_list_of_domains_is_moved_after_its_plan_was_approved(moving: Moving) -> None:
    moving.remote._zone("domain-000.pro", "7fadeb365dc925694b8dcfb313412345", "pending")
    order = moving.order()
    planned = await moving.moves.plan(moving.vaulted.call(), order)

    done = await moving.settle(await moving.start(order))

    assert (planned.counts[Fate.CHANGE], planned.zones_made) == (30, 29)
    assert (done.job.state, done.job.done, done.by_state()["done"]) == (JobState.DONE, 30, 30)
    assert set(moving.zones().values()) == {"active"}
    assert set(map(tuple, moving.registrar.name_servers.values())) == {tuple(CLOUDFLARES)}
    items = await moving.items(done.job.number, State.DONE)
    assert all(item.previous is not None and item.previous.is_own_dns for item in items.values())
    assert {item.is_made for name, item in items.items() if name != "domain-000.pro"} == {True}
    assert not items["domain-000.pro"].is_made
