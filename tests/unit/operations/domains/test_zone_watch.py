"""Pending zones are looked at again by themselves: when, with how many requests, and what comes of it."""

import pytest

from keystead.providers.errors import ProviderBusy
from keystead.vault import credentials, zones
from keystead.vault.store.zones import Zone
from tests.support.standins.cloudflare import Cloudflare
from tests.support.standins.server import Fate
from tests.support.vaulted import Vaulted
from tests.support.work import Workplace

QUARTER_S = 15 * 60


@pytest.fixture
def remote() -> Cloudflare:
    return Cloudflare()


@pytest.fixture
async def vaulted(workplace: Workplace, remote: Cloudflare) -> Vaulted:
    made = Vaulted(workplace, remote)
    remote.add_zones(60, status="pending")
    await made.connect(remote.bootstrap().value)
    await made.settle()
    remote.came.clear()
    return made


async def shown(vaulted: Vaulted) -> list[Zone]:
    return await vaulted.zones.list_(vaulted.call())


async def looks(vaulted: Vaulted, wait_s: float) -> int:
    vaulted.workplace.clock.advance(wait_s)
    return await vaulted.watch.round()


async def test_a_zone_that_became_active_is_seen_with_the_next_look(vaulted: Vaulted, remote: Cloudflare) -> None:
    first, second, *_ = remote.zones
    remote.zones[first]["status"] = "active"
    del remote.zones[second]

    assert await looks(vaulted, QUARTER_S) == 60
    found = {one.remote_id: one for one in await shown(vaulted)}

    assert (found[first].status, found[first].check_at, found[first].checks) == ("active", None, 0)
    assert (found[second].missing_since is not None, found[second].check_at) == (True, None)
    assert {one.checks for key, one in found.items() if key not in (first, second)} == {1}
    assert len(remote.asked("GET", "/zones")) == 2
    assert len(remote.asked("PUT", "/activation_check")) == 58
    assert await looks(vaulted, QUARTER_S) == 58
    assert len(remote.asked("PUT", "/activation_check")) == 58


async def test_nothing_is_looked_at_before_it_is_due_or_twice(vaulted: Vaulted, remote: Cloudflare) -> None:
    await looks(vaulted, QUARTER_S)
    asked = len(remote.came)

    assert await vaulted.watch.round() == 0
    assert await looks(vaulted, QUARTER_S - 1) == 0
    assert len(remote.came) == asked


def test_looks_grow_rarer() -> None:
    waits = [zones.check_delay(checks).total_seconds() / 60 for checks in (0, 7, 8, 29, 30, 1000)]

    assert waits == [15, 15, 60, 60, 360, 360]


async def test_a_limit_or_a_refused_check_puts_looks_off(vaulted: Vaulted, remote: Cloudflare) -> None:
    remote.fault("GET", "/zones", Fate.REFUSE, status=429, headers={"Retry-After": "60"})
    assert await looks(vaulted, QUARTER_S) == 60
    remote.fault(
        "PUT",
        "/activation_check",
        Fate.REFUSE,
        status=400,
        body=b'{"success":false,"errors":[{"code":1224,"message":"once per hour"}],"messages":[],"result":null}',
    )

    assert [await looks(vaulted, QUARTER_S) for _ in range(4)] == [60] * 4
    assert {one.status for one in await shown(vaulted)} == {"pending"}
    remote.fault("GET", "/zones", Fate.REFUSE, status=429, headers={"Retry-After": "60"})
    with pytest.raises(ProviderBusy):
        await vaulted.zones.sync(vaulted.call(), 1)


async def test_a_revoked_key_asks_nothing(vaulted: Vaulted, remote: Cloudflare) -> None:
    await vaulted.workplace.do(credentials.revoke, 1)

    assert await looks(vaulted, QUARTER_S) == 60

    assert remote.came == []
