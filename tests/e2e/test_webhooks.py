"""Webhooks from a real instance with a real core: a receiver in another process hears of what happens, signed."""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.keystead import Keystead, keystead
from tests.support.receiver import Receiver, is_genuine, receiving

ALLOWED = {"KEYSTEAD_WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8"}


async def command(instance: Keystead, *arguments: str) -> tuple[int, str, str]:
    """Run the command line against the instance, as its owner would."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "keystead",
        *arguments,
        env=instance.environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=instance.data_dir.parent,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def add(instance: Keystead, url: str) -> str:
    """Add a webhook and return its secret."""
    code, out, err = await command(instance, "webhook", "add", url)
    assert code == 0, err
    return out.strip()


async def types(receiver: Receiver, count: int, *, within_s: float = 30.0) -> list[str]:
    """Wait for so many events and return what they are called, each id once."""
    requests = await asyncio.to_thread(receiver.until, count, within_s=within_s)
    return [request.json["type"] for request in requests]


async def test_a_key_s_life_arrives_signed_and_the_test_button_works(tmp_path: Path) -> None:
    with receiving() as receiver:
        async with keystead(tmp_path, **ALLOWED) as instance:
            secret = await add(instance, receiver.url)
            code, out, err = await command(instance, "webhook", "test", "1", "--json")
            assert (code, json.loads(out)["state"]) == (0, "delivered"), err

            key = await instance.create("anna")
            assert await types(receiver, 2) == ["webhook.test", "vpn.key.created"]
            answer = await instance.http.post(f"/v1/vpn/keys/{key['key_id']}/traffic/reset")
            assert answer.status_code == 200, answer.text
            await instance.http.delete(f"/api/keys/{key['key_id']}")

            assert sorted((await types(receiver, 4))[2:]) == ["vpn.key.reset", "vpn.key.revoked"]
            assert all(is_genuine(secret, request) for request in receiver.received)
            assert receiver.received[1].json["data"]["key"]["name"] == "anna"
            assert key["uuid"] not in b"".join(request.body for request in receiver.received).decode()
            assert not [told for told in (secret, "/hook") if told in instance.log()]


async def test_what_was_not_delivered_before_a_kill_is_delivered_after_the_next_start(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.statuses = [503]
        async with keystead(tmp_path, **ALLOWED) as instance:
            await add(instance, receiver.url)
            await instance.create()
            await types(receiver, 1)
            await asyncio.sleep(0.5)  # the attempt is written down
            await instance.stop(signal.SIGKILL)
            await instance.start()

            assert await types(receiver, 2, within_s=30) == ["vpn.key.created"] * 2
            assert len({request.headers["webhook-id"] for request in receiver.received}) == 1


async def test_without_permission_nothing_private_is_told(tmp_path: Path) -> None:
    with receiving() as receiver:
        async with keystead(tmp_path) as instance:
            code, _, err = await command(instance, "webhook", "add", receiver.url)
            assert (code, "private" in err) == (1, True)

            code, _, _ = await command(instance, "webhook", "add", f"https://localhost:{receiver.port}/")
            tested, out, _ = await command(instance, "webhook", "test", "1")

            assert (code, tested) == (0, 1)
            assert "its address is private" in out
            assert receiver.received == []


@pytest.mark.slow
async def test_an_engine_that_stays_away_is_told_and_so_is_its_return(tmp_path: Path) -> None:
    with receiving() as receiver:
        async with keystead(tmp_path, **ALLOWED) as instance:
            await instance.ready()
            await add(instance, receiver.url)
            with frozen(instance):
                assert await types(receiver, 1, within_s=60) == ["engine.down"]

            assert await types(receiver, 2, within_s=60) == ["engine.down", "engine.up"]
            told: Any = receiver.received[0].json["data"]
            assert (told["scope"], told["condition"]) in {("xray/main", "hung"), ("xray/main", "down")}


@contextmanager
def frozen(instance: Keystead) -> Iterator[None]:
    """Stop the core, and every other one that takes its place when Keystead ends the one that hangs."""
    ended = threading.Event()

    def stop_each() -> None:
        while not ended.wait(0.02):  # sooner than one that was started in its place can serve
            with suppress(AssertionError, OSError, ValueError):
                os.kill(instance.core_pid(), signal.SIGSTOP)

    stopping = threading.Thread(target=stop_each)
    stopping.start()
    try:
        yield
    finally:
        ended.set()
        stopping.join()
        with suppress(ProcessLookupError):
            os.kill(instance.core_pid(), signal.SIGCONT)
