"""Run the benches that are named, all by default, and print their ratios: ``python -m bench [names…]``."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console

from bench import (
    answering,
    bulk,
    connecting,
    cutting,
    domains,
    importing,
    issuing,
    opening,
    rewrapping,
    sealing,
    starting,
    syncing,
    zones,
)
from bench.figures import Row, print_table
from bench.scale import QUICK, WHOLE, Scale

Measure = Callable[[Path, Scale], Awaitable[list[Row]]]

BENCHES: dict[str, Measure] = {
    "issuing": issuing.measure,
    "syncing": syncing.measure,
    "answering": answering.measure,
    "starting": starting.measure,
    "connecting": connecting.measure,
    "cutting": cutting.measure,
    "opening": opening.measure,
    "importing": importing.measure,
    "bulk": bulk.measure,
    "sealing": sealing.measure,
    "rewrapping": rewrapping.measure,
    "zones": zones.measure,
    "domains": domains.measure,
}


async def run(names: list[str], scale: Scale, console: Console) -> list[Row]:
    """Run benches one after the other, each in a directory of its own."""
    rows: list[Row] = []
    for name in names:
        begun = time.monotonic()
        status = console.status(f"measuring: {name}")
        with tempfile.TemporaryDirectory(prefix="keystead-bench-") as directory, status:
            rows += await BENCHES[name](Path(directory), scale)
        console.print(f"{name}: measured in {time.monotonic() - begun:.0f} s", style="dim")
    return rows


def main() -> int:
    """Read the command line, measure and print; the exit code is 1 when a budget is not kept."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"which: {', '.join(BENCHES)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a first look")
    wanted = parser.parse_args()
    unknown = set(wanted.names) - set(BENCHES)
    if unknown:
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    console = Console(width=None if sys.stdout.isatty() else 200)
    rows = asyncio.run(run(wanted.names or list(BENCHES), QUICK if wanted.quick else WHOLE, console))
    return 0 if print_table(console, rows) else 1


if __name__ == "__main__":
    sys.exit(main())
