"""The rows of the veil wire's table of outcomes beside creates, for each state of the core and of the database.

``test_outcomes.py`` holds the creates, and what becomes of a key afterwards.
"""

import asyncio
import os
import signal
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests.e2e.test_outcomes import fill, on_small_disk, stopped, switchable_core
from tests.support.keystead import Keystead, keystead

READS = ("list", "get", "link", "config", "subscription", "root")
# What each operation failed to do, as the wire says it.
FAILED_TO = {
    "delete": "delete key",
    "reset": "reset traffic",
    "sync": "sync traffic",
    "sync-config": "synchronize Xray configuration",  # in the words of vpnkeys, which has it where both share a door
}

Answers = Mapping[str, httpx2.Response]


async def ask(instance: Keystead, key: object, operations: Iterable[str]) -> Answers:
    """Ask for operations with a key, all at once; return their answers by name."""
    paths = {
        "list": ("GET", "/api/keys"),
        "get": ("GET", f"/api/keys/{key}"),
        "link": ("GET", f"/api/keys/{key}/link"),
        "config": ("GET", f"/api/keys/{key}/config"),
        "subscription": ("GET", f"/api/keys/{key}/subscription"),
        "root": ("GET", "/"),
        "traffic": ("GET", f"/api/keys/{key}/traffic"),
        "reset": ("POST", f"/api/keys/{key}/traffic/reset"),
        "sync": ("POST", "/api/traffic/sync"),
        "sync-config": ("POST", "/api/system/xray/sync-config"),
        "delete": ("DELETE", f"/api/keys/{key}"),
    }
    chosen = list(operations)
    answers = await asyncio.gather(*(instance.http.request(*paths[name]) for name in chosen))
    return dict(zip(chosen, answers, strict=True))


def assert_read(answers: Answers) -> None:
    assert {name: answers[name].status_code for name in READS} == dict.fromkeys(READS, 200)
    assert answers["list"].json()["total"] >= 1


def assert_temporary(answers: Answers, *names: str) -> None:
    """Check that operations may be tried again, and say so."""
    for name in names:
        answer = answers[name]
        assert answer.status_code == 503, (name, answer.text)
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["detail"].startswith(f"Failed to {FAILED_TO[name]}: ")


async def healthy(instance: Keystead, status: str, *, within_s: float = 20.0) -> None:
    """Wait until the open path of health says this."""
    async with asyncio.timeout(within_s):
        while (await instance.http.get("/health")).json()["status"] != status:
            await asyncio.sleep(0.05)


async def counted(instance: Keystead) -> tuple[int, int]:
    """Return a key that has carried bytes, and how many the wire has shown of them."""
    key = (await instance.create("counted"))["key_id"]
    assert await instance.dial(key, 50_000) is not None
    total = (await instance.http.get(f"/api/keys/{key}/traffic")).json()["total"]
    assert total > 50_000
    return key, total


