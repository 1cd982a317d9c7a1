"""Starting and stopping as a user sees it: what is refused and how it is said, and what is left behind (nothing)."""

import asyncio
import json
import os
import pty
import signal
import socket
import stat
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import pytest

from tests.support import xray
from tests.support.keystead import Keystead, keystead

MISCONFIGURED = 3


async def refused_start(instance: Keystead, **settings: str) -> str:
    """Start with other settings; it must end by itself as misconfigured, without a traceback. Return what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "keystead", "serve", "--foreground"),
        env=instance.environment | settings,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=instance.data_dir.parent,
    )
    try:
        async with asyncio.timeout(30.0):
            said = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == MISCONFIGURED, said
    assert "Traceback" not in said, said
    return said


async def test_a_wrong_setting_stops_the_start_with_its_name_and_an_example(tmp_path: Path) -> None:
    wrong = {
        "KEYSTEAD_PORT": "99999",
        "KEYSTEAD_REALITY_TARGET": "no-port",
        "API_SECRET_KEY": "too-short",
        "KEYSTEAD_DATABASE_URL": "nonsense",
        "KEYSTEAD_ROOT_KEY": "nonsense",
        "KEYSTEAD_XRAY_PATH": "/nowhere/xray",
        "KEYSTEAD_DATA_DIR": "/proc/nowhere",
    }
    async with keystead(tmp_path, is_started=False) as instance:
        for name, value in wrong.items():
            said = await refused_start(instance, **{name: value})
            assert name in said, said
            assert f"{name}=" in said or "for example" in said, said
            assert "too-short" not in said


async def test_what_a_setting_names_and_is_not_there_stops_the_start(tmp_path: Path) -> None:
    missing = {"KEYSTEAD_TLS_CERTIFICATE": "/nowhere/chain.pem", "KEYSTEAD_TLS_KEY": "/nowhere/key.pem"}
    async with keystead(tmp_path, is_started=False) as instance:
        unreachable = "postgresql+psycopg://nobody@127.0.0.1:1/none"

        no_database = await refused_start(instance, KEYSTEAD_DATABASE_URL=unreachable)
        no_certificate = await refused_start(instance, KEYSTEAD_TLS="files", **missing)

    assert "KEYSTEAD_DATABASE_URL" in no_database
    assert "KEYSTEAD_TLS_CERTIFICATE" in no_certificate


async def test_plain_http_where_others_can_listen_is_refused(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_started=False) as instance:
        said = await refused_start(instance, KEYSTEAD_HOST="0.0.0.0")

    assert "KEYSTEAD_ALLOW_PLAIN_HTTP" in said
    assert "KEYSTEAD_TLS" in said


async def test_a_start_that_contradicts_links_is_refused(tmp_path: Path) -> None:
    contradictions = {
        "KEYSTEAD_PUBLIC_HOST": "other.example",
        "KEYSTEAD_VPN_PORT": "4443",
        "KEYSTEAD_REALITY_SERVER_NAMES": "other.test",
        "REALITY_COMMON_SHORT_ID": "0badc0de",
    }
    async with keystead(tmp_path) as instance:
        key = await instance.create("old")
        profile = await instance.profile(key["key_id"])
        await instance.stop()
        for name, value in contradictions.items():
            said = await refused_start(instance, **{name: value})
            assert name in said
            assert value in said
        said = await refused_start(instance, KEYSTEAD_VPN_PORT="", KEYSTEAD_PORT=str(instance.vpn_port))
        assert f"KEYSTEAD_PORT: port {instance.vpn_port} is the VPN's" in said

        await instance.start()
        await instance.ready()

        assert await instance.profile(key["key_id"]) == profile


async def test_a_second_instance_on_the_same_data_is_refused(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        free = str(xray.free_loopback_port())

        said = await refused_start(instance, KEYSTEAD_PORT=free)

        assert "Keystead" in said
        assert str(instance.data_dir) in said
        assert (await instance.create("still"))["key_id"]


async def test_a_taken_api_port_is_refused_and_named(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_started=False) as instance:
        with socket.create_server(("127.0.0.1", instance.port)):
            said = await refused_start(instance)

    assert "KEYSTEAD_PORT" in said
    assert str(instance.port) in said


async def test_a_taken_vpn_port_keeps_the_core_from_starting_until_it_is_free(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_started=False) as instance:
        with socket.create_server(("127.0.0.1", instance.vpn_port)):
            await instance.start()
            async with asyncio.timeout(20.0):
                while f"127.0.0.1:{instance.vpn_port} is in use by" not in instance.log():
                    await asyncio.sleep(0.1)
            health = (await instance.http.get("/health")).json()

        assert health["status"] == "unhealthy"
        await instance.ready(within_s=40.0)
        key = await instance.create("after")
        assert await instance.dial(key["key_id"]) is not None


async def test_two_instances_run_side_by_side(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        instances = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            instances.append(await stack.enter_async_context(keystead(tmp_path / name)))
        keys = [await instance.create("k") for instance in instances]
        profiles = [await i.profile(k["key_id"]) for i, k in zip(instances, keys, strict=True)]

        served = [await xray.dial(profile, i.world.origin) for profile, i in zip(profiles, instances, strict=True)]
        crossed = await instances[0].http.get(
            f"{instances[1].url}/api/keys", headers={"Authorization": f"Bearer {instances[0].token}"}
        )

        assert None not in served
        assert crossed.status_code == 401


@pytest.mark.parametrize("is_hung", [False, True], ids=["healthy", "hung"])
async def test_sigterm_ends_everything_within_seconds(tmp_path: Path, is_hung: bool) -> None:
    async with keystead(tmp_path) as instance:
        key = await instance.create("kept")
        core = instance.core_pid()
        if is_hung:
            os.kill(core, signal.SIGSTOP)
        begun_s = time.monotonic()

        await instance.stop()
        took_s = time.monotonic() - begun_s

        assert took_s < (12.0 if is_hung else 6.0)
        assert not psutil.pid_exists(core)
        assert list((instance.data_dir / "run").glob("*.sock")) == []
        await instance.start()
        await instance.ready()
        assert await instance.dial(key["key_id"]) is not None


async def test_a_create_under_way_is_finished_or_undone_when_the_server_stops(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        os.kill(instance.core_pid(), signal.SIGSTOP)
        creating = asyncio.create_task(instance.http.post("/api/keys", json={"name": "cut off"}))
        await asyncio.sleep(0.5)

        await instance.stop()
        await asyncio.gather(creating, return_exceptions=True)
        await instance.start()
        await instance.ready()

        assert await instance.listed() == {}
        await instance.until_agreed()


async def test_no_core_outlives_a_killed_keystead(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        core = instance.core_pid()

        await instance.stop(signal.SIGKILL)
        await asyncio.sleep(0.3)

        assert not psutil.pid_exists(core) or psutil.Process(core).status() == psutil.STATUS_ZOMBIE


async def test_everything_in_the_data_directory_is_its_owners_alone(tmp_path: Path) -> None:
    async with keystead(tmp_path, KEYSTEAD_TLS="self-signed") as instance:
        await instance.create("anna")

        files = [path for path in instance.data_dir.rglob("*") if not path.is_symlink()]
        others_may = {str(path.relative_to(instance.data_dir)) for path in files if path.stat().st_mode & 0o077}

        assert {"keystead.lock", "root.key"} <= {path.name for path in files}
        assert others_may == set()


async def test_the_first_token_goes_into_a_private_file_and_not_into_the_log(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        path = instance.data_dir / "first-token"
        said = instance.log()

        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert instance.token not in said
        assert str(path) in said


async def test_the_start_says_where_the_api_is_what_links_carry_and_a_next_line_that_works(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        said = instance.log().splitlines()
        [line] = [line.removeprefix("next").strip() for line in said if line.startswith("next ")]

        typed = await asyncio.create_subprocess_exec("sh", "-c", f"{line} -s", stdout=asyncio.subprocess.PIPE)
        answered = json.loads((await typed.communicate())[0])

        assert f"API        {instance.url}  (documentation: {instance.url}/docs)" in said
        assert f"VPN links  carry 127.0.0.1:{instance.vpn_port} (let that port through the firewall)" in said
        assert any(line.startswith("warning    links carry a loopback host") for line in said)
        assert answered["name"] == "anna"
        assert await instance.dial(answered["key_id"]) is not None


async def test_the_first_token_is_shown_on_a_terminal_once(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_started=False) as instance:
        ours, theirs = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "keystead", "serve", "--foreground"),
            env=instance.environment | {"TERM": "dumb"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            cwd=tmp_path,
        )
        os.close(theirs)
        said = await asyncio.to_thread(read_until, ours, b"next ", 20.0)
        process.terminate()
        draining = asyncio.create_task(asyncio.to_thread(read_until, ours, b"\0", 15.0))
        await process.wait()
        await draining
        os.close(ours)

        assert b"shown this once" in said
        assert not (instance.data_dir / "first-token").exists()


def read_until(descriptor: int, wanted: bytes, within_s: float) -> bytes:
    """Read a terminal until something was said or the other side is gone."""
    said, end_s = b"", time.monotonic() + within_s
    while wanted not in said and time.monotonic() < end_s:
        try:
            said += os.read(descriptor, 65536)
        except OSError:
            break
    return said


async def test_no_secret_shows_after_a_busy_run(tmp_path: Path) -> None:
    async with keystead(tmp_path, KEYSTEAD_LOG_FORMAT="json") as instance:
        keys = [await instance.create(f"customer {n}") for n in range(5)]
        for key in keys:
            await instance.dial(key["key_id"])
        bodies = [
            (await instance.http.get("/api/keys/999")).text,
            (await instance.http.get("/api/keys", headers={"Authorization": "Bearer wrong-secret"})).text,
            (await instance.http.post("/api/keys", content=b'{"name": 1, "secret": "wrong-secret"}')).text,
            (await instance.http.get("/health")).text,
        ]
        command_lines = xray.command_lines()
        os.kill(instance.core_pid(), signal.SIGKILL)
        await instance.ready()
        await instance.stop()

        secrets = [instance.token, "wrong-secret", *(key["uuid"] for key in keys)]
        files = [path.read_text(errors="replace") for path in instance.data_dir.glob("xray.log*")]
        for place in [instance.log(), command_lines, *files, *bodies]:
            assert [secret for secret in secrets if secret in place] == []
        assert "privateKey" not in "".join([instance.log(), *files])
        assert str(instance.world.origin[1]) not in "".join(files)
