"""What is shown and billed when something ends in the middle: Keystead, the core, or one core for another.

Each scenario has an instance of its own, with a plain and a spliced download; they run side by side.
"""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keystead.engines.xray.state import Counters
from tests.support import flows, shown
from tests.support.flows import MB, Flow, Origin, Together
from tests.support.keystead import Keystead, keystead

RATE = 3 * MB
DIAL_BYTES = 1046


@dataclass
class Begun:
    """A key and its download, watched on both wires every second."""

    number: int
    label: str
    flow: Flow
    together: Together
    watched: shown.Watched


async def begin(stack: AsyncExitStack, instance: Keystead, origin: Origin, size: int, name: str) -> list[Begun]:
    """Make two keys and begin a download with each, one of them spliced."""
    made = []
    for is_tls in (False, True):
        number = (await instance.create())["key_id"]
        socks = await stack.enter_async_context(flows.client_of("xray", await instance.profile(number)))
        carried = flows.download(socks, origin.of(is_tls=is_tls), rate=RATE, size=size, is_tls=is_tls)
        flow = await stack.enter_async_context(carried)
        together, title = Together(flow), f"{name} {'tls' if is_tls else 'plain'}"
        watched = await stack.enter_async_context(shown.watching(instance, number, together, name=title))
        made.append(Begun(number, shown.label_of(instance, number), flow, together, watched))
    return made


async def stop_and_kill_keystead(directory: Path) -> None:
    """Stop Keystead and start it, kill it and start it: the next one picks the counts up where they are."""
    async with (
        keystead(directory, is_detached=True) as instance,
        flows.origin(directory) as origin,
        AsyncExitStack() as stack,
    ):
        started = await begin(stack, instance, origin, 18 * RATE, "keystead away")
        for number in (signal.SIGTERM, signal.SIGKILL):
            await asyncio.sleep(4)
            await instance.stop(number)
            await asyncio.sleep(1.5)
            await instance.start()
        await asyncio.gather(*(one.flow.when_over() for one in started))
        cores = [await shown.until_still(instance, one.label) for one in started]
        for one, core in zip(started, cores, strict=True):
            assert one.flow.is_whole
            one.watched.require_close(at_least=12)
            await shown.require_exact(instance, one.number, core)
        await instance.stop()
        await instance.start()

        assert [await shown.history_total(instance, one.number, "hour") for one in started] == cores


async def kill_core(directory: Path) -> None:
    """Kill the core: what it never reported is booked from the last look, marked as estimated."""
    async with keystead(directory) as instance, flows.origin(directory) as origin, AsyncExitStack() as stack:
        started = await begin(stack, instance, origin, 60 * RATE, "core killed")
        await asyncio.gather(*(one.flow.when_held(5 * RATE) for one in started))
        os.kill(instance.core_pid(), signal.SIGKILL)
        await asyncio.gather(*(one.flow.when_over() for one in started))
        held = [one.flow.held for one in started]
        await asyncio.sleep(3)
        await instance.ready()
        for one in started:
            assert await instance.dial(one.number) is not None
            await shown.until_still(instance, one.label)
        for one, had in zip(started, held, strict=True):
            found = await shown.traffic(instance, one.number)
            booked = found["lifetime_download"] - DIAL_BYTES
            assert one.watched.never_falls
            assert had - 2 * RATE <= booked <= had + max(MB, 0.02 * had)
            assert found["lifetime_download"] <= found["download"] <= found["lifetime_download"] + 0.02 * had
            assert found["lifetime_total"] == found["billed"]["total"] + found["estimated"]["total"]
            assert await shown.history_total(instance, one.number, "hour") == shown.counters_of(found["billed"])

        assert (await shown.traffic(instance, started[1].number))["estimated"]["download"] > 0.5 * held[1]


async def hand_over(directory: Path) -> None:
    """Change what a core cannot take live: both processes carry, and both are accounted for."""
    async with (
        keystead(directory, is_detached=True) as instance,
        flows.origin(directory) as origin,
        AsyncExitStack() as stack,
    ):
        started = await begin(stack, instance, origin, 24 * RATE, "handed over")
        old = _serving(instance)
        await instance.stop()
        instance.environment["KEYSTEAD_VPN_ALLOW_SMTP"] = "true"
        await instance.start()
        async with asyncio.timeout(20):
            while _serving(instance)["process"] == old["process"]:
                await asyncio.sleep(0.1)
        new = _serving(instance)
        for one in started:
            socks = await stack.enter_async_context(flows.client_of("xray", await instance.profile(one.number)))
            more = flows.download(socks, origin.tls, rate=RATE, size=8 * RATE, is_tls=True)
            one.together.flows.append(await stack.enter_async_context(more))
        assert {core["process"] for core in instance.keeper_says()["cores"]} == {old["process"], new["process"]}

        olds = await _last_counts(instance, old, [one.label for one in started])
        await asyncio.gather(*(flow.when_over() for one in started for flow in one.together.flows))
        for one, last in zip(started, olds, strict=True):
            now = await shown.until_still(instance, one.label, socket=Path(new["memo"]["socket"]))
            assert all(flow.is_whole for flow in one.together.flows)
            one.watched.require_close(at_least=15)
            both = Counters(last.uplink + now.uplink, last.downlink + now.downlink)
            await shown.require_exact(instance, one.number, both)


async def _last_counts(instance: Keystead, core: dict[str, Any], labels: list[str]) -> list[Counters]:
    """Return what a core that is on its way out counted to the last."""
    lasts = dict.fromkeys(labels, Counters(0, 0))
    async with asyncio.timeout(60):
        while any(each["process"] == core["process"] for each in instance.keeper_says()["cores"]):
            for label in labels:
                lasts[label] = await shown.counted(instance, label, Path(core["memo"]["socket"])) or lasts[label]
            await asyncio.sleep(0.05)
    return list(lasts.values())


def _serving(instance: Keystead) -> dict[str, Any]:
    found: dict[str, Any] = next(
        core for core in instance.keeper_says()["cores"] if core["memo"].get("role") == "serving"
    )
    return found


@pytest.mark.alone
@pytest.mark.slow
async def test_figures_stay_right_whatever_ends_in_the_middle(tmp_path: Path) -> None:
    scenarios = (stop_and_kill_keystead, kill_core, hand_over)
    directories = [tmp_path / scenario.__name__ for scenario in scenarios]
    for directory in directories:
        directory.mkdir()
    running = [scenario(directory) for scenario, directory in zip(scenarios, directories, strict=True)]
    outcomes = await asyncio.gather(*running, return_exceptions=True)

    if failed := [outcome for outcome in outcomes if isinstance(outcome, Exception)]:
        raise ExceptionGroup("scenarios", failed)
