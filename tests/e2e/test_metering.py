"""Live figures, bills and history beside what clients hold: real keeper, real core, real clients.

All scenarios run side by side in one instance, each with a key of its own; most of them dial from one address.
"""

import asyncio
from pathlib import Path

import pytest

from keystead.engines.xray.state import Counters
from tests.support import flows, shown
from tests.support.flows import MB, Origin
from tests.support.keystead import Keystead, keystead

RATE = 4 * MB
LASTS_S = 30
SMALL = 1000
SMALL_BYTES = 2000
AT_ONCE = 4
# Of one core's time, while all of it is asked for every second: 0.02 and 0.05 were measured.
KEEPER_SHARE = 0.1
KEYSTEAD_SHARE = 0.2


async def follow(instance: Keystead, origin: Origin, program: str, address: str, *, is_tls: bool) -> Counters:
    """Download for half a minute: right at every second, exact in the end."""
    number = (await instance.create())["key_id"]
    async with (
        flows.client_of(program, await instance.profile(number), address=address) as socks,
        flows.download(socks, origin.of(is_tls=is_tls), rate=RATE, size=RATE * LASTS_S, is_tls=is_tls) as flow,
        shown.watching(instance, number, flow, name=f"{program} {'tls' if is_tls else 'plain'}") as watched,
    ):
        await flow.when_over(within_s=2 * LASTS_S)
    core = await shown.until_still(instance, shown.label_of(instance, number))

    assert flow.is_whole
    watched.require_close(at_least=2 * LASTS_S - 10)
    await shown.require_exact(instance, number, core)
    assert flow.held <= core.downlink <= 1.01 * flow.held
    return core


async def follow_padded(instance: Keystead, origin: Origin) -> Counters:
    """Download TLS records in pieces: Vision goes on padding, which is neither shown nor billed."""
    number = (await instance.create())["key_id"]
    label = shown.label_of(instance, number)
    async with (
        flows.chopped(origin.tls) as to,
        flows.client_of("xray", await instance.profile(number)) as socks,
        flows.download(socks, to, rate=2 * MB, size=50 * MB, is_tls=True) as flow,
        shown.watching(instance, number, flow, name="padded") as watched,
    ):
        await flow.when_held(25 * MB)
        halfway = await shown.counted(instance, label)
        await flow.when_over()
    core = await shown.until_still(instance, label)

    assert halfway is not None
    assert halfway.downlink > 20 * MB
    watched.require_close(at_least=30)
    await shown.require_exact(instance, number, core)
    return core


async def follow_upload(instance: Keystead, origin: Origin, *, is_tls: bool) -> Counters:
    """Upload: Xray counts it at once, spliced or not."""
    number = (await instance.create())["key_id"]
    async with (
        flows.client_of("xray", await instance.profile(number)) as socks,
        flows.upload(socks, origin.of(is_tls=is_tls), rate=2 * MB, size=24 * MB, is_tls=is_tls) as flow,
        shown.watching(instance, number, flow, "upload", name=f"upload {'tls' if is_tls else 'plain'}") as watched,
    ):
        await flow.when_over(within_s=2 * LASTS_S)
    core = await shown.until_still(instance, shown.label_of(instance, number))

    assert flow.is_whole
    watched.require_close(at_least=15)
    await shown.require_exact(instance, number, core)
    assert flow.held <= core.uplink <= 1.01 * flow.held
    return core


async def reset_thrice(instance: Keystead, origin: Origin) -> Counters:
    """Reset a spliced download three times: the figures returned and the last one add up to the whole."""
    number = (await instance.create())["key_id"]
    ended: list[int] = []
    async with (
        flows.client_of("xray", await instance.profile(number)) as socks,
        flows.download(socks, origin.tls, rate=3 * MB, size=45 * MB, is_tls=True) as flow,
    ):
        for size in (8 * MB, 18 * MB, 30 * MB):
            await flow.when_held(size)
            had = flow.held
            ended.append((await instance.http.post(f"/api/keys/{number}/traffic/reset")).json()["previous_total"])
            after = (await instance.http.get(f"/api/keys/{number}/traffic")).json()["total"]
            both = [shown.Sample("reset", figure, had, flow.held) for figure in (sum(ended), sum(ended) + after)]
            assert all(sample.is_close for sample in both), both
        await flow.when_over()
    core = await shown.until_still(instance, shown.label_of(instance, number))
    last = await shown.traffic(instance, number)

    assert sum(ended) + last["total"] == last["live"]["total"]
    assert last["billed"] == shown.both(core)
    assert core.downlink <= last["live"]["download"] <= core.downlink * (1 + shown.SHOWN_TOO_MUCH)
    return core


