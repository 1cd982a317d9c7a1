"""Keys with a port of their own against the real core: opened and closed while it runs, and there after every start."""

import asyncio
import socket
from pathlib import Path

from keystead.engines.xray.plan import plan
from keystead.kit.errors import Rejected
from tests.support import xray
from tests.support.downloads import GAP_MAX_S, downloading
from tests.support.xray import Kind


async def test_a_port_is_open_when_its_key_is_added_and_closed_when_it_is_removed(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        process = lab.driver.status().process
        user = await lab.open("k1-1")
        other = await lab.open("k2-1", server_name=xray.SERVER_NAME)
        connected = await lab.dial(user)
        profile = lab.profile(user)
        await lab.remove("k1-1")

        assert connected is not None
        assert not is_listening(profile.port)
        assert await lab.dial(other) is not None
        assert lab.driver.status().process == process


async def test_a_key_connects_at_its_own_port_with_its_own_short_id_only(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        one, other = await lab.open("k1-1"), await lab.open("k2-1")
        at_other_port = xray.replace(lab.profile(one), port=lab.profile(other).port)
        with_other_id = xray.replace(lab.profile(one), short_id=lab.profile(other).short_id)

        assert await xray.dial(at_other_port, lab.origin, within_s=3) is None
        assert await xray.dial(with_other_id, lab.origin, within_s=3) is None
        assert await lab.dial(one) is not None


async def test_a_core_that_crashes_starts_with_every_port(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        kept, _ = await lab.open("k1-1"), await lab.open("k2-1")
        await lab.remove("k2-1")
        lab.driver._core.kill("by the test")
        async with asyncio.timeout(5):
            await lab.driver._core.when_changed()
        await lab.ready()

        assert await lab.dial(kept) is not None
        assert not is_listening(lab.own["k2-1"].port)
        assert plan("xray/main", lab.desired, await lab.driver.observe(), settings=lab.options.settings).is_empty


async def test_a_port_that_was_closed_behind_our_back_is_opened_again(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user = await lab.open("k1-1")
        client = lab.driver._running().client
        await client.remove_inbound(lab.own["k1-1"].tag)
        stray = xray.replace(lab.inbound, tag=f"{xray.LIVE_TAG_PREFIX}stray", port=xray.free_loopback_port())
        await client.add_inbound(stray, [xray.XrayUser("somebody", "11111111-2222-4333-8444-555555555555")])
        sizes = await lab.driver.sizes()
        found = plan("xray/main", lab.desired, await lab.driver.observe(), settings=lab.options.settings)
        for step in found.steps:
            await lab.driver.apply(step, lab.desired)

        assert sizes == {"shared": 0, stray.tag: 1}
        assert [(step.verb.value, step.subject) for step in found.steps] == [("remove", "somebody"), ("add", "k1-1")]
        assert await lab.dial(user) is not None
        assert not is_listening(stray.port)
        assert await lab.driver.sizes() == {"shared": 0, lab.own["k1-1"].tag: 1}


async def test_a_port_that_somebody_else_holds_is_refused_and_leaves_no_tag(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        with socket.create_server(("127.0.0.1", 0)) as other:
            lab.own["k1-1"] = xray.replace(lab.inbound, tag=f"{xray.LIVE_TAG_PREFIX}held", port=other.getsockname()[1])
            lab.want("k1-1")
            outcomes = await lab.driver.apply_marked(lab.part("k1-1"), ["k1-1"])
            tags = await lab.driver._running().client.inbound_tags()

        assert isinstance(outcomes["k1-1"], Rejected)
        assert not [tag for tag in tags if tag.startswith(xray.LIVE_TAG_PREFIX)]


async def test_a_handover_takes_every_port_along(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        users = [await lab.open(f"k{number}-1") for number in range(1, 6)]
        before = lab.driver.status().process
        await lab.replace(Kind.RESTART)
        after = lab.driver.status().process

        assert before != after
        for user in users:
            assert await lab.dial(user) is not None
        await lab.remove("k1-1")
        assert not is_listening(lab.own["k1-1"].port)
        lab.driver._core.kill("by the test")
        async with asyncio.timeout(5):
            await lab.driver._core.when_changed()
        await lab.ready()
        assert await lab.dial(users[1]) is not None
        assert plan("xray/main", lab.desired, await lab.driver.observe(), settings=lab.options.settings).is_empty


async def test_the_connections_of_a_removed_key_end_although_its_port_is_closed_already(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        doomed, other = await lab.open("k1-1"), await lab.open("k2-1")
        async with downloading(lab.profile(doomed)) as cut, downloading(lab.profile(other)) as kept:
            await lab.remove("k1-1")
            over_s = await cut.over_after_s()

            assert over_s is not None
            assert over_s < 3
            await asyncio.sleep(0.5)
            assert not kept.is_over
            assert kept.longest_gap_s < GAP_MAX_S


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
