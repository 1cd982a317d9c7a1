"""``python -m tests.chaos``: the long form. Prints its seed; with ``--seed`` the same disturbances come again."""

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
from pathlib import Path

from tests.chaos import invariants, stage
from tests.chaos.disturbances import DISTURBANCES
from tests.chaos.play import Play, draw


async def run(told: argparse.Namespace, *, is_detached: bool) -> bool:
    """Play once and print what happened; tell whether every promise was kept."""
    seed, rounds = told.seed, draw(told.seed, told.rounds, longest_s=told.longest, only=tuple(told.only))
    print(f"seed {seed}, {'detached' if is_detached else 'attached'}", flush=True)
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as directory:
        async with stage.opened(Path(directory), is_detached=is_detached, has_own_disk=not told.plain_disk) as opened:
            print(f"the data directory is {'a small disk of its own' if opened.has_small_disk else 'on this disk'}")
            play = Play(opened, random.Random(seed + 1), told.keys)
            await play.run(rounds, lambda line: print(line, flush=True))
            await invariants.require_nothing_left(opened)
            violations = opened.ledger.violations
            if violations:
                kept = Path(tempfile.mkdtemp(prefix="chaos-logs-"))
                for path in Path(directory).rglob("*.log*"):
                    (kept / path.name).write_bytes(path.read_bytes())
                print(f"logs are kept in {kept}")
    print(f"{len(violations)} violations with --seed {seed}", flush=True)
    return not violations


def main() -> int:
    """Read the command line and play attached, detached or both; the exit code is 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Disturb a Keystead and check it.")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="replay these disturbances")
    parser.add_argument("--rounds", type=int, default=40, help="rounds of one or two disturbances, for each mode")
    parser.add_argument("--keys", type=int, default=1000, help="keys to create at most, for each mode")
    parser.add_argument("--longest", type=float, default=4.0, help="seconds a disturbance lasts at most")
    parser.add_argument("--mode", choices=["attached", "detached", "both"], default="both")
    parser.add_argument("--only", action="append", default=[], choices=list(DISTURBANCES), help="nothing but this")
    parser.add_argument(
        "--plain-disk", action="store_true", help="do not mount a disk: a full one is what may not grow"
    )
    told = parser.parse_args()
    modes = {"attached": [False], "detached": [True], "both": [False, True]}[told.mode]
    kept = [asyncio.run(run(told, is_detached=is_detached)) for is_detached in modes]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
