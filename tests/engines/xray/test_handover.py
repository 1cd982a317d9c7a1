"""Another process takes the place of the one that serves, while real clients dial and download."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from keystead.engines.xray.plan import plan
from keystead.reconcile.plan import Step, Verb
from keystead.reconcile.replacement import Kind
from tests.support import xray
from tests.support.downloads import Trickles, downloading, trickling

OTHER, PINNED = "26.6.27", "26.7.28"
ANSWER = len(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n") + 1000
RESTART = Step("core", "xray/main", Verb.RESTART, "", "serving", "asked for by the test")


@asynccontextmanager
async def dialling(port: int, origin: tuple[str, int]) -> AsyncIterator[list[float | None]]:
    """Dial through a client without a pause; yield how long each took, None for one that failed."""
    times: list[float | None] = []

    async def dial() -> None:
        while True:
            times.append(await xray.get(port, origin))

    tasks = [asyncio.create_task(dial()) for _ in range(3)]
    try:
        yield times
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_no_dial_fails_and_no_download_stops_while_a_process_takes_over(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user, other = await lab.add("k1-1"), await lab.add("k2-1")
        before = lab.driver.status()
        async with xray.client(lab.profile(user)) as port, downloading(lab.profile(other)) as download:
            async with dialling(port, lab.origin) as times:
                await asyncio.sleep(1)
                await lab.driver.apply(RESTART, lab.desired)
                await asyncio.sleep(1)
            after = lab.driver.status()
            planned = plan("xray/main", lab.desired, await lab.driver.observe(), settings=lab.options.settings)
            assert not download.is_over
            assert download.longest_gap_s < 0.5

    assert after.process != before.process
    assert after.pid != before.pid
    assert planned.is_empty
    assert len(times) > 20
    assert None not in times
    assert max(took_s for took_s in times if took_s is not None) < 0.5


async def test_a_removed_key_is_cut_within_a_second_and_its_neighbour_is_not(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user, other = await lab.add("k1-1"), await lab.add("k2-1")
        async with downloading(lab.profile(user)) as cut, downloading(lab.profile(other)) as kept:
            await asyncio.sleep(1.5)
            begun_s = asyncio.get_running_loop().time()
            await lab.remove("k1-1")
            async with asyncio.timeout(5):
                while not cut.is_over:
                    await asyncio.sleep(0.01)
            took_s = asyncio.get_running_loop().time() - begun_s
            received = kept.received
            await asyncio.sleep(0.5)

            assert took_s < 1
            assert not kept.is_over
            assert kept.received > received
            assert kept.longest_gap_s < 0.5


async def test_ten_handovers_to_the_other_core_and_back_cost_nobody_anything(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user, other = await lab.add("k1-1"), await lab.add("k2-1")
        async with xray.client(lab.profile(user)) as port, trickling(lab.profile(other)) as trickles:
            async with dialling(port, lab.origin) as times:
                versions = [await handed_over(lab, trickles, OTHER if turn % 2 == 0 else PINNED) for turn in range(10)]
                await asyncio.sleep(0.5)
            await trickles.end()
            counted = await counted_in_all(lab, processes=11)

    took = [took_s for took_s in times if took_s is not None]
    assert versions == [OTHER, PINNED] * 5
    assert len(took) == len(times)
    assert len(times) > 500
    assert max(took) < 0.5
    assert len(trickles.downloads) == 50
    assert max(download.longest_gap_s for download in trickles.downloads) < 1
    assert counted["k2-1"] == sum(download.received for download in trickles.downloads)
    assert 0 <= counted["k1-1"] - len(times) * ANSWER <= 3 * ANSWER  # those under way when the dialling was ended


async def handed_over(lab: xray.Lab, trickles: Trickles, version: str) -> str:
    """Begin five downloads, hand over to a core of a version, and return the version that serves then."""
    await trickles.begin(5)
    lab.found = xray.binary(version)
    await lab.replace(Kind.UPGRADE)
    return lab.driver.status().binary.version


async def counted_in_all(lab: xray.Lab, *, processes: int) -> dict[str, int]:
    """Return what each label's download was in all processes, when all but the last have been read and have ended."""
    async with asyncio.timeout(20):
        while len({reading.process for reading in lab.final_readings}) < processes - 1:
            await asyncio.sleep(0.1)
    last = {reading.process: reading for reading in [*lab.final_readings, await lab.driver.read_counters()]}
    total: dict[str, int] = {}
    for reading in last.values():
        for label, counters in reading.counters.items():
            total[label] = total.get(label, 0) + counters.downlink
    return total
