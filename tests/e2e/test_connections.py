"""Who is connected, told over the wire by a real instance; and what is left of it when tricks are switched off.

Clients come from 127.0.0.2, an address that stands in nothing else Keystead writes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.test_external import core, until_written
from tests.support import xray
from tests.support.downloads import GAP_MAX_S, downloading
from tests.support.keystead import Keystead, keystead

CUSTOMER = "127.0.0.2"
ALL = "/v1/vpn/connections"


@asynccontextmanager
async def operator(instance: Keystead) -> AsyncIterator[httpx2.AsyncClient]:
    """Speak over the local socket."""
    transport = httpx2.AsyncHTTPTransport(uds=str(instance.data_dir / "run" / "control.sock"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://keystead", timeout=60.0) as client:
        yield client


async def shown(api: httpx2.AsyncClient, number: object, *, online: int) -> dict[str, Any]:
    """Wait until a key has so many live connections and return it."""
    key: dict[str, Any] = {}
    async with asyncio.timeout(10):
        while key.get("online") != online:
            await asyncio.sleep(0.1)
            key = (await api.get(f"/v1/vpn/keys/{number}")).json()
    return key


async def findings(api: httpx2.AsyncClient) -> dict[str, tuple[str, str]]:
    checks = (await api.get("/v1/doctor")).json()["checks"]
    return {check["name"].removeprefix("xray/main "): (check["status"], check["message"]) for check in checks}


async def test_a_customer_is_seen_by_those_who_may_and_remembered_without_an_address(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_detached=True) as instance:
        number = (await instance.create("anna"))["key_id"]
        async with downloading(await instance.profile(number), source=CUSTOMER), operator(instance) as api:
            online = await shown(api, number, online=1)
            [told] = (await api.get(ALL)).json()["items"]
            [hidden] = (await instance.http.get(ALL)).json()["items"]
            found = await findings(api)
            page = (await api.get("/metrics")).text
        await instance.stop()
        await instance.start()
        async with operator(instance) as api, asyncio.timeout(20):
            while (offline := await shown(api, number, online=0))["last_seen_at"] is None:
                await asyncio.sleep(0.2)
        written = [path.read_text() for path in (*tmp_path.glob("*.log"), *instance.data_dir.glob("*.log"))]

    assert online["addresses"] == [CUSTOMER]
    assert (told["key_number"], told["address"], hidden["address"]) == (number, CUSTOMER, None)
    assert told["download"] > 10_000
    assert _moment(offline["last_seen_at"]) > _moment(told["first_seen_at"]) - timedelta(seconds=1)
    assert offline["addresses"] == []
    assert found["access lines"][0] == "ok"
    assert "works" in found["socket table"][1]
    assert 'keystead_trick_works{scope="xray/main",trick="lines"} 1.0' in page
    assert len(written) == 3
    assert not any(CUSTOMER in text for text in written)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.parametrize(
    ("without", "way", "is_cut"),
    [("destroy", "reset", True), ("destroy,reset", "shutdown", True), ("borrow,destroy", "none", False)],
)
async def test_each_weaker_way_to_cut_does_what_the_doctor_says(
    tmp_path: Path, without: str, way: str, is_cut: bool
) -> None:
    async with keystead(tmp_path, KEYSTEAD_KEEPER_WITHOUT=without) as instance, operator(instance) as api:
        gone, kept = await instance.create("gone"), await instance.create("kept")
        profile, other = [await instance.profile(key["key_id"]) for key in (gone, kept)]
        async with downloading(profile) as cut, downloading(other) as neighbour:
            await shown(api, gone["key_id"], online=1)
            found = await findings(api)
            deleted = await instance.http.delete(f"/api/keys/{gone['key_id']}")
            refused = await xray.dial(profile, instance.world.origin, within_s=3)
            ended_s = await cut.over_after_s(within_s=3)
            page = (await api.get("/metrics")).text

            assert found["cut"][1].startswith(f"{way}: ")
            assert "switched off" in found["cut"][1]
            assert found["cut"][0] == ("ok" if way == "reset" else "warn")
            assert deleted.status_code == 200
            assert refused is None
            assert (ended_s is not None) is is_cut
            assert neighbour.longest_gap_s < GAP_MAX_S
            assert f'keystead_cut_way{{scope="xray/main",way="{way}"}} 1.0' in page


@pytest.mark.slow
async def test_without_the_socket_table_connections_are_unknown_and_it_is_said(tmp_path: Path) -> None:
    async with keystead(tmp_path, KEYSTEAD_KEEPER_WITHOUT="dump") as instance, operator(instance) as api:
        number = (await instance.create("anna"))["key_id"]
        async with downloading(await instance.profile(number)):
            answer = await api.get(ALL)
            key = (await api.get(f"/v1/vpn/keys/{number}")).json()
            found = await findings(api)

    assert (answer.status_code, answer.json()["code"]) == (501, "unsupported")
    assert (key["online"], key["addresses"]) == (None, None)
    assert found["socket table"][0] == "warn"
    assert "live connections are unknown" in found["socket table"][1]
    assert found["cut"][1].startswith("none: ")


async def test_an_external_core_s_connections_are_unknown_and_a_deleted_key_opens_no_stream_in_them(
    tmp_path: Path,
) -> None:
    config, socket = tmp_path / "xray.json", tmp_path / "api.sock"
    settings = {"KEYSTEAD_XRAY_API": f"unix:{socket}", "KEYSTEAD_XRAY_CONFIG": str(config)}
    async with keystead(tmp_path, is_started=False, **settings) as instance:
        await instance.start()
        await until_written(config)
        async with core(config), operator(instance) as api:
            await instance.ready()
            key = await instance.create("gone")
            answer, found = await api.get(ALL), await findings(api)
            async with downloading(await instance.profile(key["key_id"])) as download:
                await instance.http.delete(f"/api/keys/{key['key_id']}")
                await asyncio.sleep(1)
                is_over = download.is_over

    assert answer.status_code == 501
    assert found["connections"][0] == "warn"
    assert "somebody else" in found["connections"][1]
    assert not is_over
