"""What holds after every round, and at the end."""

import asyncio
import errno
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos import customers
from tests.chaos.ledger import Ledger
from tests.chaos.stage import CUSTOMER, DESTINATION, Stage

__all__ = ["CUSTOMER", "DESTINATION"]

AGREED_WITHIN_S = 10.0
READY_WITHIN_S = 20.0
_ALIVE_DIALLED, _DEAD_DIALLED = 25, 6
_REFUSED_WITHIN_S = 1.5


def summary(ledger: Ledger) -> str:
    """Return in a line what has happened so far."""
    keys = f"{len(ledger.alive)} keys live, {len(ledger.dead)} deleted, {len(ledger.doubtful)} in doubt"
    counts = ", ".join(f"{what} {count}" for what, count in sorted(ledger.counts.items()))
    return f"{keys}; {counts}; {len(ledger.violations)} violations"


def account_total(told: dict[str, Any]) -> int:
    """Return all that an account's keys, deleted ones included, have carried."""
    return sum(int(part[kind]["total"]) for part in (told, told["deleted"]) for kind in ("billed", "estimated"))


async def require_agreement(stage: Stage, ended_s: float, where: str) -> None:
    """Database and engine agree soon after the last disturbance."""
    left_s = max(ended_s + AGREED_WITHIN_S - time.monotonic(), 0.1)
    try:
        await stage.instance.until_agreed(within_s=left_s)
        stage.ledger.counts["slowest agreement, ms"] = max(
            int((time.monotonic() - ended_s) * 1000), stage.ledger.counts.get("slowest agreement, ms", 0)
        )
    except AssertionError as error:
        stage.ledger.require(False, f"no agreement within {AGREED_WITHIN_S} s {where}: {str(error)[:1500]}")


async def require_calm(stage: Stage, rng: random.Random, where: str) -> None:
    """Everything is as it should be while nobody works and nothing disturbs."""
    ledger = stage.ledger
    try:
        await stage.instance.ready(within_s=READY_WITHIN_S)
    except Exception as error:
        ledger.require(False, f"not ready within {READY_WITHIN_S} s {where}: {error!r}")
        return
    await _require_processes(stage, where)
    listed = await stage.instance.listed()
    ledger.require(set(ledger.alive) <= set(listed), f"lost {where}: {sorted(set(ledger.alive) - set(listed))}")
    ledger.require(not set(ledger.dead) & set(listed), f"back {where}: {sorted(set(ledger.dead) & set(listed))}")
    await _require_dials(stage, rng, where)
    live = set(stage.instance.database_labels())
    if strangers := stage.connected_labels() - live:
        await asyncio.sleep(2.5)
        strangers &= stage.connected_labels() - live
        ledger.require(not strangers, f"connections of keys that are gone {where}: {sorted(strangers)}")
    _require_secrecy(stage, where)


async def _require_dials(stage: Stage, rng: random.Random, where: str) -> None:
    ledger = stage.ledger
    untried = [key for key in ledger.alive.values() if not key.is_tried]
    tried = [key for key in ledger.alive.values() if key.is_tried]
    living = [*untried, *rng.sample(tried, min(len(tried), max(_ALIVE_DIALLED - len(untried), 0)))]
    dead = [ledger.dead[number] for number in rng.sample(sorted(ledger.dead), min(_DEAD_DIALLED, len(ledger.dead)))]
    served, refused = await asyncio.gather(
        customers.dial(stage, [key.profile for key in living], within_s=10.0),
        customers.dial(stage, [key.profile for key in dead], within_s=_REFUSED_WITHIN_S),
    )
    for key, was_served in zip(living, served, strict=True):
        key.is_tried = True
        ledger.require(was_served, f"key {key.number} does not dial {where}")
    for key, was_served in zip(dead, refused, strict=True):
        ledger.require(not was_served, f"key {key.number} dials although deleted {where}")


async def _require_processes(stage: Stage, where: str) -> None:
    """One keeper, and one core that is its child and the only one at its port."""
    for _ in range(30):
        keepers, cores = stage.keepers(), stage.cores()
        if len(keepers) == len(cores) == 1:
            break
        await asyncio.sleep(0.1)
    stage.ledger.require(len(keepers) == 1, f"{len(keepers)} keepers {where}: {keepers}")
    stage.ledger.require(len(cores) == 1, f"{len(cores)} cores {where}: {cores}")


async def require_nothing_left(stage: Stage) -> None:
    """After the end: no process, no listener, no socket of ours; and nothing secret was written."""
    instance, ledger = stage.instance, stage.ledger
    stage.note_processes()
    async with stage.operator() as operator:
        verified = (await operator.post("/v1/audit/verify", timeout=30.0)).json()
    ledger.require(verified.get("is_intact") is True, f"the audit does not verify: {verified}")
    await stage.taking_down.acquire()  # for good
    await instance.stop()
    if instance.is_detached:
        ledger.require(bool(stage.cores()), "a detached core ended with Keystead")
        instance.end_engine()
    if not await _holds(lambda: not stage.leftovers(), 8.0):
        ledger.require(False, f"processes outlive the end: {stage.leftovers()}")
    for port in (instance.port, instance.vpn_port):
        ledger.require(await _holds(lambda port=port: _is_free(port), 3.0), f"port {port} is still held")  # type: ignore[misc]
    left = [path.name for path in stage.run_dir.glob("*") if path.is_socket()]
    ledger.require(not left, f"sockets left behind: {left}")
    _require_secrecy(stage, "at the end")


def _require_secrecy(stage: Stage, where: str) -> None:
    """No log and no command line holds what is secret or personal."""
    ledger = stage.ledger
    texts = {f"the command line of {path.parent.name}": path for path in Path("/proc").glob("[0-9]*/cmdline")}
    texts |= {path.name: path for path in stage.instance.data_dir.parent.rglob("*.log*") if path.is_file()}
    for name, path in texts.items():
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        found = {what for secret, what in ledger.secrets.items() if secret in text}
        ledger.require(not found, f"{name} holds a {', '.join(sorted(found))} {where}")


async def _holds(claim: Callable[[], bool], within_s: float) -> bool:
    end_s = time.monotonic() + within_s
    while not claim():
        if time.monotonic() > end_s:
            return False
        await asyncio.sleep(0.05)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True
