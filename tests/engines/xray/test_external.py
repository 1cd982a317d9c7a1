"""An Xray that somebody else runs: here the tests do, from the file that Keystead writes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from keystead.engines.xray.external import ExternalOptions, ExternalXray
from keystead.engines.xray.plan import plan
from keystead.kit.clock import SystemClock
from keystead.kit.errors import Misconfigured, Unsupported
from tests.support import xray


@asynccontextmanager
async def core(path: Path) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        "setpriv", "--pdeathsig", "KILL", "--", str(xray.xray_path()), "run", "-config", str(path),
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def external(lab: xray.Lab, address: str) -> AsyncIterator[ExternalXray]:
    options = ExternalOptions(address, lab.directory / "config.json", xray.LOOPBACK_OPEN, call_timeout_s=1.0)
    driver = ExternalXray(xray.binary(), options, load=lab.load, clock=SystemClock())
    await driver.start()
    try:
        yield driver
    finally:
        await driver.stop()


async def opened(driver: ExternalXray) -> None:
    """Wait until the core has opened the inbound of its file."""
    async with asyncio.timeout(10):
        while await driver.cold({"k1-1": ["shared"]}):
            await driver.when_warmth_changes()


async def test_a_core_run_by_others_is_configured_by_file_and_fed_by_calls(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab, external(lab, f"unix:{tmp_path}/run/api") as driver:
        early = lab.want("k1-1")
        await driver.write_config(lab.desired)
        async with core(tmp_path / "config.json"):
            await opened(driver)
            late = lab.want("k2-1")
            outcomes = await driver.apply_marked(lab.part("k2-1"), ["k2-1"])
            dials = [await lab.dial(early), await lab.dial(late)]
            after = plan("xray/main", lab.desired, await driver.observe(), settings=xray.LOOPBACK_OPEN)
            readings = [await driver.read_counters(), await driver.read_counters()]

    assert outcomes == {"k2-1": None}
    assert None not in dials
    assert after.is_empty, str(after)
    assert readings[0].process == readings[1].process


async def test_a_static_change_is_written_and_told_and_the_previous_file_kept(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab, external(lab, f"unix:{tmp_path}/run/api") as driver:
        await driver.write_config(lab.desired)
        before = (tmp_path / "config.json").read_bytes()
        lab.inbound = replace(lab.inbound, server_names=("other.test",))
        async with core(tmp_path / "config.json"):
            await opened(driver)
            await asyncio.sleep(1.5)  # longer than the whole second that uptime is rounded to
            await driver.write_config(lab.desired)
            found = plan("xray/main", lab.desired, await driver.observe(), settings=xray.LOOPBACK_OPEN)
            with pytest.raises(Misconfigured, match="has to be restarted by whoever runs it"):
                await driver.apply(found.steps[-1], lab.desired)

    assert [step.verb.value for step in found.steps] == ["restart"]
    assert b"other.test" in (tmp_path / "config.json").read_bytes()
    assert (tmp_path / "config.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "config.json.previous").read_bytes() == before


async def test_a_configuration_the_core_refuses_changes_nothing(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab, external(lab, f"unix:{tmp_path}/run/api") as driver:
        await driver.write_config(lab.desired)
        before = (tmp_path / "config.json").read_bytes()
        lab.inbound = replace(lab.inbound, short_ids=("not hexadecimal",))

        with pytest.raises(Misconfigured, match="the old one stays"):
            await driver.write_config(lab.desired)

    assert (tmp_path / "config.json").read_bytes() == before


async def test_a_removed_user_opens_no_stream_inside_its_live_mux_connection_until_it_is_back(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab, external(lab, f"unix:{tmp_path}/run/api") as driver:
        user = lab.want("k1-1", flow="")
        await driver.write_config(lab.desired)
        async with core(tmp_path / "config.json"):
            await opened(driver)
            async with xray.client(lab.profile(user), has_mux=True) as port:
                served = await xray.get(port, lab.origin)
                del lab.users["k1-1"]
                await driver.apply_marked(lab.part("k1-1"), ["k1-1"])
                refused = await xray.get(port, lab.origin, within_s=3)
                lab.users["k1-1"] = user
                async with external(lab, f"unix:{tmp_path}/run/api") as after_restart:
                    await after_restart.apply_marked(lab.part("k1-1"), ["k1-1"])
                again = await xray.get(port, lab.origin)

    assert served is not None
    assert refused is None
    assert again is not None


async def test_connections_of_a_core_run_by_others_are_unknown_and_that_is_said(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab, external(lab, f"unix:{tmp_path}/run/api") as driver:
        state = await driver.watching.state()

        with pytest.raises(Unsupported, match="somebody else"):
            await driver.watching.connections()
        with pytest.raises(Unsupported, match="somebody else"):
            await driver.watching.seen(60)

    assert (state.is_managed, state.cut, state.connections) == (False, "none", None)
    assert None not in state.tricks.values()
