"""The engine outlives Keystead: stopped, killed, started again, and nobody who watches notices."""

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.support import xray
from tests.support.downloads import GAP_MAX_S, MB, downloading, streaming
from tests.support.keystead import Keystead, keystead


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_a_download_goes_on_while_keystead_is_away_and_keys_are_as_they_were(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with keystead(tmp_path, is_detached=True) as instance:
        key, gone = await instance.create("watching"), await instance.create("leaving")
        profile, gone_profile = [await instance.profile(each["key_id"]) for each in (key, gone)]
        core = instance.core_pid()
        async with downloading(profile) as download:
            await instance.stop(number)
            await asyncio.sleep(1.0)
            while_away = await xray.dial(profile, instance.world.origin)
            await instance.start()
            await instance.ready()
            taken_over = instance.core_pid()
            await instance.http.delete(f"/api/keys/{gone['key_id']}")
            refused = await xray.dial(gone_profile, instance.world.origin, within_s=3)
            fresh = await instance.create("new")

            assert await instance.dial(fresh["key_id"]) is not None
            assert refused is None
            assert while_away is not None
            assert taken_over == core
            assert not download.is_over
            assert download.longest_gap_s < GAP_MAX_S
        await instance.until_agreed()


async def test_a_speed_limit_and_a_cut_stay_in_force_while_keystead_is_killed(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_detached=True) as instance:
        limited, gone = await instance.create("slow"), await instance.create("leaving")
        profile, gone_profile = [await instance.profile(each["key_id"]) for each in (limited, gone)]
        terms = {"speed_bytes_s": MB}
        changed = await instance.http.patch(f"/v1/vpn/keys/{limited['key_id']}/terms", json=terms)
        await instance.http.delete(f"/api/keys/{gone['key_id']}")
        await instance.stop(signal.SIGKILL)
        async with streaming(profile, bytes_per_s=10 * MB) as stream:
            await asyncio.sleep(2)
            limited_per_s = await stream.per_s(2)
        refused = await xray.dial(gone_profile, instance.world.origin, within_s=3)
        await instance.start()
        await instance.ready()

    assert changed.status_code == 200
    assert 0 < limited_per_s < 2 * MB
    assert refused is None


async def test_a_core_that_crashes_while_keystead_is_away_comes_back_with_the_keys_of_the_last_moment(
    tmp_path: Path,
) -> None:
    async with keystead(tmp_path, is_detached=True) as instance:
        kept, gone = await instance.create("kept"), await instance.create("gone")
        kept_profile, gone_profile = [await instance.profile(key["key_id"]) for key in (kept, gone)]
        await instance.http.delete(f"/api/keys/{gone['key_id']}")
        await instance.stop(signal.SIGKILL)
        core = instance.core_pid()
        os.kill(core, signal.SIGKILL)
        async with asyncio.timeout(10):
            while not _has_another_core(instance, core):
                await asyncio.sleep(0.05)
        connected = await xray.dial(kept_profile, instance.world.origin)
        refused = await xray.dial(gone_profile, instance.world.origin, within_s=3)
        await instance.start()
        await instance.ready()
        await instance.until_agreed()

    assert connected is not None
    assert refused is None


async def test_a_keeper_that_is_killed_takes_its_core_along_and_both_come_back(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_detached=True) as instance:
        key = await instance.create("kept")
        keeper, core = instance.keeper_says()["pid"], instance.core_pid()
        os.kill(keeper, signal.SIGKILL)
        async with asyncio.timeout(5):
            while psutil.pid_exists(core) and psutil.Process(core).status() != psutil.STATUS_ZOMBIE:
                await asyncio.sleep(0.02)
        await asyncio.sleep(1.5)  # longer than /health remembers
        await instance.ready()

        assert await instance.dial(key["key_id"]) is not None
        assert instance.keeper_says()["pid"] != keeper
        await instance.until_agreed()


async def test_an_idle_change_of_settings_is_put_in_place_at_the_next_start(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_detached=True) as instance:
        key = await instance.create("kept")
        before = instance.keeper_says()["cores"][0]["process"]
        await instance.stop()
        instance.environment["KEYSTEAD_VPN_ALLOW_SMTP"] = "true"
        await instance.start()
        async with asyncio.timeout(20):
            while instance.keeper_says()["cores"][-1]["process"] == before:
                await asyncio.sleep(0.1)
        await instance.ready()

        assert await instance.dial(key["key_id"]) is not None


def _has_another_core(instance: Keystead, pid: int) -> bool:
    [core] = instance.keeper_says()["cores"]
    return core["state"] == "running" and core["pid"] not in {None, pid}
