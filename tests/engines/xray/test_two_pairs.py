"""Two key pairs on one port against the real core: one in front, the other behind it on loopback."""

import asyncio
from pathlib import Path

import pytest

from keystead.engines.xray.plan import plan
from keystead.engines.xray.state import XrayActual
from keystead.reconcile.plan import Step, Verb
from tests.engines.xray.test_handover import dialling
from tests.support import xray
from tests.support.downloads import DIAL_MAX_S, GAP_MAX_S, MB, downloading, streaming
from tests.support.flows import client_of
from tests.support.xray import XrayUser

SIZE = 300_000
RESTART = Step("core", "xray/main", Verb.RESTART, "", "serving", "asked for by the test")


async def chained(lab: xray.Lab) -> None:
    """Have the core serve both pairs."""
    lab.rotate()
    await lab.driver.apply(RESTART, lab.desired)


def left_over(lab: xray.Lab, actual: XrayActual) -> list[str]:
    """Return what would have to be done for the core to be as desired."""
    return [str(step) for step in plan("xray/main", lab.desired, actual, settings=lab.options.settings).steps]


async def test_links_of_both_pairs_connect_at_one_port_and_every_byte_is_the_right_keys(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        one, other, own = await lab.add("k1-1"), await lab.add("k2-1"), await lab.open("k3-1")
        old = {user.label: lab.profile(user) for user in (one, other, own)}
        await chained(lab)
        later = await lab.add("k4-1")
        new = {user.label: lab.profile(user) for user in (one, other, own, later)}
        for profile in (old["k1-1"], new["k2-1"], old["k3-1"], new["k3-1"], new["k4-1"]):
            assert await xray.dial(profile, lab.origin, SIZE) is not None
        for profile in (old["k1-1"], new["k1-1"]):
            async with client_of("sing-box", profile) as port:
                assert await xray.get(port, lab.origin, SIZE) is not None
        counted = {
            label: found.downlink // SIZE for label, found in (await lab.driver.read_counters()).counters.items()
        }
        actual, sizes = await lab.driver.observe(), await lab.driver.sizes()

    assert {old["k1-1"].port, new["k1-1"].port} == {lab.inbound.port}
    assert old["k1-1"].public_key != new["k1-1"].public_key
    assert {label: count for label, count in counted.items() if label.startswith("k")} == {
        "k1-1": 3,
        "k2-1": 1,
        "k3-1": 2,
        "k4-1": 1,
    }
    assert left_over(lab, actual) == []
    assert sizes == {"shared": 3, "keystead-behind-1": 4, lab.own["k3-1"].tag: 1}


@pytest.mark.alone
@pytest.mark.slow
async def test_no_dial_fails_while_a_pair_is_rotated_and_while_it_is_retired(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_trusted=True) as lab:
        user, other = await lab.add("k1-1"), await lab.open("k2-1")
        old, own = lab.profile(user), lab.profile(other)
        async with xray.client(old) as port, xray.client(own) as own_port, downloading(lab.profile(user)) as download:
            async with dialling(port, lab.origin) as times, dialling(own_port, lab.origin) as own_times:
                await chained(lab)
                await asyncio.sleep(0.5)
            async with xray.client(lab.profile(user)) as new_port, dialling(new_port, lab.origin) as new_times:
                await asyncio.sleep(0.5)
                lab.retire()
                await lab.driver.apply(RESTART, lab.desired)
                await asyncio.sleep(0.5)
            refused = [await xray.dial(profile, lab.origin, within_s=2) for profile in (old, own)]
            served = [await lab.dial(user), await lab.dial(other)]
            tags = await lab.driver._running().client.inbound_tags()
            assert not download.is_over
            assert download.longest_gap_s < GAP_MAX_S

    for each in (times, own_times, new_times):
        assert len(each) > 10
        assert None not in each
        assert max(took_s for took_s in each if took_s is not None) < DIAL_MAX_S
    assert refused == [None, None]
    assert None not in served
    assert not [tag for tag in tags if "behind" in tag]


async def test_a_removed_key_is_cut_behind_as_it_is_in_front_and_its_neighbours_are_not(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        doomed, kept = await lab.add("k1-1"), await lab.add("k2-1")
        old, old_kept = lab.profile(doomed), lab.profile(kept)
        await chained(lab)
        async with (
            downloading(old) as behind,
            downloading(lab.profile(doomed)) as in_front,
            downloading(old_kept, source="127.0.0.2") as neighbour,
        ):
            live = await lab.driver.watching.connections(["k1-1", "k2-1"])
            carried = (await lab.driver.carried())[-1].labels["k2-1"]
            received = neighbour.received
            await lab.remove("k1-1")
            took_s = [await one.over_after_s() for one in (behind, in_front)]
            again = [await xray.dial(profile, lab.origin, within_s=2) for profile in (old, lab.profile(doomed))]
            await asyncio.sleep(0.5)
            assert not neighbour.is_over
            assert neighbour.longest_gap_s < GAP_MAX_S

    assert {(one.label, one.tag, one.local_port) for one in live} == {
        ("k1-1", "shared", lab.inbound.port),
        ("k1-1", "keystead-behind-1", lab.inbound.port),
        ("k2-1", "keystead-behind-1", lab.inbound.port),
    }
    assert {one.peer_host for one in live if one.label == "k2-1"} == {"127.0.0.2"}
    assert 0.8 * received < carried.downlink + 7_000 < 1.2 * received + 20_000
    assert None not in took_s
    assert again == [None, None]


async def test_who_came_through_which_pair_is_told_apart(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        one, other = await lab.add("k1-1"), await lab.add("k2-1")
        old = lab.profile(one)
        await chained(lab)
        assert await xray.dial(old, lab.origin) is not None
        assert await lab.dial(other) is not None
        watching = lab.driver.watching
        sides = [set(await watching.seen(60.0, is_behind=side)) for side in (True, False, None)]

    assert sides == [{"k1-1"}, {"k2-1"}, {"k1-1", "k2-1"}]


@pytest.mark.alone
@pytest.mark.slow
async def test_a_speed_limit_holds_for_both_pairs_together(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user = await lab.add("k1-1")
        old = lab.profile(user)
        lab.limits["k1-1"] = 3 * MB
        await chained(lab)
        async with (
            streaming(old, bytes_per_s=20 * MB) as behind,
            streaming(lab.profile(user), bytes_per_s=20 * MB) as in_front,
        ):
            await asyncio.sleep(3)
            rates = await asyncio.gather(*(stream.per_s(8) for stream in (behind, in_front)))

    assert 0.85 * 3 * MB < sum(rates) < 1.15 * 3 * MB
    assert min(rates) > 0.5 * MB


async def test_a_core_that_crashes_starts_with_both_pairs_and_what_was_changed_since(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        gone, own, closed = await lab.add("k1-1"), await lab.open("k2-1"), await lab.open("k3-1")
        old = {user.label: lab.profile(user) for user in (gone, own, closed)}
        await chained(lab)
        await lab.remove("k1-1")
        await lab.remove("k3-1")
        await lab.add("k4-1")
        lab.driver._core.kill("by the test")
        async with asyncio.timeout(5):
            await lab.driver._core.when_changed()
        await lab.ready()
        actual = await lab.driver.observe()
        dials = [await xray.dial(old[label], lab.origin, within_s=3) is not None for label in ("k1-1", "k2-1")]

        assert left_over(lab, actual) == []
        assert dials == [False, True]
        assert await lab.dial(own) is not None
        assert {label for label in actual.users["keystead-behind-1"] if label.startswith("k")} >= {"k2-1", "k4-1"}


async def test_a_user_that_is_missing_behind_is_drift(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user = await lab.add("k1-1")
        old = lab.profile(user)
        await chained(lab)
        client = lab.driver._running().client
        await client.remove_user("keystead-behind-1", "k1-1")
        await client.add_user("keystead-behind-1", XrayUser("stranger", "11111111-2222-4333-8444-555555555555"))
        sizes = await lab.driver.sizes()
        found = plan("xray/main", lab.desired, await lab.driver.observe(), settings=lab.options.settings)
        for step in found.steps:
            await lab.driver.apply(step, lab.desired)

        assert sizes["keystead-behind-1"] == 1
        assert [(step.verb.value, step.subject) for step in found.steps] == [("remove", "stranger"), ("add", "k1-1")]
        assert left_over(lab, await lab.driver.observe()) == []
        assert await xray.dial(old, lab.origin) is not None


async def test_the_next_api_takes_a_core_with_both_pairs_over(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_attached=False) as lab:
        user = await lab.open("k1-1")
        old = lab.profile(user)
        await chained(lab)
        before = lab.driver.status().process
        await lab.driver.stop()
        lab.renew()
        await lab.driver.start()
        await lab.ready()
        other = await lab.open("k2-1")

        assert lab.driver.status().process == before
        assert left_over(lab, await lab.driver.observe()) == []
        assert await xray.dial(old, lab.origin) is not None
        assert await lab.dial(other) is not None
        assert await lab.dial(user) is not None
