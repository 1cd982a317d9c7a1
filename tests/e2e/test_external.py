"""An Xray that somebody else runs: Keystead writes the file it starts from and keeps its users as desired."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support import xray
from tests.support.keystead import keystead


@asynccontextmanager
async def core(config: Path) -> AsyncIterator[None]:
    """Run an Xray from its file, as a service manager would."""
    process = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig", "KILL", "--", str(xray.xray_path()), "run", "-config", str(config)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def until_written(path: Path) -> None:
    async with asyncio.timeout(10.0):
        while not path.exists():
            await asyncio.sleep(0.05)


async def test_an_external_core_is_configured_driven_and_restored_after_its_restart(tmp_path: Path) -> None:
    config, socket = tmp_path / "xray.json", tmp_path / "api.sock"
    settings = {"KEYSTEAD_XRAY_API": f"unix:{socket}", "KEYSTEAD_XRAY_CONFIG": str(config)}
    async with keystead(tmp_path, is_started=False, **settings) as instance:
        await instance.start()
        await until_written(config)
        async with core(config):
            await instance.ready()
            kept, gone = await instance.create("kept"), await instance.create("gone")
            profile = await instance.profile(gone["key_id"])
            served = await instance.dial(kept["key_id"])
            deleted = await instance.http.delete(f"/api/keys/{gone['key_id']}")
            refused = await xray.dial(profile, instance.world.origin, within_s=3.0)

        async with core(config):
            await instance.until_agreed(within_s=30.0, socket=socket)
            again = await instance.dial(kept["key_id"])

        assert served is not None
        assert deleted.status_code == 200
        assert refused is None
        assert again is not None
        assert config.stat().st_mode & 0o777 == 0o600


async def test_a_static_change_is_written_and_the_previous_file_kept(tmp_path: Path) -> None:
    config, socket = tmp_path / "xray.json", tmp_path / "api.sock"
    settings = {"KEYSTEAD_XRAY_API": f"unix:{socket}", "KEYSTEAD_XRAY_CONFIG": str(config)}
    async with keystead(tmp_path, is_started=False, **settings) as instance:
        await instance.start()
        await until_written(config)
        before = config.read_text()
        async with core(config):
            await instance.ready()
            await instance.stop()
            instance.environment["KEYSTEAD_VPN_ALLOW_PRIVATE"] = "127.0.0.0/8,10.0.0.0/8"
            await instance.start()
            async with asyncio.timeout(15.0):
                while config.read_text() == before:
                    await asyncio.sleep(0.1)

        assert json.loads(config.read_text())["inbounds"]
        assert config.with_name("xray.json.previous").read_text() == before
