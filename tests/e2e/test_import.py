"""Customers of a panel move to Keystead and notice nothing: the very same link, dialled before and after."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keystead.keeper.ports import free_loopback_port
from tests.support import xray
from tests.support.keystead import Keystead, World, keystead
from tests.support.panels import parts
from tests.support.panels.parts import GIB, SHORT_IDS
from tests.support.panels.veilv2ray import VeilV2ray
from tests.support.panels.xui import Xui

PAIR = parts.pair(1)
KEYS = "/v1/vpn/keys"


def panel(world: World, port: int) -> Xui:
    """Return a 3x-ui with two customers behind the world's target, one of them cut by its quota."""
    shown = {"publicKey": PAIR.public_key, "fingerprint": "chrome"}
    reality = parts.reality(
        1,
        dest=f"127.0.0.1:{world.target_port}",
        serverNames=[xray.SERVER_NAME],
        shortIds=list(SHORT_IDS),
        settings=shown,
    )
    made = Xui(settings={"subPath": "/sub/"})
    made.inbound("in-old", port, listen="127.0.0.1", stream=parts.stream(realitySettings=reality))
    made.client("in-old", "anna", 1, totalGB=50 * GIB, stat={"up": GIB, "down": 2 * GIB})
    made.client("in-old", "bert", 2, totalGB=2 * GIB, enable=False, stat={"up": GIB, "down": 2 * GIB, "enable": 0})
    return made


def old_configuration(made: Xui) -> dict[str, Any]:
    """Return what the panel has its Xray run."""
    [inbound] = made.inbounds
    clients = [
        {"id": client["id"], "flow": client["flow"], "email": client["email"]}
        for client in inbound["settings"]["clients"]
        if client["enable"]
    ]
    listener = {
        "listen": inbound["listen"],
        "port": inbound["port"],
        "protocol": "vless",
        "settings": {"clients": clients, "decryption": "none"},
        "streamSettings": inbound["stream_settings"],
    }
    direct = {"protocol": "freedom", "settings": {"finalRules": [{"action": "allow", "ip": ["127.0.0.0/8"]}]}}
    return {"log": {"loglevel": "none"}, "inbounds": [listener], "outbounds": [direct]}


def own_ports(world: World, first: int) -> VeilV2ray:
    """Return a veil-v2ray with two keys, each at a port of its own."""
    made = VeilV2ray()
    for number in (1, 2):
        made.key(f"customer {number}", number, total=GIB, port=first + number)
    for inbound in made.inbounds:
        inbound["listen"] = "127.0.0.1"
        inbound["streamSettings"]["realitySettings"] |= {
            "dest": f"127.0.0.1:{world.target_port}",
            "serverNames": [xray.SERVER_NAME],
        }
    return made


async def command(
    instance: Keystead, *arguments: object, verb: Sequence[str] = ("import",)
) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "keystead", *verb, *map(str, arguments)],
        env=instance.environment,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=instance.data_dir.parent,
    )


async def billed(instance: Keystead, key_id: str, *, beyond: int) -> dict[str, Any]:
    """Return a key's traffic once the engine has counted it: a handover may be under way when it is asked first."""
    async with asyncio.timeout(10):
        while True:
            traffic: dict[str, Any] = (await instance.http.get(f"{KEYS}/{key_id}/traffic")).json()
            if traffic["billed"]["download"] > beyond:
                return traffic
            await asyncio.sleep(0.2)


