"""Other clients, another core, IPv6, UDP, and many keys at once: each is dialled for real."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from keystead.keeper.ports import free_loopback_port
from keystead.vpn.links import parse_link
from keystead.vpn.profiles import singbox
from keystead.vpn.values import ClientProfile
from tests.support import cores, xray
from tests.support.clients import dial_many, running, udp_echo, udp_exchange
from tests.support.keystead import keystead

MANY = 1000
PER_CLIENT = 50
DIALLERS = 4


async def test_the_second_core_serves(tmp_path: Path) -> None:
    async with keystead(tmp_path, KEYSTEAD_XRAY_PATH=str(cores.path_of(cores.SECOND_XRAY))) as instance:
        key = await instance.create("older core")
        profile = await instance.profile(key["key_id"])

        served = await instance.dial(key["key_id"])
        await instance.http.delete(f"/api/keys/{key['key_id']}")

        assert served is not None
        assert await xray.dial(profile, instance.world.origin, within_s=3.0) is None


async def test_sing_box_connects(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        key = await instance.create("sing-box")
        p = await instance.profile(key["key_id"])
        profile = ClientProfile(p.host, p.port, p.uuid, p.flow, p.public_key, p.short_id, p.server_name)
        port = free_loopback_port()
        config: dict[str, Any] = {
            "log": {"disabled": True},
            "inbounds": [{"type": "socks", "listen": "127.0.0.1", "listen_port": port}],
            "outbounds": [singbox.outbound("tunnel", profile)],
        }
        program = [cores.path_of(cores.SING_BOX), "run", "-c", "stdin"]

        async with running(program, config, port):
            before = await xray.get(port, instance.world.origin)
            await instance.http.delete(f"/api/keys/{key['key_id']}")
            after = await xray.get(port, instance.world.origin, within_s=3.0)

        assert before is not None
        assert after is None


async def test_ipv6_is_served_and_written_in_brackets(tmp_path: Path) -> None:
    async with keystead(tmp_path, KEYSTEAD_VPN_HOST="::1", KEYSTEAD_PUBLIC_HOST="::1") as instance:
        key = await instance.create("six")
        link = (await instance.http.get(f"/api/keys/{key['key_id']}/link")).json()["vless_link"]

        assert f"@[::1]:{instance.vpn_port}?" in link
        assert parse_link(link).host == "::1"
        assert await instance.dial(key["key_id"]) is not None


async def test_udp_goes_through_the_tunnel_and_is_counted(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance, udp_echo() as echo:
        key = await instance.create("udp")
        async with xray.client(await instance.profile(key["key_id"])) as socks:
            echoed = await udp_exchange(socks, ("127.0.0.1", echo), b"x" * 1000)

        traffic = (await instance.http.get(f"/api/keys/{key['key_id']}/traffic")).json()

        assert echoed == b"x" * 1000
        assert traffic["upload"] >= 1000
        assert traffic["download"] >= 1000


async def create(http: httpx2.AsyncClient, number: int, created: asyncio.Queue[xray.Profile]) -> None:
    """Create a key and hand its link over to be dialled."""
    answer = await http.post("/api/keys", json={"name": f"k{number}"})
    assert answer.status_code == 200, answer.text
    link = (await http.get(f"/api/keys/{answer.json()['key_id']}/link")).json()["vless_link"]
    created.put_nowait(xray.linked(link))


async def dial_as_they_come(created: asyncio.Queue[xray.Profile], origin: tuple[str, int]) -> list[bool]:
    """Dial keys one client program after the other, each with those that wait by then."""
    served: list[bool] = []
    while len(served) < MANY // DIALLERS:
        profiles = [await created.get()]
        while not created.empty() and len(profiles) < min(PER_CLIENT, MANY // DIALLERS - len(served)):
            profiles.append(created.get_nowait())
        served += await dial_many(profiles, origin)
    return served


@pytest.mark.alone
@pytest.mark.slow
async def test_a_thousand_keys_made_at_once_connect_right_after_their_200(tmp_path: Path) -> None:
    limits = httpx2.Limits(max_connections=MANY)
    async with (
        keystead(tmp_path) as instance,
        httpx2.AsyncClient(
            base_url=instance.url, headers=instance.http.headers, timeout=60.0, limits=limits
        ) as many_at_once,
    ):
        created: asyncio.Queue[xray.Profile] = asyncio.Queue()
        dialling = [asyncio.create_task(dial_as_they_come(created, instance.world.origin)) for _ in range(DIALLERS)]
        await asyncio.gather(*(create(many_at_once, number, created) for number in range(MANY)))
        served = [was_served for answer in await asyncio.gather(*dialling) for was_served in answer]

        assert served == [True] * MANY
        assert len(await instance.engine_users()) == MANY
        assert (await instance.http.get("/api/keys")).json()["total"] == MANY
        await instance.until_agreed()
