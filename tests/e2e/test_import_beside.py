"""Customers of a panel whose inbound has our own port and another key pair: both pairs are served there."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.test_import import PAIR, command, panel
from tests.e2e.test_pairs import operator, wish
from tests.support import xray
from tests.support.downloads import GAP_MAX_S, downloading
from tests.support.keystead import keystead
from tests.support.panels import parts
from tests.support.panels.parts import SHORT_IDS
from tests.support.panels.xui import Xui

KEYS, PAIRS = "/v1/vpn/keys", "/v1/vpn/pair"
THEIRS = "panel.example"


def elsewhere(made: Xui, target_port: int) -> Xui:
    """Have a panel hide behind a site of its own."""
    [inbound] = made.inbounds
    inbound["stream_settings"]["realitySettings"] |= {"dest": f"127.0.0.1:{target_port}", "serverNames": [THEIRS]}
    return made


async def connect(*profiles: xray.Profile, to: tuple[str, int]) -> list[bool]:
    """Tell which profiles connect."""
    dials = await asyncio.gather(*(xray.dial(profile, to) for profile in profiles))
    return [took_s is not None for took_s in dials]


async def until_served(profile: xray.Profile, to: tuple[str, int]) -> None:
    """Wait until another process has taken over that serves a profile."""
    async with asyncio.timeout(60):
        while await xray.dial(profile, to, within_s=2) is None:
            await asyncio.sleep(0.2)


@pytest.mark.alone
@pytest.mark.slow
async def test_links_of_a_panel_connect_at_our_port_until_their_pair_is_retired(tmp_path: Path) -> None:
    async with (
        xray.named_site(tmp_path / "theirs", THEIRS) as target_port,
        keystead(tmp_path, is_detached=True) as instance,
    ):
        port, origin = int(instance.environment["KEYSTEAD_VPN_PORT"]), instance.world.origin
        file = elsewhere(panel(instance.world, port), target_port).write(tmp_path / "x-ui.db")
        theirs = xray.Profile("127.0.0.1", port, parts.uuid_of(1), PAIR.public_key, SHORT_IDS[1], THEIRS)
        ours = await instance.profile((await instance.create("before"))["key_id"])
        async with downloading(ours) as download:
            planned = json.loads((await command(instance, "3x-ui", file, "--json")).stdout)
            await instance.stop()
            applied = await command(instance, "3x-ui", file, "--approve", planned["digest"])
            await instance.start()
            await instance.ready()
            await until_served(theirs, origin)
            listed = {key["name"]: key for key in (await instance.http.get(KEYS)).json()["items"]}
            renewed = await instance.profile(listed["anna"]["id"])
            later = await instance.profile((await instance.create("after"))["key_id"])
            dials = await connect(ours, later, renewed, to=origin)
            shown = [await xray.name_seen(port, name) for name in (xray.SERVER_NAME, THEIRS)]
            async with operator(instance) as who:
                found = (await who.get(PAIRS)).json()
                used = [one["name"] for one in (await who.get(f"{PAIRS}/uses")).json()["items"]]
                back = await who.post(PAIRS, json={"act": "revert", "dry_run": True})
                retired = await wish(who, "retire")
            left = await connect(ours, later, renewed, to=origin)
            refused = await xray.dial(theirs, origin, within_s=2)
            assert not download.is_over
            assert download.longest_gap_s < GAP_MAX_S

    assert applied.returncode == 0, applied.stderr
    assert planned["counts"]["new"] == 2
    assert planned["inbounds"][0]["standing"] == "beside ours"
    assert planned["inbounds"][0]["links_carry"] == ours.public_key
    assert dials == [True, True, True]
    assert {one.public_key for one in (later, renewed)} == {ours.public_key}
    assert replace(renewed, uuid=ours.uuid) == ours
    assert shown == [xray.SERVER_NAME, THEIRS]
    assert found["second"]["public_key"] == PAIR.public_key
    assert (found["second"]["origin"], found["second"]["until"]) == ("3x-ui", None)
    assert used == ["anna"]
    assert back.status_code == 409
    assert retired["second"] is None
    assert left == [True, True, True]
    assert refused is None
