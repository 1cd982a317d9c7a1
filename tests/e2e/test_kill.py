"""kill -9 of the core and of Keystead in the middle of creates and deletes: what was answered holds afterwards.

No hook in the product marks the steps; the kills come at times drawn over the few milliseconds a create and a delete
take, in enough rounds to meet every step: before the commit, before and after the engine's call, before and after
the confirmation and the answer.
"""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from tests.support import xray
from tests.support.clients import dial_many
from tests.support.keystead import Keystead, keystead

DELETED_PER_ROUND = 2
BUSY_S = 0.12

Kill = Callable[[Keystead], Awaitable[None]]


@dataclass
class Ledger:
    """What the wire has promised so far."""

    alive: dict[int, xray.Profile] = field(default_factory=dict)
    in_doubt: dict[int, xray.Profile] = field(default_factory=dict)
    dead: dict[int, xray.Profile] = field(default_factory=dict)


async def keep_creating(instance: Keystead, born: list[int]) -> None:
    with suppress(httpx2.HTTPError):
        while True:
            answer = await instance.http.post("/api/keys", json={"name": "k"})
            if answer.status_code == 200:
                born.append(answer.json()["key_id"])


async def keep_deleting(instance: Keystead, ledger: Ledger) -> None:
    with suppress(httpx2.HTTPError):
        for number in list(ledger.alive)[:DELETED_PER_ROUND]:
            ledger.in_doubt[number] = ledger.alive.pop(number)
            answer = await instance.http.delete(f"/api/keys/{number}")
            if answer.status_code == 200:
                ledger.dead[number] = ledger.in_doubt.pop(number)


async def strike(instance: Keystead, ledger: Ledger, kill: Kill, after_s: float) -> None:
    """Keep the instance busy, kill in the middle of it, and bring everything back."""
    born: list[int] = []
    work = [asyncio.create_task(keep_creating(instance, born)) for _ in range(3)]
    work.append(asyncio.create_task(keep_deleting(instance, ledger)))
    await asyncio.sleep(after_s)
    await kill(instance)
    if kill is kill_core:
        await asyncio.sleep(BUSY_S)
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    if instance.process is None:
        await instance.start()
    for number in born:
        ledger.alive[number] = await instance.profile(number)


async def kill_core(instance: Keystead) -> None:
    os.kill(instance.core_pid(), signal.SIGKILL)


async def kill_keystead(instance: Keystead) -> None:
    await instance.stop(signal.SIGKILL)


KILLS = [(kill_core, 30), (kill_keystead, 12)]


async def check(instance: Keystead, ledger: Ledger) -> None:
    """Database and core agree; what was promised is so; nothing is half visible."""
    await instance.until_agreed()
    listed = await instance.listed()
    states = instance.database_labels()
    assert len(listed) == len(states)
    assert set(ledger.alive) <= set(listed)
    assert not set(ledger.dead) & set(listed)
    await instance.ready()
    sample = dict(random.sample(sorted(ledger.alive.items()), min(60, len(ledger.alive))))
    served = await dial_many(list(sample.values()), instance.world.origin)
    assert all(served), [number for number, was_served in zip(sample, served, strict=True) if not was_served]
    gone = dict(random.sample(sorted(ledger.dead.items()), min(20, len(ledger.dead))))
    assert not any(await dial_many(list(gone.values()), instance.world.origin, within_s=3.0))


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.parametrize(("kill", "rounds"), KILLS, ids=["core", "keystead"])
async def test_what_was_answered_survives_a_kill_at_any_step(tmp_path: Path, kill: Kill, rounds: int) -> None:
    ledger = Ledger()
    async with keystead(tmp_path) as instance:
        for number in range(rounds):
            await strike(instance, ledger, kill, random.uniform(0.0, BUSY_S))
            if number % 6 == 5:
                await check(instance, ledger)
            else:
                await instance.until_agreed()

        assert len(ledger.alive) > rounds / 2
        assert len(ledger.dead) > rounds / 2
