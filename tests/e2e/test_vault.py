"""A whole Keystead, killed while it connects a Cloudflare account; and what it leaves in files of its secrets."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from keystead.access.permissions import ALL_PERMISSIONS
from tests.support import tokens
from tests.support.keystead import Keystead, keystead
from tests.support.standins.cloudflare import MINE, Cloudflare, cloudflare
from tests.support.standins.server import Fate

pytestmark = pytest.mark.engine


async def connect(instance: Keystead, token: str, bootstrap: str) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=instance.url, timeout=30.0) as http:
        return await http.post(
            "/integrations/cloudflare/init",
            json={"cf_account_id": MINE, "bootstrap_token": bootstrap},
            headers={"Authorization": f"Bearer {token}"},
        )


async def until_asked(remote: Cloudflare, method: str, ending: str) -> None:
    async with asyncio.timeout(30):
        while not remote.asked(method, ending):
            await asyncio.sleep(0.02)


async def until_swept(remote: Cloudflare) -> None:
    async with asyncio.timeout(30):
        while remote.working():
            await asyncio.sleep(0.05)


@pytest.mark.sqlite  # the only process of a database does at its start what another one leaves to the lease
async def test_a_kill_while_the_token_is_made_leaves_none_and_the_next_attempt_works(tmp_path: Path) -> None:
    with cloudflare() as remote:
        async with keystead(tmp_path, KEYSTEAD_PROVIDER_CLOUDFLARE_URL=remote.url) as instance:
            token = await tokens.issue(instance, "owner", permissions=ALL_PERMISSIONS)
            bootstrap = remote.bootstrap()
            held = remote.fault("POST", "/tokens", Fate.HOLD)
            attempt = asyncio.create_task(connect(instance, token, bootstrap.value))
            await until_asked(remote, "POST", "/tokens")

            await instance.stop(signal.SIGKILL)
            held.go_on.set()
            with suppress(httpx2.HTTPError):
                await attempt
            async with asyncio.timeout(30):
                while not remote.working():
                    await asyncio.sleep(0.02)
            await instance.start()
            await until_swept(remote)
            done = await connect(instance, token, bootstrap.value)

            assert done.status_code == 200, done.text
            assert [one.account_id for one in remote.working()] == [MINE]
            assert remote.by_value(bootstrap.value) is None
        assert_no_canary(tmp_path)


def assert_no_canary(directory: Path) -> None:
    """Search every file that the instance has written: database, its log of writes, logs, sockets' directory."""
    found = [str(path) for path in directory.rglob("*") if path.is_file() and b"CANARY" in path.read_bytes()]

    assert found == []
