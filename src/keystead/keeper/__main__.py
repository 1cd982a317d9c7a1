"""``python -m keystead.keeper``: run a keeper. Started by Keystead itself, or by the system's service manager."""

import argparse
import asyncio
import os
from pathlib import Path

from keystead.keeper import protocol
from keystead.keeper.service import Keeper
from keystead.kit.clock import SystemClock


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="keystead.keeper", description="Own the processes of Keystead's engines.")
    parser.add_argument(
        "--socket", type=Path, required=True, help="where to listen; its directory is the owner's alone"
    )
    parser.add_argument("--core-log", type=Path, required=True, help="where the cores' own lines go, scrubbed")
    parser.add_argument("--attached", action="store_true", help="end the cores when the API goes away")
    parser.add_argument("--without", default="", help="tricks not to use, by name, separated by commas")
    parser.add_argument("--speak", type=int, default=protocol.VERSION, help="say another version of the wire (tests)")
    given = parser.parse_args()
    os.umask(0o077)
    without = [name for name in given.without.split(",") if name]
    keeper = Keeper(
        given.socket,
        core_log=given.core_log,
        is_attached=given.attached,
        clock=SystemClock(),
        without=without,
        version=given.speak,
    )
    asyncio.run(keeper.run())


if __name__ == "__main__":
    main()
