"""The demo as a user runs it: it exits well only when every claim holds, and says what was counted."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

pytestmark = [pytest.mark.engine, pytest.mark.slow]


async def demo(*arguments: str, script: str = "demo.py") -> asyncio.subprocess.Process:
    # Whoever runs the tests in the background has an interruption ignored, and children inherit that.
    return await asyncio.create_subprocess_exec(
        *("env", "--default-signal=INT", sys.executable),
        str(PROJECT / "scripts" / script),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )


def figures(output: str) -> tuple[int, int, int]:
    """Return what the API counted, what the client received, and the difference, as printed."""
    row = re.search(r"^ +([\d,]+) +([\d,]+) +([\d,]+) *$", output, re.MULTILINE)
    assert row, output
    counted, received, difference = (int(figure.replace(",", "")) for figure in row.groups())
    return counted, received, difference


async def test_the_demo_holds_its_claims_and_prints_the_figures() -> None:
    running = await demo("--size-mb", "3")

    printed, errors = await asyncio.wait_for(running.communicate(), 90)

    output = printed.decode()
    assert running.returncode == 0, output + errors.decode()
    counted, received, difference = figures(output)
    assert received == 3_000_000
    assert counted == received + difference
    assert "✗" not in output
    assert "The next dial is refused" in output
    assert "vpn.key.issue" in output
    assert "vpn.key.revoke" in output
    assert "/tmp" not in output
    assert str(PROJECT) not in output


async def test_the_demo_of_domains_holds_its_claims() -> None:
    running = await demo("--domains", "40", script="demo_domains.py")

    printed, errors = await asyncio.wait_for(running.communicate(), 120)

    output = printed.decode()
    assert running.returncode == 0, output + errors.decode()
    assert "✗" not in output
    assert "Changed behind our back, and found: 39 are as they should be; domain-020.pro" in output


async def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    running = await demo()
    async with asyncio.timeout(60):
        while not list(tmp_path.glob("*/data/run/xray.sock")):
            await asyncio.sleep(0.05)

    running.send_signal(signal.SIGINT)
    printed, errors = await asyncio.wait_for(running.communicate(), 60)

    assert running.returncode == 130, printed.decode() + errors.decode()
    assert list(tmp_path.iterdir()) == []
