"""A whole Keystead, killed while it moves domains: it goes on where it was, and no zone is made twice."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from keystead.access.permissions import ALL_PERMISSIONS
from tests.support import tokens
from tests.support.keystead import Keystead, keystead
from tests.support.standins.cloudflare import MINE, Cloudflare, cloudflare
from tests.support.standins.dns import ADDRESS, name_servers
from tests.support.standins.namecheap import API_KEY, OWN_DNS, USERNAME, Namecheap, namecheap
from tests.support.standins.server import Fate

pytestmark = pytest.mark.engine

MOVES = "/v1/domain-moves"
DOMAINS = 12


async def connected(instance: Keystead, remote: Cloudflare, registrar: Namecheap) -> httpx2.AsyncClient:
    """Connect both providers and return a client of the owner."""
    token = await tokens.issue(instance, "owner", permissions=ALL_PERMISSIONS)
    http = httpx2.AsyncClient(base_url=instance.url, timeout=60.0, headers={"authorization": f"Bearer {token}"})
    bootstrap = remote.bootstrap().value
    for method, path, body in (
        ("PUT", "/v1/providers/namecheap/relay", registrar.relay()),
        ("POST", "/integrations/cloudflare/init", {"cf_account_id": MINE, "bootstrap_token": bootstrap}),
        ("POST", "/integrations/namecheap/init", {"username": USERNAME, "api_key": API_KEY}),
    ):
        (await http.request(method, path, json=body)).raise_for_status()
    return http


async def begun(http: httpx2.AsyncClient, registrar: Namecheap) -> int:
    """Plan a move of everything and approve it."""
    order = {"domains": [{"domain": name} for name in registrar.domains]}
    digest = (await http.post(MOVES, json={**order, "dry_run": True})).json()["digest"]
    return int((await http.post(MOVES, json={**order, "digest": digest})).json()["id"])


async def ended(http: httpx2.AsyncClient, number: int) -> dict[str, Any]:
    """Wait until a move has ended."""
    async with asyncio.timeout(60):
        while True:
            move: dict[str, Any] = (await http.get(f"{MOVES}/{number}")).json()
            if move["ended_at"] is not None:
                return move
            await asyncio.sleep(0.05)


@pytest.mark.sqlite  # the only process of a database goes on at once with what another one leaves to the lease
async def test_a_kill_in_the_middle_of_a_move_loses_no_domain_and_makes_no_zone_twice(tmp_path: Path) -> None:
    with cloudflare() as remote, namecheap() as registrar, name_servers() as servers:
        registrar.add_domains(DOMAINS)
        servers.delegated = remote.delegated = lambda name: registrar.name_servers.get(name, OWN_DNS)
        settings = {
            "KEYSTEAD_PROVIDER_CLOUDFLARE_URL": remote.url,
            "KEYSTEAD_PROVIDER_NAMECHEAP_A_MINUTE": "1000",
            "KEYSTEAD_DNS_RESOLVERS": ADDRESS,
            "KEYSTEAD_DNS_PORT": str(servers.port),
        }
        async with keystead(tmp_path, **settings) as instance:
            http = await connected(instance, remote, registrar)
            held = remote.fault("POST", "/zones", Fate.HOLD, times=3)
            number = await begun(http, registrar)
            async with asyncio.timeout(30):
                while len(remote.asked("POST", "/zones")) < 3:
                    await asyncio.sleep(0.02)

            await instance.stop(signal.SIGKILL)
            held.go_on.set()
            await instance.start()
            done = await ended(http, number)
            await http.aclose()

        names = [zone["name"] for zone in remote.zones.values()]
        assert (done["state"], done["states"]["done"]) == ("done", DOMAINS)
        assert sorted(names) == sorted(registrar.domains)
        assert set(registrar.name_servers) == set(registrar.domains)
