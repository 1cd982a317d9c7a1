"""A key pair is rotated, turned back and retired on a whole Keystead, while real clients dial with every link."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from keystead.kit.files import noted_directory
from tests.support import xray
from tests.support.downloads import DIAL_MAX_S, GAP_MAX_S, downloading
from tests.support.flows import client_of
from tests.support.keystead import Keystead, keystead

KEYS, PAIR = "/v1/vpn/keys", "/v1/vpn/pair"
SIZE = 200_000


@asynccontextmanager
async def operator(instance: Keystead) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.AsyncHTTPTransport(uds=str(noted_directory(instance.data_dir / "run") / "control.sock"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://local", timeout=120.0) as made:
        yield made


async def wish(who: httpx2.AsyncClient, act: str, **more: Any) -> dict[str, Any]:
    """Do what the plan for a wish says, and return the pairs that are there then."""
    planned = await who.post(PAIR, json={"act": act, "dry_run": True, **more})
    assert planned.status_code == 200, planned.text
    done = await who.post(PAIR, json={"act": act, "digest": planned.json()["digest"], **more})
    assert done.status_code == 200, done.text
    found: dict[str, Any] = (await who.get(PAIR)).json()
    return found


@asynccontextmanager
async def dialling(instance: Keystead, profile: xray.Profile, program: str) -> AsyncIterator[list[float | None]]:
    """Dial without a pause; yield how long each took, None for one that failed."""
    times: list[float | None] = []

    async def dial(port: int) -> None:
        while True:
            times.append(await xray.get(port, instance.world.origin))

    async with client_of(program, profile) as port:
        tasks = [asyncio.create_task(dial(port)) for _ in range(2)]
        try:
            yield times
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_pair_is_rotated_turned_back_and_retired(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance, operator(instance) as who:
        shared = (await who.post(KEYS, json={"name": "anna"})).json()
        own = (await who.post(KEYS, json={"name": "bert", "placement": "own-port"})).json()
        old = {key["id"]: await instance.profile(key["id"]) for key in (shared, own)}
        async with downloading(old[shared["id"]]) as download:
            before = (await who.get(PAIR)).json()
            rotated = await wish(who, "rotate", keep_s=3600)
            new = {key["id"]: await instance.profile(key["id"]) for key in (shared, own)}
            later = (await who.post(KEYS, json={"name": "carl", "placement": "own-port"})).json()
            dials = [
                await xray.dial(profile, instance.world.origin, SIZE) is not None
                for profile in (*old.values(), *new.values(), await instance.profile(later["id"]))
            ]
            used = (await who.get(f"{PAIR}/uses")).json()["items"]
            traffic = [(await who.get(f"{KEYS}/{key['id']}/traffic")).json()["download"] for key in (own, later)]
            again = await who.post(PAIR, json={"act": "rotate", "dry_run": True})
            assert not download.is_over
            assert download.longest_gap_s < GAP_MAX_S

        reverted = await wish(who, "revert", keep_s=3600)
        back = await instance.profile(shared["id"])
        late = await instance.profile(later["id"])
        both = [await xray.dial(one, instance.world.origin) is not None for one in (back, new[shared["id"]], late)]
        retired = await wish(who, "retire")
        left = [
            await xray.dial(one, instance.world.origin, within_s=3) is not None
            for one in (back, new[shared["id"]], old[own["id"]], late)
        ]
        audited = [one["verb"] for one in (await who.get("/v1/audit?limit=500")).json()["items"]]
        await instance.until_agreed(socket=newest_socket(instance))

    assert before["second"] is None
    assert rotated["second"]["public_key"] == before["linked"]["public_key"]
    assert rotated["linked"]["public_key"] not in {before["linked"]["public_key"], None}
    assert {profile.public_key for profile in new.values()} == {rotated["linked"]["public_key"]}
    assert dials == [True] * 5
    assert [one["name"] for one in used] == ["anna", "bert"]
    assert used[0]["connections"] >= 1  # a dial that has ended is shown for another moment
    assert [total // SIZE for total in traffic] == [2, 1]
    assert again.status_code == 409
    assert back == old[shared["id"]]
    assert reverted["linked"]["public_key"] == before["linked"]["public_key"]
    assert late.public_key == back.public_key
    assert both == [True, True, True]
    assert retired["second"] is None
    assert left == [True, False, True, True]
    assert {"vpn.pair.rotate", "vpn.pair.follow", "vpn.pair.revert", "vpn.pair.retire"} <= set(audited)


def newest_socket(instance: Keystead) -> Path:
    """Return the socket of the core that serves: each handover takes the next free one."""
    run = noted_directory(instance.data_dir / "run")
    return max(run.glob("xray*.sock"), key=lambda path: path.stat().st_mtime)


@pytest.mark.alone
@pytest.mark.slow
async def test_no_dial_fails_with_any_link_while_a_pair_is_rotated_and_retired(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_trusted=True) as instance, operator(instance) as who:
        keys = [(await who.post(KEYS, json={"placement": where})).json()["id"] for where in ("shared", "own-port")]
        old = [await instance.profile(key) for key in keys]
        async with (
            dialling(instance, old[0], "xray") as by_xray,
            dialling(instance, old[0], "sing-box") as by_sing_box,
            dialling(instance, old[1], "xray") as at_own_port,
        ):
            await wish(who, "rotate")
            await asyncio.sleep(0.5)
        new = [await instance.profile(key) for key in keys]
        async with dialling(instance, new[0], "sing-box") as turned, dialling(instance, new[1], "xray") as own_turned:
            await asyncio.sleep(0.5)
            await wish(who, "retire")
            await asyncio.sleep(0.5)

    for times in (by_xray, by_sing_box, at_own_port, turned, own_turned):
        assert len(times) > 10
        assert None not in times
        assert max(took_s for took_s in times if took_s is not None) < DIAL_MAX_S


async def test_a_rotation_that_was_cut_by_a_kill_is_finished_by_the_next_start(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_detached=True, is_trusted=True) as instance:
        key = await instance.create("anna")
        old = await instance.profile(key["key_id"])
        async with operator(instance) as who:
            planned = (await who.post(PAIR, json={"act": "rotate", "dry_run": True})).json()
            rotating = asyncio.create_task(who.post(PAIR, json={"act": "rotate", "digest": planned["digest"]}))
            async with asyncio.timeout(30):
                while (await who.get(PAIR)).json()["second"] is None:
                    await asyncio.sleep(0.05)
            await instance.stop(signal.SIGKILL)
            with pytest.raises(httpx2.HTTPError):
                await rotating
        await instance.start()
        await instance.ready()
        async with operator(instance) as who, asyncio.timeout(60):
            while (await who.get(PAIR)).json()["linked"]["public_key"] == old.public_key:
                await asyncio.sleep(0.1)
            found = (await who.get(PAIR)).json()
        new = await instance.profile(key["key_id"])
        dials = [await xray.dial(one, instance.world.origin) is not None for one in (old, new)]

    assert found["second"]["public_key"] == old.public_key
    assert found["second"]["stage"] == "going"
    assert dials == [True, True]


async def test_both_pairs_are_there_after_a_restart_and_a_deleted_key_is_cut_at_both(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        key = (await instance.create("anna"))["key_id"]
        own = (await instance.http.post(KEYS, json={"placement": "own-port"})).json()
        old, old_own = await instance.profile(key), await instance.profile(own["id"])
        async with operator(instance) as who:
            await wish(who, "rotate")
        await instance.stop()
        await instance.start()
        await instance.ready()
        await instance.until_agreed()
        new = await instance.profile(key)
        async with downloading(old) as behind, downloading(new) as in_front, downloading(old_own) as neighbour:
            assert (await instance.http.delete(f"/api/keys/{key}")).status_code == 200
            took_s = [await one.over_after_s() for one in (behind, in_front)]
            refused = [await xray.dial(one, instance.world.origin, within_s=2) for one in (old, new)]
            assert not neighbour.is_over

    assert None not in took_s
    assert refused == [None, None]


async def test_a_pair_that_is_not_kept_ends_with_the_rotation(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance, operator(instance) as who:
        key = (await instance.create("anna"))["key_id"]
        old = await instance.profile(key)
        found = await wish(who, "rotate", keep_s=0)

        assert found["second"] is None
        assert await xray.dial(old, instance.world.origin, within_s=3) is None
        assert await instance.dial(key) is not None
