"""Families of client programs and devices on a real instance: who polls, who may, and who connects after a change."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import httpx2
import pytest

from keystead.vpn.links import parse_link
from tests.e2e.test_v1 import body, dial_profile, operator
from tests.support import flows, xray
from tests.support.commands import runner
from tests.support.keystead import Keystead, keystead

STRICT = "KEYSTEAD_VPN_CLIENT_VERSIONS"
SING_BOX = {"user-agent": "SFA/1.12.0 (466; sing-box 1.12.0)"}


def device(hwid: str) -> dict[str, str]:
    told = {"x-hwid": hwid, "x-device-os": "Android", "x-ver-os": "14", "x-device-model": "Pixel 8"}
    return {"user-agent": "Happ/3.1.0", **told}


async def test_a_subscription_serves_as_many_devices_as_were_sold_and_a_copied_link_knows_no_limit(
    tmp_path: Path,
) -> None:
    async with keystead(tmp_path) as instance, operator(instance) as api, httpx2.AsyncClient() as customer:
        key = await body(api, "POST", "/v1/vpn/keys", json={"terms": {"device_limit": 1}})
        path = f"/v1/vpn/keys/{key['id']}"
        url = (await body(api, "GET", f"{path}/subscription"))["url"]

        phone, laptop = (
            await customer.get(url, headers=device("id-of-a-phone")),
            await customer.get(url, headers=device("pc")),
        )
        nameless = await customer.get(url, headers=SING_BOX)
        link = base64.b64decode(phone.content).decode().strip()
        dialled = await dial_profile(instance, parse_link(link))
        listed = await body(api, "GET", f"{path}/devices")
        await body(api, "DELETE", f"{path}/devices/{listed['items'][0]['id']}")
        moved = await customer.get(url, headers=device("pc"))
        families = (await body(api, "GET", f"{path}/compatibility"))["families"]

    assert (phone.status_code, phone.headers["x-hwid-active"], dialled is not None) == (200, "true", True)
    assert (laptop.status_code, laptop.headers["x-hwid-max-devices-reached"]) == (404, "true")
    assert (nameless.status_code, nameless.headers["x-hwid-not-supported"]) == (404, "true")
    assert [(one["system"], one["model"]) for one in listed["items"]] == [("Android 14", "Pixel 8")]
    assert moved.status_code == 200
    assert {one["family"] for one in families if one["last_used_at"] is not None} == {"happ", "sing-box"}
    assert "id-of-a-phone" not in instance.log()


async def test_strict_settings_lock_nobody_out_before_their_plan_is_approved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keystead(tmp_path, is_detached=True) as instance:
        for name, value in instance.environment.items():
            monkeypatch.setenv(name, value)
        run = runner(capsys, monkeypatch, instance.data_dir)

        async def do(*arguments: str) -> Any:
            return await asyncio.to_thread(run, *arguments)

        key = await instance.create("an old client")
        async with operator(instance) as api, httpx2.AsyncClient() as customer:
            url = (await body(api, "GET", f"/v1/vpn/keys/{key['key_id']}/subscription"))["url"]
            await customer.get(url, headers=SING_BOX)
        await instance.stop()
        instance.environment[STRICT] = "strict"
        await instance.start()
        await instance.ready()
        held = await connects(instance, key, "sing-box"), await do("vpn", "compat")
        shown, unread = await do("engine", "upgrade", "--dry-run", "--json"), await do("engine", "upgrade", "--yes")
        plan = shown.json["plan"]
        done = await do("engine", "upgrade", "--approve", plan["digest"])
        after = await connects(instance, key, "sing-box"), await connects(instance, key, "xray")
        told = await do("vpn", "compat", str(key["key_id"]))

    assert held[0]
    assert "the setting says strict, which waits for an approval" in held[1].out
    assert [one["customers"] for one in plan["losses"] if one["programs"].startswith("sing-box")] == [1]
    assert (unread.code, f"--approve {plan['digest']}" in unread.err) == (1, True)
    assert done.code == 0, done.err
    assert after == (False, True)
    assert "it says that it is 1.8.1, and the server asks for 26.3.27" in told.out


async def connects(instance: Keystead, key: dict[str, Any], program: str) -> bool:
    async with flows.client_of(program, await instance.profile(key["key_id"])) as socks:
        return await xray.get(socks, instance.world.origin) is not None
