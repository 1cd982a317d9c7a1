"""Terms against the real engine: a key that expires stops connecting, and an extension brings it back."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support import xray
from tests.support.downloads import downloading
from tests.support.keystead import Keystead, keystead

# What nobody would call late on a machine that runs a test suite beside it; without other work it is below a second.
CUT_WITHIN_S = 3.0


async def test_a_key_that_expires_or_is_disabled_is_cut_keeps_its_link_and_comes_back(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        await instance.ready()
        key = (await instance.http.post("/v1/vpn/keys", json={"name": "anna"})).json()
        paused = (await instance.http.post("/v1/vpn/keys", json={"name": "boris"})).json()
        path, profile = f"/v1/vpn/keys/{key['number']}", await instance.profile(key["number"])
        async with downloading(profile) as expired, downloading(await instance.profile(paused["number"])) as disabled:
            was_over = expired.is_over or disabled.is_over
            await instance.http.patch(f"/v1/vpn/keys/{paused['number']}", json={"is_active": False})
            after_disable_s = await disabled.over_after_s()
            was_over = was_over or expired.is_over
            ends = datetime.now(UTC) + timedelta(seconds=1)
            await instance.http.patch(f"{path}/terms", json={"expires_at": ends.isoformat()})
            await asyncio.sleep((ends - datetime.now(UTC)).total_seconds())
            after_end_s = await expired.over_after_s()

        refused = await xray.dial(profile, instance.world.origin, within_s=3.0)
        shown = (await instance.http.get(f"/api/keys/{key['number']}")).json()
        link = await instance.http.get(f"/api/keys/{key['number']}/link")
        extended = await instance.http.post(f"{path}/extend", json={"days": 1})
        came_back = await instance.dial(key["number"])

        assert not was_over
        assert after_disable_s is not None
        assert after_disable_s < CUT_WITHIN_S
        assert after_end_s is not None
        assert after_end_s < CUT_WITHIN_S
        assert refused is None
        assert shown["is_active"] is False
        assert link.status_code == 200
        assert (extended.status_code, extended.json()["is_active"]) == (200, True)
        assert came_back is not None


async def test_a_duration_and_an_expiry_outlive_a_restart(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        await instance.ready()
        terms = {"duration_s": 2, "starts": "issue"}
        key = (await instance.http.post("/v1/vpn/keys", json={"terms": terms})).json()
        await instance.stop()
        await asyncio.sleep(2)

        await instance.start()
        await instance.ready()
        async with asyncio.timeout(10):
            while (await instance.http.get(f"/api/keys/{key['number']}")).json()["is_active"]:
                await asyncio.sleep(0.1)

        assert await xray.dial(await instance.profile(key["number"]), instance.world.origin, within_s=3.0) is None


async def test_a_quota_that_is_used_up_cuts_and_a_reset_brings_back(tmp_path: Path) -> None:
    async with keystead(tmp_path, KEYSTEAD_TRAFFIC_SYNC_S="5") as instance:
        await instance.ready()
        body = {"terms": {"quota_bytes": 1_000_000}}
        key = (await instance.http.post("/v1/vpn/keys", json=body)).json()
        path = f"/api/keys/{key['number']}"
        assert await instance.dial(key["number"], 2_000_000) is not None

        async with asyncio.timeout(20):
            while (await instance.http.get(path)).json()["is_active"]:
                await asyncio.sleep(0.1)
        await until_gone(instance)
        refused = await xray.dial(await instance.profile(key["number"]), instance.world.origin, within_s=3.0)
        reset = await instance.http.post(f"{path}/traffic/reset")
        came_back = await instance.dial(key["number"])

        assert refused is None
        assert reset.json()["previous_total"] > 2_000_000
        assert (await instance.http.get(path)).json()["is_active"] is True
        assert came_back is not None


async def until_gone(instance: Keystead) -> None:
    """Wait until the core holds nobody."""
    async with asyncio.timeout(5):
        while await instance.engine_users():
            await asyncio.sleep(0.05)
