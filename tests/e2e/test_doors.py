"""Dialects at doors of their own: real listeners, each with what every door has, and overlaps refused at the start."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2

from keystead.keeper.ports import free_loopback_port
from tests.support.keystead import Keystead, keystead

TWO_MEBIBYTES = b"x" * (2 << 20)


def door_of(instance: Keystead, port: int) -> httpx2.AsyncClient:
    """Return a client of the other door that presents nothing."""
    return httpx2.AsyncClient(base_url=f"https://127.0.0.1:{port}", verify=False, timeout=30.0)


async def check_vpnkeys_alone(http: httpx2.AsyncClient, token: str) -> None:
    """On a door of its own the wire tells strangers what it is, and takes either header."""
    about = [(await http.get(path)).json() for path in ("/", "/api", "/health")]
    listed = [await http.get("/api/keys", headers=headers) for headers in _either(token)]
    document = (await http.get("/openapi.json")).json()

    assert about[0]["version"] == "2.3.4"
    assert about[1] == about[0]
    assert about[2]["services"].keys() == {"xray", "api", "storage"}
    assert [(answer.status_code, answer.json()) for answer in listed] == [(200, []), (200, [])]
    assert document["info"]["title"] == "VPN Key Management API"
    assert "servers" not in document


async def check_veil_below(http: httpx2.AsyncClient, token: str) -> None:
    """Below a prefix a wire answers as ever, and its pages know where they are."""
    listed = [await http.get("/veil/api/keys", headers=headers) for headers in _either(token)]
    page = (await http.get("/veil/docs")).text
    document = (await http.get("/veil/openapi.json")).json()

    assert [(answer.status_code, answer.json()["total"]) for answer in listed] == [(200, 1), (200, 1)]
    assert (await http.get("/veil/api/keys")).json() == {"detail": "Not authenticated"}
    assert (await http.get("/veil")).status_code == (await http.get("/veil/health")).status_code == 200
    assert "/veil/openapi.json" in page
    assert (document["info"]["title"], document["servers"]) == ("Veil Xray API", [{"url": "/veil"}])
    assert (await http.get("/docs/assets/swagger-ui.css")).status_code == 200


async def check_every_door(http: httpx2.AsyncClient, token: str) -> None:
    """Limits and request ids are every door's."""
    refused = await http.post("/api/keys", headers=_either(token)[0], content=TWO_MEBIBYTES)
    named = await http.get("/", headers={"X-Request-Id": "abcd-1234"})

    assert refused.status_code == 413
    assert named.headers["x-request-id"] == "abcd-1234"


def _either(token: str) -> list[dict[str, str]]:
    return [{"Authorization": f"Bearer {token}"}, {"X-API-Key": token}]


async def test_dialects_answer_where_the_setting_says_and_nowhere_else(tmp_path: Path) -> None:
    port = free_loopback_port()
    at = f"127.0.0.1:{port}"
    doors = f"vpnkeys={at}, veil=/, veil={at}/veil, subscription={at}"
    async with keystead(tmp_path, KEYSTEAD_DOORS=doors, KEYSTEAD_TLS="self-signed") as instance:
        key = await instance.create("anna")
        async with door_of(instance, port) as http:
            await check_vpnkeys_alone(http, instance.token)
            await check_veil_below(http, instance.token)
            await check_every_door(http, instance.token)
            url = await subscription_of(instance, key)
            served = await http.get(url)
        main = instance.http
        moved = await main.get(url.replace(str(port), str(instance.port)))
        api_key = await main.get("/api/keys", headers={"Authorization": "", "X-API-Key": instance.token})

        assert url.startswith(f"https://{at}/sub/")
        assert served.status_code == 200
        assert (moved.status_code, moved.json()) == (404, {"detail": "Not Found"})
        assert api_key.json()["total"] == 1
        assert (await main.get("/v1/vpn/keys")).status_code == 200
        assert f"https://{at}  (vpnkeys, subscription)" in instance.log()
        assert f"https://{at}/veil  (veil)" in instance.log()


async def subscription_of(instance: Keystead, key: dict[str, Any]) -> str:
    answer = await instance.http.get(f"/v1/vpn/keys/{key['key_id']}/subscription")
    url: str = answer.json()["url"]
    return url


async def test_an_overlap_that_nothing_resolves_is_refused_at_the_start_with_both_routes(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_started=False, KEYSTEAD_DOORS="veil=/v1") as instance:
        refused = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "keystead", "serve", "--foreground"],
            env=instance.environment,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
        )

    assert refused.returncode == 3
    assert "KEYSTEAD_DOORS: GET /v1/" in refused.stderr
    assert "of v1 and " in refused.stderr
    assert "of veil are at one door" in refused.stderr
