"""Customers of a panel with a port and a REALITY target of their own: answered when their first dial would not wait."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_import import KEYS, command
from tests.support import xray
from tests.support.gated import Gate, gated
from tests.support.keystead import Keystead, keystead
from tests.support.panels import parts
from tests.support.panels.parts import SHORT_IDS
from tests.support.panels.veilv2ray import VeilV2ray

NAME = "panel.example"


def panel(first_port: int, *gates: Gate) -> VeilV2ray:
    """Return a veil-v2ray whose keys each have a port and a target of their own; all but the first are disabled."""
    made = VeilV2ray()
    for number, gate in enumerate(gates, 1):
        port = first_port + number
        made.key(f"customer {number}", number, port=port, sni=NAME, is_active=int(number == 1))
        reality = made.inbounds[-1]["streamSettings"]["realitySettings"]
        reality |= {"dest": f"127.0.0.1:{gate.port}", "serverNames": [NAME]}
        made.inbounds[-1]["listen"] = "127.0.0.1"
    return made


def link(first_port: int, number: int, **more: str) -> xray.Profile:
    """Return what a customer's link tells."""
    uuid, short_id = more.get("uuid", parts.uuid_of(number)), SHORT_IDS[number % 2]
    public_key, port = parts.pair().public_key, first_port + number
    return xray.Profile("127.0.0.1", port, uuid, public_key, short_id, NAME, flow="")


async def until(is_so: Callable[[], Any]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(30):
        while not await is_so():
            await asyncio.sleep(0.05)


async def answered_after(instance: Keystead, gate: Gate, method: str, path: str, begun: Any, **body: Any) -> Any:
    """Ask for something that has to wait for a gate, open that once it waits, and return the answer with the order."""
    order: list[str] = []

    async def ask() -> Any:
        answer = await instance.http.request(method, path, **body)
        order.append("answered")
        return answer

    asking = asyncio.create_task(ask())
    await until(begun)
    order.append("opened")
    gate.open()
    return await asking, order


@pytest.mark.slow
async def test_a_key_is_answered_when_its_own_target_was_examined_after_import_enable_restart_and_reissue(
    tmp_path: Path,
) -> None:
    async with keystead(tmp_path, is_detached=True) as instance:
        target, origin = instance.world.target_port, instance.world.origin
        async with gated(target) as first_gate, gated(target) as second_gate:
            first = int(instance.environment["KEYSTEAD_VPN_PORTS"].partition("-")[0])
            files = panel(first, first_gate, second_gate).write(tmp_path)
            planned = await command(instance, "veil-v2ray", *files, "--json")
            await instance.stop()
            applied = await command(instance, "veil-v2ray", *files, "--approve", json.loads(planned.stdout)["digest"])

            async def is_partial() -> bool:
                return (await instance.http.get("/health")).json()["reasons"] == ["vpn engine partial"]

            async def is_reissued() -> bool:
                return "k1-2" in instance.database_labels()

            await instance.start()
            await until(is_partial)
            shared = await instance.create("ours")
            while_closed = await instance.dial(shared["key_id"])
            await instance.http.delete(f"{KEYS}/{shared['key_id']}")
            first_gate.open()
            await instance.ready()
            imported = await xray.dial(link(first, 1), origin)

            keys = {key["name"]: key for key in (await instance.http.get(KEYS)).json()["items"]}
            of_first, of_second = (f"{KEYS}/{keys[f'customer {number}']['id']}" for number in (1, 2))
            body = {"is_active": True}
            enabled, enabling = await answered_after(instance, second_gate, "PATCH", of_second, is_partial, json=body)
            dialled = await xray.dial(link(first, 2), origin)

            await instance.ready()
            first_gate.close()
            os.kill(instance.core_pid(), signal.SIGKILL)
            await until(is_partial)
            reissued, reissuing = await answered_after(instance, first_gate, "POST", f"{of_first}/reissue", is_reissued)
            renewed = await xray.dial(link(first, 1, uuid=reissued.json()["uuid"]), origin)

    assert applied.returncode == 0, applied.stderr
    assert while_closed is not None
    assert imported is not None
    assert (enabled.status_code, enabling) == (200, ["opened", "answered"])
    assert dialled is not None
    assert (reissued.status_code, reissuing) == (200, ["opened", "answered"])
    assert renewed is not None
