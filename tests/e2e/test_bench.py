"""The benches still run, every one of them, at a size that measures nothing."""

import io
import math

import pytest
from bench.__main__ import BENCHES, run
from bench.figures import print_table
from bench.scale import SMOKE
from rich.console import Console

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.mark.parametrize("name", list(BENCHES))
async def test_a_bench_runs_and_prints_its_ratios(name: str) -> None:
    shown = io.StringIO()
    console = Console(file=shown, width=200)

    rows = await run([name], SMOKE, console)
    print_table(console, rows)

    assert rows
    assert all(math.isfinite(row.value) and row.value >= 0 for row in rows if row.unit != "s")
    assert all(row.what in shown.getvalue() for row in rows)
    # The one figure that does not depend on how fast anything is.
    assert [row.value for row in rows if row.what.startswith("processes started")] in ([], [0] * len(SMOKE.keys))
