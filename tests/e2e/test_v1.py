"""The native API on a real instance with a real core: what a customer's client experiences."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import yaml

from keystead.keeper.ports import free_loopback_port
from keystead.vpn.links import parse_link
from keystead.vpn.values import ClientProfile
from tests.support import xray
from tests.support.decoders import from_mihomo, from_sing_box, from_xray
from tests.support.keystead import Keystead, keystead

REFUSED_WITHIN_S = 3.0


@asynccontextmanager
async def operator(instance: Keystead) -> AsyncIterator[httpx2.AsyncClient]:
    """Speak over the local socket."""
    transport = httpx2.AsyncHTTPTransport(uds=str(instance.data_dir / "run" / "control.sock"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://keystead", timeout=60.0) as client:
        yield client


async def body(client: httpx2.AsyncClient, method: str, path: str, **more: Any) -> Any:
    answer = await client.request(method, path, **more)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def dial_link(instance: Keystead, link: str, *, within_s: float = 15.0) -> float | None:
    return await dial_profile(instance, parse_link(link), within_s=within_s)


async def dial_profile(instance: Keystead, told: ClientProfile, *, within_s: float = 15.0) -> float | None:
    profile = xray.Profile(told.host, told.port, told.uuid, told.public_key, told.short_id, told.server_name, told.flow)
    return await xray.dial(profile, instance.world.origin, within_s=within_s)


def vless_of(outbounds: list[dict[str, Any]]) -> dict[str, Any]:
    return next(outbound for outbound in outbounds if outbound["type"] == "vless")


async def dial_configuration(instance: Keystead, configuration: dict[str, Any]) -> float | None:
    """Fetch through the outbounds of a client configuration; its ports are moved and its private ranges not spared."""
    port = free_loopback_port()
    inbound = {**configuration["inbounds"][0], "port": port}
    async with xray.running({**configuration, "inbounds": [inbound], "routing": {}}, port):
        return await xray.get(port, instance.world.origin)


async def test_a_subscription_is_read_in_every_form_and_ends_when_it_is_replaced(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance, operator(instance) as api, httpx2.AsyncClient() as customer:
        key = await body(api, "POST", "/v1/vpn/keys", json={"name": "anna"})
        url = (await body(api, "GET", f"/v1/vpn/keys/{key['id']}/subscription"))["url"]

        forms = {
            form: await customer.get(f"{url}/{form}")
            for form in ("base64", "links", "xray", "sing-box", "mihomo", "page", "qr.svg", "qr.png")
        }
        told = {
            "links": parse_link(forms["links"].text.split()[0]),
            "base64": parse_link(base64.b64decode(forms["base64"].content).decode().split()[0]),
            "mihomo": from_mihomo(yaml.safe_load(forms["mihomo"].text)["proxies"][0]),
            "sing-box": from_sing_box(vless_of(json.loads(forms["sing-box"].content)["outbounds"])),
            "xray": from_xray(json.loads(forms["xray"].content)),
        }
        seconds = await dial_configuration(instance, json.loads(forms["xray"].content))
        dialled = {form: await dial_profile(instance, profile) for form, profile in told.items()}
        replaced = (await body(api, "POST", f"/v1/vpn/keys/{key['id']}/subscription/replace"))["url"]

        assert {answer.status_code for answer in forms.values()} == {200}
        assert {profile.uuid for profile in told.values()} == {key["uuid"]}
        assert [form for form, took_s in dialled.items() if took_s is None] == []
        assert seconds is not None
        assert (await customer.get(url)).status_code == 404
        assert (await customer.get(replaced)).status_code == 200


async def test_a_disabled_key_is_refused_and_an_enabled_one_connects(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance, operator(instance) as api:
        key = await body(api, "POST", "/v1/vpn/keys", json={"name": "anna"})
        path = f"/v1/vpn/keys/{key['id']}"
        link = (await body(api, "GET", f"{path}/link"))["link"]
        fresh = await dial_link(instance, link)

        await body(api, "PATCH", path, json={"is_active": False})
        disabled = await dial_link(instance, link, within_s=REFUSED_WITHIN_S)
        await body(api, "PATCH", path, json={"is_active": True, "name": "bert"})

        assert fresh is not None
        assert disabled is None
        assert await dial_link(instance, link) is not None


async def test_a_reissued_key_connects_by_its_new_link_only_and_keeps_its_bytes(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance, operator(instance) as api:
        key = await body(api, "POST", "/v1/vpn/keys", json={})
        path = f"/v1/vpn/keys/{key['id']}"
        old = (await body(api, "GET", f"{path}/link"))["link"]
        assert await dial_link(instance, old) is not None
        before = (await body(api, "GET", f"{path}/traffic"))["total"]

        await body(api, "POST", f"{path}/reissue")

        new = (await body(api, "GET", f"{path}/link"))["link"]
        assert await dial_link(instance, old, within_s=REFUSED_WITHIN_S) is None
        assert await dial_link(instance, new) is not None
        assert (await body(api, "GET", f"{path}/traffic"))["total"] > before > 0


async def test_a_plan_is_shown_and_applied_by_its_digest(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance, operator(instance) as api:
        await body(api, "POST", "/v1/vpn/keys", json={})

        plan = await body(api, "GET", "/v1/engines/xray/main/plan")
        applied = await body(api, "POST", "/v1/engines/xray/main/apply", json={"digest": plan["digest"]})
        other = await api.post("/v1/engines/xray/main/apply", json={"digest": "0123456789abcdef"})
        [scope] = await body(api, "GET", "/v1/engines")

        assert (plan["steps"], plan["text"]) == ([], "nothing to do")
        assert applied == plan
        assert other.status_code == 409
        assert scope["generation"] == scope["applied_generation"] == 1
        assert (scope["engine"]["health"], scope["engine"]["state"]) == ("ready", "running")


async def test_rotated_secrets_open_the_same_links_after_a_restart(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        async with operator(instance) as api:
            key = await body(api, "POST", "/v1/vpn/keys", json={})
            path = f"/v1/vpn/keys/{key['id']}"
            link = (await body(api, "GET", f"{path}/link"))["link"]
            url = (await body(api, "GET", f"{path}/subscription"))["url"]
            root_before = (instance.data_dir / "root.key").read_text()
            rotated = await body(api, "POST", "/v1/secrets/rotate")
            connected = await dial_link(instance, link)

        await instance.stop()
        await instance.start()
        await instance.ready()

        async with operator(instance) as api:
            assert rotated["resealed"] == 2
            assert connected is not None
            assert (instance.data_dir / "root.key").read_text() != root_before
            assert await dial_link(instance, link) is not None
            assert (await body(api, "GET", f"{path}/subscription"))["url"] == url
            assert (await body(api, "POST", "/v1/audit/verify"))["is_intact"] is True


async def test_tokens_open_what_they_were_given_from_where_and_for_how_long(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance, operator(instance) as api:
        ends = (datetime.now(UTC) + timedelta(seconds=4)).isoformat()
        permissions = ["vpn.keys.issue", "vpn.keys.read"]
        made = {
            name: await body(api, "POST", "/v1/tokens", json={"name": name, "permissions": permissions, **more})
            for name, more in {
                "near": {"addresses": ["127.0.0.0/8"]},
                "far": {"addresses": ["192.0.2.0/24"]},
                "brief": {"expires_at": ends},
                "confined": {"is_confined": True},
            }.items()
        }
        theirs = await body(api, "POST", "/v1/vpn/keys", json={"name": "theirs"})

        async def told(name: str, method: str, path: str, **more: Any) -> int:
            headers = {"authorization": f"Bearer {made[name]['secret']}"}
            async with httpx2.AsyncClient(base_url=instance.url, headers=headers, timeout=30.0) as bot:
                return (await bot.request(method, path, **more)).status_code

        opened = {name: await told(name, "GET", "/v1/vpn/keys") for name in made}
        forbidden = await told("near", "DELETE", f"/v1/vpn/keys/{theirs['id']}")
        hidden = await told("confined", "GET", f"/v1/vpn/keys/{theirs['id']}")
        while await told("brief", "GET", "/v1/whoami") == 200:
            pass
        denied = (await body(api, "GET", "/v1/audit", params={"outcome": "denied"}))["items"]

        assert opened == {"near": 200, "far": 403, "brief": 200, "confined": 200}
        assert (forbidden, hidden) == (403, 404)
        assert await told("brief", "GET", "/v1/whoami") == 401
        assert {record["actor"].partition(" ")[2]: record["verb"] for record in denied} == {
            "far": "access.admit",
            "near": "vpn.keys.revoke",
        }


async def test_the_doctor_and_the_metrics_tell_how_it_stands(tmp_path: Path) -> None:
    secret = "a-secret-from-the-environment-0123456789"
    async with keystead(tmp_path, API_SECRET_KEY=secret) as instance, operator(instance) as api:
        found = await body(api, "GET", "/v1/doctor")
        async with httpx2.AsyncClient(base_url=instance.url) as anyone:
            metrics = (await anyone.get("/metrics")).text

        checks = {check["name"]: check for check in found["checks"]}
        settings = {setting["name"]: (setting["value"], setting["origin"]) for setting in found["settings"]}
        assert [check for check in found["checks"] if check["status"] == "fail"] == []
        assert "26.7.28" in checks["xray/main program"]["message"]
        assert checks["public host"]["next"].startswith("set KEYSTEAD_PUBLIC_HOST")
        assert settings["API_SECRET_KEY"] == ("set", "environment")
        assert settings["KEYSTEAD_HOST"] == ("127.0.0.1", "default")
        assert secret not in json.dumps(found)
        assert 'keystead_engine_ready{scope="xray/main"} 1.0' in metrics
