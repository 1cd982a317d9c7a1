"""Live bytes, exact cuts and speed limits on the real core, with real clients and TLS 1.3 inside Vision."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from keystead.keeper import pacing
from keystead.keeper.borrowed import Borrower
from keystead.keeper.proving import Cutter, prove
from tests.support import watched, xray


@dataclass
class Stage:
    """A core, two keys' clients, and where they download from."""

    core: watched.Core
    borrower: Borrower
    clients: dict[str, int]
    origin: tuple[str, int]


@asynccontextmanager
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(xray.lab(tmp_path, is_started=False))
        users, first = [lab.want("a"), lab.want("b")], lab.want("first")
        core = await stack.enter_async_context(watched.core(lab))
        origin = await stack.enter_async_context(watched.tls_origin(lab))
        assert await xray.dial(lab.profile(first), lab.origin) is not None
        clients = {user.label: await stack.enter_async_context(xray.client(lab.profile(user))) for user in users}
        yield Stage(core, stack.enter_context(Borrower(core.pid)), clients, origin)


async def flowing(download: watched.Download, beyond: int = 0) -> None:
    async with asyncio.timeout(10):
        while download.held <= beyond:
            await asyncio.sleep(0.02)


async def test_the_kernel_tells_a_spliced_download_while_the_core_is_blind(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        before = on.core.carried("a")
        async with watched.downloading(on.clients["a"], on.origin, "4000000") as download:
            await flowing(download, 6_000_000)
            carried, held = on.core.carried("a"), download.held
            counted = await on.core.counted("a")
        async with asyncio.timeout(10):
            while (final := (await on.core.counted("a")).downlink) < held:
                await asyncio.sleep(0.1)
        last = on.core.carried("a")

    assert abs(carried.downlink - before.downlink - held) < 1_000_000
    assert counted.downlink < 1_000_000
    assert last.downlink <= final
    assert on.core.table.ownerless_share(time.monotonic()) == 0.0


@pytest.mark.parametrize("without", [(), ("destroy",), ("destroy", "reset")], ids=["best", "borrowed", "shutdown"])
async def test_a_cut_ends_one_keys_download_and_not_anothers_from_the_same_address(
    tmp_path: Path, without: tuple[str, ...]
) -> None:
    cutter_of = prove(without)
    async with (
        stage(tmp_path) as on,
        watched.downloading(on.clients["a"], on.origin, "2000000") as first,
        watched.downloading(on.clients["b"], on.origin, "2000000") as second,
    ):
        await asyncio.gather(flowing(first, 500_000), flowing(second, 500_000))
        on.core.look()
        on.core.condemned.add(["a"], time.monotonic())
        cut_at_s = time.monotonic()
        targets = on.core.table.to_cut()
        cut = Cutter(cutter_of, on.borrower).cut_many(targets)
        async with asyncio.timeout(5):
            while first.ended_at_s is None:
                await asyncio.sleep(0.01)
        others = second.held
        await flowing(second, others + 1_000_000)

    assert cut == {one.cookie for one in targets}
    assert len(cut) == 1
    assert first.ended_at_s - cut_at_s < (1.0 if "reset" not in without else 4.0)


async def test_a_limit_holds_on_one_keys_spliced_downloads_and_not_on_anothers(tmp_path: Path) -> None:
    limit = 2_000_000
    async with stage(tmp_path) as on, AsyncExitStack() as stack:
        paced = [
            await stack.enter_async_context(watched.downloading(on.clients["a"], on.origin, "8000000"))
            for _ in range(4)
        ]
        free = await stack.enter_async_context(watched.downloading(on.clients["b"], on.origin, "4000000"))
        await asyncio.gather(*(flowing(one) for one in [*paced, free]))
        measured, free_measured = await pace(on, limit, paced, free)
        inodes = on.core.table.downlink_per_s("a")
        on.borrower.pace_many(dict.fromkeys(inodes))
        before = sum(one.held for one in paced)
        await asyncio.sleep(1)
        lifted = sum(one.held for one in paced) - before

    assert abs(measured - limit) < limit * 0.1
    assert free_measured > 3_000_000
    assert lifted > limit * 2


async def pace(
    on: Stage, limit: int, paced: list[watched.Download], free: watched.Download, seconds: int = 8
) -> tuple[float, float]:
    """Hold a limit for some seconds as the keeper does; return what both sides received per second after the third."""
    caps: dict[int, int] = {}
    held, free_held, begun_s = 0, 0, 0.0
    for second in range(seconds):
        on.core.look()
        carried = on.core.table.downlink_per_s("a")
        caps = pacing.shares(limit, carried, caps)
        assert on.borrower.pace_many(caps) == set(caps)
        if second == 3:
            held, free_held, begun_s = sum(one.held for one in paced), free.held, time.monotonic()
        await asyncio.sleep(1)
    took_s = time.monotonic() - begun_s
    return (sum(one.held for one in paced) - held) / took_s, (free.held - free_held) / took_s