async def test_the_old_link_works_on_its_traffic_goes_on_and_a_second_import_changes_nothing(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_detached=True) as instance:
        port, origin = free_loopback_port(), instance.world.origin
        made = panel(instance.world, port)
        file = made.write(tmp_path / "x-ui.db")
        old_link = xray.Profile("127.0.0.1", port, parts.uuid_of(1), PAIR.public_key, SHORT_IDS[1])
        async with xray.running(old_configuration(made), port):
            before_s = await xray.dial(old_link, origin)
        planned = await command(instance, "3x-ui", file, "--json")
        digest = json.loads(planned.stdout)["digest"]
        while_serving = await command(instance, "3x-ui", file, "--approve", digest)
        await instance.stop()

        refused = await command(instance, "3x-ui", file, "--approve", "0" * 64)
        applied = await command(instance, "3x-ui", file, "--approve", digest[:16])
        await instance.start()
        await instance.ready()
        after_s = await xray.dial(old_link, origin, 1_000_000)
        cut = xray.Profile("127.0.0.1", port, parts.uuid_of(2), PAIR.public_key, SHORT_IDS[0])
        refused_s = await xray.dial(cut, origin, within_s=3.0)
        listed = {key["name"]: key for key in (await instance.http.get(KEYS)).json()["items"]}
        traffic = await billed(instance, listed["anna"]["id"], beyond=2 * GIB)
        new_s = await instance.dial((await instance.create("new"))["key_id"])
        await instance.stop()
        again = await command(instance, "3x-ui", file, "--approve", digest, "--json")

        assert (planned.returncode, applied.returncode, again.returncode) == (0, 0, 0), applied.stderr
        assert (while_serving.returncode, refused.returncode) == (3, 1)
        assert before_s is not None
        assert after_s is not None
        assert new_s is not None
        assert refused_s is None
        assert 1_000_000 <= traffic["download"] - 2 * GIB <= 1_010_000
        assert GIB <= traffic["upload"] <= GIB + 100_000
        assert json.loads(again.stdout)["counts"]["there"] == 2
        assert set(json.loads(again.stdout)["taken"].values()) == {0}


@pytest.mark.slow
async def test_a_taken_over_inbound_whose_target_is_dead_keeps_no_key_of_ours_waiting(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_started=False, is_detached=True) as instance:
        dead = replace(instance.world, target_port=free_loopback_port())
        file = panel(dead, free_loopback_port()).write(tmp_path / "x-ui.db")
        await instance.start()
        await instance.ready()
        planned = await command(instance, "3x-ui", file, "--json")
        await instance.stop()
        applied = await command(instance, "3x-ui", file, "--approve", json.loads(planned.stdout)["digest"])
        instance.end_engine()
        await instance.start()
        created = await instance.create("new")
        dialled = await instance.dial(created["key_id"])
        health = (await instance.http.get("/health")).json()
        report = json.loads((await command(instance, verb=["doctor", "--json"])).stdout)
        [engine] = [check for check in report["checks"] if check["name"] == "xray/main"]

        assert applied.returncode == 0, applied.stderr
        assert dialled is not None
        assert (health["status"], health["reasons"]) == ("degraded", ["vpn engine partial"])
        assert engine["status"] == "fail"
        assert f"whose target is 127.0.0.1:{dead.target_port}" in engine["message"]


async def test_ports_of_their_own_go_on_beside_an_engine_that_outlived_keystead(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_detached=True) as instance:
        first, origin = int(instance.environment["KEYSTEAD_VPN_PORTS"].partition("-")[0]), instance.world.origin
        files = own_ports(instance.world, first).write(tmp_path)
        planned = await command(instance, "veil-v2ray", *files, "--json")
        await instance.stop()

        applied = await command(instance, "veil-v2ray", *files, "--approve", json.loads(planned.stdout)["digest"])
        await instance.start()
        await instance.ready()
        await instance.until_agreed()
        links = [
            xray.Profile("127.0.0.1", first + number, parts.uuid_of(number), parts.pair().public_key, short_id, flow="")
            for number, short_id in ((1, SHORT_IDS[1]), (2, SHORT_IDS[0]))
        ]
        dialled = [await xray.dial(link, origin) for link in links]
        made = await instance.http.post(KEYS, json={"placement": "own-port"})

        assert applied.returncode == 0, applied.stderr
        assert None not in dialled
        assert made.json()["port"] not in {first + 1, first + 2}
