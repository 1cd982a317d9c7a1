"""What both wires show of a key while it carries, beside what Xray has counted and what its client holds."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil
from sqlalchemy import create_engine, text

from keystead.engines.xray.client import XrayClient
from keystead.engines.xray.state import Counters
from keystead.kit.errors import EngineUnavailable
from tests.support.flows import MB, Flow, Together
from tests.support.keystead import Keystead

SLACK = 0.05
# For a second or so after a start the keeper has not been asked yet, and the figure's quality says so.
MOMENTS_OF_A_START = 4
# A shown figure never falls, so it may keep framing and padding that were taken for payload when it was asked for.
SHOWN_TOO_MUCH = 0.02
_SMALL_ANSWERS = 16_384


@dataclass(frozen=True)
class Sample:
    """One figure of one wire, and what the other end held just before it was asked for and just after."""

    wire: str
    shown: int
    at_least: int
    at_most: int
    at_s: float = 0.0
    is_live: bool = True

    @property
    def off(self) -> int:
        """Return how many bytes the figure is outside of what was held: negative below, positive above."""
        return min(0, self.shown - self.at_least) or max(0, self.shown - self.at_most)

    @property
    def is_close(self) -> bool:
        """Tell whether the figure is within 5 % or 1 MB."""
        return abs(self.off) <= max(MB, SLACK * self.at_most)


@dataclass
class Watched:
    """The figures of one key, one way, over time."""

    name: str
    samples: list[Sample] = field(default_factory=list)
    missed: int = 0

    def require_close(self, *, at_least: int) -> None:
        """Fail unless there are enough samples, none of them far from what was held, and none lower than an earlier."""
        assert len(self.samples) >= at_least, self
        far = [sample for sample in self.samples if sample.is_live and not sample.is_close]
        assert not far, (str(self), far)
        assert sum(not sample.is_live for sample in self.samples) <= MOMENTS_OF_A_START, self
        assert self.never_falls, self

    @property
    def worst(self) -> Sample:
        return max(self.samples, key=lambda sample: abs(sample.off))

    @property
    def never_falls(self) -> bool:
        return all(later.shown >= earlier.shown for earlier, later in zip(self.samples, self.samples[1:], strict=False))

    def __str__(self) -> str:
        worst = self.worst
        return (
            f"{self.name}: {len(self.samples)} samples, worst {worst.off:+d} of {worst.at_most} ({worst.wire}), "
            f"missed {self.missed}"
        )


async def traffic(instance: Keystead, number: int) -> dict[str, Any]:
    """Return what the native API says of a key."""
    answer = await instance.http.get(f"/v1/vpn/keys/{number}/traffic")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@asynccontextmanager
async def watching(
    instance: Keystead,
    number: int,
    flow: Flow | Together,
    way: str = "download",
    *,
    name: str = "",
    every_s: float = 1.0,
) -> AsyncIterator[Watched]:
    """Ask both wires every second as long as the context lasts; an instance that is away is asked again."""
    watched = Watched(name or f"{number} {way}")
    begun_s = time.monotonic()

    async def watch() -> None:
        is_live = True
        while True:
            for wire, path in (("v1", f"/v1/vpn/keys/{number}/traffic"), ("veil", f"/api/keys/{number}/traffic")):
                held = flow.held
                try:
                    answer = await instance.http.get(path)
                except (httpx2.HTTPError, RuntimeError):
                    watched.missed += 1
                    continue
                if answer.status_code == 200:
                    most = max(flow.held, flow.sent if way == "upload" else 0)
                    at_s = round(time.monotonic() - begun_s, 1)
                    is_live = answer.json().get("quality", "live" if is_live else "") == "live"
                    watched.samples.append(Sample(wire, answer.json()[way], held, most, at_s, is_live))
                else:
                    watched.missed += 1
            await asyncio.sleep(every_s)

    task = asyncio.create_task(watch())
    try:
        yield watched
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def label_of(instance: Keystead, number: int) -> str:
    """Return the label under which the core counts a key."""
    engine = create_engine(instance.database_url)
    try:
        with engine.connect() as connection:
            return str(connection.execute(text(f"SELECT label FROM vpn_keys WHERE number = {number}")).scalar_one())
    finally:
        engine.dispose()


async def counted(instance: Keystead, label: str, socket: Path | None = None) -> Counters | None:
    """Return what the core itself has counted (QueryStats), None when it does not answer."""
    client = XrayClient.on_socket(socket or instance.data_dir / "run" / "xray.sock", timeout_s=5.0)
    try:
        return (await client.counters(label)).get(label, Counters(0, 0))
    except EngineUnavailable:
        return None
    finally:
        await client.close()


async def history_total(instance: Keystead, number: int, step: str) -> Counters:
    """Return what a key's buckets add up to."""
    answer = await instance.http.get(f"/v1/vpn/keys/{number}/traffic/history", params={"step": step})
    assert answer.status_code == 200, answer.text
    buckets = answer.json()["items"]
    return Counters(sum(bucket["upload"] for bucket in buckets), sum(bucket["download"] for bucket in buckets))


async def require_exact(instance: Keystead, number: int, core: Counters) -> dict[str, Any]:
    """Fail unless a key that rests is shown and billed as the core counted it, by its buckets too; return its traffic.

    For a key that was never reset, and whose core was never killed.
    """
    found = await traffic(instance, number)
    assert found["billed"] == both(core), (found, core)
    assert found["live"] == {name: found[name] for name in ("upload", "download", "total")}
    for way in ("upload", "download"):
        billed = found["billed"][way]
        assert billed <= found[way] <= billed + max(_SMALL_ANSWERS, SHOWN_TOO_MUCH * billed), (found, core)
    assert found["estimated"] == both(Counters(0, 0)), found
    assert [await history_total(instance, number, step) for step in ("hour", "day")] == [core, core]
    return found


async def until_still(
    instance: Keystead, label: str, *, socket: Path | None = None, within_s: float = 15.0
) -> Counters:
    """Wait until the core counts nothing more of a label for a second, and return its count."""
    last, since_s = None, time.monotonic()
    async with asyncio.timeout(within_s):
        while True:
            now = await counted(instance, label, socket)
            if now != last or now is None:
                last, since_s = now, time.monotonic()
            elif time.monotonic() - since_s >= 1.0:
                return now
            await asyncio.sleep(0.1)


def counters_of(ways: dict[str, int]) -> Counters:
    """Return what the native API writes both ways."""
    return Counters(ways["upload"], ways["download"])


def both(counters: Counters) -> dict[str, int]:
    """Return counters as the native API writes them."""
    return {"upload": counters.uplink, "download": counters.downlink, "total": counters.uplink + counters.downlink}


@asynccontextmanager
async def loads(instance: Keystead) -> AsyncIterator[dict[str, float]]:
    """Measure which share of a core Keystead, its keeper and Xray take; filled in while the context lasts."""
    assert instance.process is not None
    pids = {"keystead": instance.process.pid, "keeper": instance.keeper_says()["pid"], "xray": instance.core_pid()}
    begun_s, used = time.monotonic(), {name: _cpu_s(pid) for name, pid in pids.items()}
    found: dict[str, float] = {}

    async def measure() -> None:
        while True:
            await asyncio.sleep(1.0)
            for name, pid in pids.items():
                with suppress(psutil.NoSuchProcess):
                    found[name] = round((_cpu_s(pid) - used[name]) / (time.monotonic() - begun_s), 3)

    task = asyncio.create_task(measure())
    try:
        yield found
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