async def delete_midway(instance: Keystead, origin: Origin) -> Counters:
    """Delete a key in the middle of its spliced download: its last bytes are its account's."""
    number = (await instance.create())["key_id"]
    label = shown.label_of(instance, number)
    async with (
        flows.client_of("sing-box", await instance.profile(number)) as socks,
        flows.download(socks, origin.tls, rate=3 * MB, size=90 * MB, is_tls=True) as flow,
    ):
        await flow.when_held(20 * MB)
        assert (await instance.http.delete(f"/api/keys/{number}")).status_code == 200
        await flow.when_over(within_s=2)
    core = await shown.until_still(instance, label)
    await instance.http.post("/api/traffic/sync")
    account = (await instance.http.get("/v1/vpn/traffic")).json()

    assert not flow.is_whole
    assert flow.held <= core.downlink <= 1.01 * flow.held + MB
    assert account["deleted"] == {"keys": 1, "billed": shown.both(core), "estimated": shown.both(Counters(0, 0))}
    return core


async def fetch_many(instance: Keystead, origin: Origin) -> Counters:
    """Fetch a thousand times over connections of their own: handshakes and framing are not shown as payload."""
    number = (await instance.create())["key_id"]
    label = shown.label_of(instance, number)
    gate = asyncio.Semaphore(AT_ONCE)
    over: list[float] = []

    async def fetch(socks: int) -> bool:
        async with gate:
            return await flows.fetch_small(socks, origin.plain, SMALL_BYTES)

    async def compare() -> None:
        while True:
            asked = (await instance.http.get(f"/api/keys/{number}/traffic")).json()["total"]
            core = await shown.counted(instance, label)
            if core is not None and core.downlink > 100 * SMALL_BYTES:
                over.append(asked / (core.uplink + core.downlink))
            await asyncio.sleep(1.0)

    async with flows.client_of("xray", await instance.profile(number)) as socks:
        comparing = asyncio.create_task(compare())
        whole = sum(await asyncio.gather(*(fetch(socks) for _ in range(SMALL))))
        comparing.cancel()
    core = await shown.until_still(instance, label)

    assert whole == SMALL
    assert over
    assert max(over) <= 1.03
    await shown.require_exact(instance, number, core)
    return core


@pytest.mark.alone
@pytest.mark.slow
async def test_figures_are_right_at_every_second_and_exact_in_the_end(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance, flows.origin(tmp_path) as origin, shown.loads(instance) as loads:
        outcomes = await asyncio.gather(
            follow(instance, origin, "xray", "127.0.0.1", is_tls=False),
            follow(instance, origin, "xray", "127.0.0.1", is_tls=True),
            follow(instance, origin, "sing-box", "127.0.0.2", is_tls=False),
            follow(instance, origin, "sing-box", "127.0.0.2", is_tls=True),
            follow_padded(instance, origin),
            follow_upload(instance, origin, is_tls=False),
            follow_upload(instance, origin, is_tls=True),
            reset_thrice(instance, origin),
            delete_midway(instance, origin),
            fetch_many(instance, origin),
            return_exceptions=True,
        )
        account = (await instance.http.get("/v1/vpn/traffic")).json()

        if failed := [outcome for outcome in outcomes if isinstance(outcome, Exception)]:
            raise ExceptionGroup("scenarios", failed)
        counted = [outcome for outcome in outcomes if isinstance(outcome, Counters)]
        assert loads["keeper"] < KEEPER_SHARE
        assert loads["keystead"] < KEYSTEAD_SHARE
        assert account["billed"]["total"] + account["deleted"]["billed"]["total"] == sum(map(sum, counted))