async def test_with_a_core_that_works_every_operation_is_200(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        key, total = await counted(instance)

        answers = await ask(instance, key, (*READS, "sync-config"))
        synced = (await ask(instance, key, ["sync"]))["sync"].json()
        reset = (await ask(instance, key, ["reset"]))["reset"].json()
        deleted = await ask(instance, key, ["delete"])

        assert_read(answers)
        assert answers["sync-config"].json()["message"] == "Xray configuration synchronized successfully"
        assert synced == {"success": True, "message": "Synced 1 keys, 0 errors", "updated": 1, "errors": 0}
        assert reset["previous_total"] == total
        assert deleted["delete"].status_code == 200
        await healthy(instance, "ok")


@pytest.mark.alone
async def test_a_core_that_warms_up_keeps_nothing_but_creates_waiting(tmp_path: Path) -> None:
    async with keystead(tmp_path, is_trusted=True) as instance:
        key, total = await counted(instance)
        spare = (await instance.create("spare"))["key_id"]
        os.kill(instance.core_pid(), signal.SIGKILL)
        await healthy(instance, "degraded")  # REALITY's examination takes the new process five seconds

        answers = await ask(instance, key, (*READS, "traffic", "sync", "sync-config"))
        reset = (await ask(instance, key, ["reset"]))["reset"].json()
        deleted = await ask(instance, spare, ["delete"])
        still = (await instance.http.get("/health")).json()["status"]

        assert_read(answers)
        assert answers["traffic"].json()["total"] == total
        assert answers["sync"].json()["success"] is True
        assert answers["sync-config"].status_code == 200, answers["sync-config"].text
        assert reset["previous_total"] == total
        assert deleted["delete"].status_code == 200
        assert still == "degraded"


@pytest.mark.alone
async def test_while_the_core_hangs_what_is_known_is_told_and_what_is_not_is_503(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        key, total = await counted(instance)
        with stopped(instance.core_pid()):
            answers = await ask(instance, key, (*READS, "traffic", "reset", "sync", "sync-config"))

        assert_read(answers)
        assert answers["traffic"].status_code == 200
        assert answers["reset"].json()["previous_total"] == total
        assert answers["sync"].json() == {
            "success": False,
            "message": "Synced 0 keys, 1 errors",
            "updated": 0,
            "errors": 1,
        }
        assert_temporary(answers, "sync-config")
        assert answers["sync-config"].elapsed.total_seconds() < 4.0  # two by the table, on a busy machine


async def test_without_a_core_what_is_known_is_told_and_deletes_are_done(tmp_path: Path) -> None:
    program, switch = switchable_core(tmp_path)
    async with keystead(tmp_path, KEYSTEAD_XRAY_PATH=str(program)) as instance:
        key, total = await counted(instance)
        switch.touch()
        os.kill(instance.core_pid(), signal.SIGKILL)
        await healthy(instance, "unhealthy")

        answers = await ask(instance, key, (*READS, "traffic", "sync", "sync-config"))
        reset = (await ask(instance, key, ["reset"]))["reset"].json()
        deleted = await ask(instance, key, ["delete"])

        assert_read(answers)
        assert answers["traffic"].json()["total"] == total
        assert answers["sync"].json()["success"] is False
        assert answers["sync"].json()["errors"] == 1
        assert_temporary(answers, "sync-config")
        assert reset["previous_total"] == total
        assert deleted["delete"].status_code == 200


@pytest.mark.sqlite
async def test_a_locked_database_is_503_for_what_writes_and_tells_the_rest(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        key, total = await counted(instance)
        assert await instance.dial(key, 50_000) is not None  # not booked yet
        with closing(sqlite3.connect(instance.data_dir / "keystead.db", isolation_level=None)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            answers = await ask(instance, key, (*READS, "traffic", "reset", "sync", "sync-config", "delete"))
            health = (await instance.http.get("/health")).json()["status"]
            holder.execute("ROLLBACK")

        assert_read(answers)
        assert answers["traffic"].json()["total"] >= total
        assert_temporary(answers, "reset", "sync", "sync-config", "delete")
        assert health == "ok"


async def until_refused(instance: Keystead, keys: Iterable[object], operation: str) -> httpx2.Response:
    """Repeat an operation with one key after the other, until there is no room left to write it down."""
    for key in keys:
        answer = (await ask(instance, key, [operation]))[operation]
        if answer.status_code != 200:
            return answer
    raise AssertionError(f"{operation} never met the full disk")


@pytest.mark.sqlite
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
async def test_a_full_database_is_500_with_the_documented_text_for_what_writes(tmp_path: Path) -> None:
    async with on_small_disk(tmp_path) as (instance, disk):
        keys = [(await instance.create(f"k{number}"))["key_id"] for number in range(40)]
        for key in keys[:2]:
            assert await instance.dial(key, 1000) is not None
        ballast = fill(disk)
        reset = await until_refused(instance, keys, "reset")
        deleted = await until_refused(instance, keys[:-1], "delete")
        assert await instance.dial(keys[-1], 1000) is not None  # something new to book
        answers = await ask(instance, keys[-1], (*READS, "traffic", "sync"))
        health = (await instance.http.get("/health")).json()["status"]
        ballast.unlink()

        for answer, name in ((reset, "reset"), (deleted, "delete"), (answers["sync"], "sync")):
            assert answer.status_code == 500, answer.text
            assert answer.json()["detail"] == f"Failed to {FAILED_TO[name]}: Database error"
        assert_read(answers)
        assert answers["traffic"].status_code == 200
        assert health == "ok"
        await instance.until_agreed(within_s=20.0)
