"""Run the whole suite on each database, several runs at once; arguments go to pytest. Called by make test.

    .venv/bin/python scripts/run_tests.py [pytest arguments]

``KEYSTEAD_TEST_DATABASES`` names the databases (default: "sqlite postgresql"); the suite reads the one of its run from
``KEYSTEAD_TEST_DATABASE``, and its part of the modules from ``KEYSTEAD_TEST_SHARE`` (tests/support/shares.py).
Tests marked slow, and those that need no database, run once, on the first.

The tests wait more than they compute, so that there are more runs than processors: a part of each database in a run of
its own, and the rest of them, one database after another, in one more. The first run is shown as it goes, the others
afterwards. Tests marked alone come last, since they watch rates and gaps. A few tests that failed while the runs shared
the machine are asked again, alone: what fails twice fails the whole, and what does not is named, because it wants
mending. Coverage is of all runs on the first database.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache"
ASKED_AGAIN_MAX = 5
PASSED, SOME_FAILED, NO_TESTS = 0, 1, 5  # pytest's exit codes; any other means that a run is not worth repeating
BESIDE, ALONE = "not alone", "alone"


@dataclass(frozen=True)
class Run:
    """One run of pytest: on which database, what part of the modules, and the tests of which marks."""

    database: str
    share: str
    marks: str = BESIDE

    @property
    def name(self) -> str:
        return f"{self.database}-{self.share or self.marks}"

    @property
    def cache(self) -> Path:
        """Return where pytest notes what failed."""
        return CACHE / f"pytest-{self.name}"

    @property
    def log(self) -> Path:
        return CACHE / f"test-{self.name}.log"

    def failed(self) -> list[str]:
        """Return the tests that failed in it."""
        noted = self.cache / "v" / "cache" / "lastfailed"
        return sorted(json.loads(noted.read_text())) if noted.exists() else []


@dataclass
class Suite:
    """All runs, and how those that are over have ended."""

    databases: Sequence[str]
    arguments: Sequence[str]
    codes: dict[Run, int] = field(default_factory=dict)

    @property
    def first(self) -> str:
        return self.databases[0]

    async def run(self) -> list[str]:
        """Run everything, and return the databases on which it failed."""
        shown, *hidden = [Run(database, "most") for database in self.databases]
        rest = [Run(database, "rest") for database in self.databases]
        for run in (*hidden, *rest):
            print(f"=== pytest on {run.name} runs beside, and writes {run.log.relative_to(ROOT)}", flush=True)
        async with asyncio.TaskGroup() as group:
            for run in hidden:
                group.create_task(self._lane(run))
            group.create_task(self._lane(*rest))
            group.create_task(self._one(shown))
        for run in (*hidden, *rest):
            print(f"\n=== pytest on {run.name}\n{run.log.read_text()}", flush=True)
        await self._one(Run(self.first, "", ALONE))
        return [database for database in self.databases if not await self._is_well(database)]

    async def _lane(self, *runs: Run) -> None:
        for run in runs:
            with run.log.open("w") as log:
                await self._one(run, log.fileno())

    async def _one(self, run: Run, output: int | None = None) -> None:
        shutil.rmtree(run.cache, ignore_errors=True)
        if output is None:
            print(f"\n=== pytest on {run.name}", flush=True)
        measured = ("-m", "coverage", "run") if run.database == self.first else ()
        self.codes[run] = await pytest(
            run,
            *(*measured, "-m", "pytest", "--durations=10", "-m", run.marks, *self.arguments),
            share=run.share,
            output=output,
        )

    async def _is_well(self, database: str) -> bool:
        """Tell whether all runs on a database passed, some of them perhaps when asked again."""
        runs = {run: code for run, code in self.codes.items() if run.database == database}
        if not set(runs.values()) <= {PASSED, SOME_FAILED, NO_TESTS}:
            return False
        doubtful = [run for run, code in runs.items() if code == SOME_FAILED]
        failed = {run: run.failed() for run in doubtful}
        if not all(failed.values()) or sum(map(len, failed.values())) > ASKED_AGAIN_MAX:
            return not doubtful
        return all([await self._passes_alone(run, tests) for run, tests in failed.items()])

    async def _passes_alone(self, run: Run, tests: list[str]) -> bool:
        print(f"\n=== pytest on {run.name}: once more, alone, what failed", flush=True)
        if await pytest(run, "-m", "pytest", "--last-failed") != PASSED:
            return False
        print(f"Failed at first and passed alone, on {run.database}:", *tests, sep="\n  ", flush=True)
        return True


async def pytest(run: Run, *arguments: str, share: str = "", output: int | None = None) -> int:
    """Run Python with these arguments for pytest and return its exit code; end it when this is cancelled."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments, "-o", f"cache_dir={run.cache}"),
        env={**os.environ, "KEYSTEAD_TEST_DATABASE": run.database, "KEYSTEAD_TEST_SHARE": share},
        stdout=output,
        stderr=output,
        cwd=ROOT,
        start_new_session=True,  # so that an interruption reaches it once, from here
    )
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            # An interrupted pytest takes its fixtures down.
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            await process.wait()


async def coverage(*arguments: str) -> str:
    """Run a command of coverage and return what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "coverage", *arguments), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    said, _ = await process.communicate()
    return said.decode().strip()


async def main(arguments: Sequence[str]) -> int:
    """Run the suite and say how it ended."""
    # Whoever is started in the background has an interruption ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stopped = asyncio.current_task()
    if stopped is not None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.cancel)
    CACHE.mkdir(exist_ok=True)
    await coverage("erase")
    databases = os.environ.get("KEYSTEAD_TEST_DATABASES", "sqlite postgresql").split()
    failed = await Suite(databases, arguments).run()
    await coverage("combine", "--quiet")
    covered = await coverage("report", "--format=total")
    print(f"\nCoverage: {covered} % of lines and branches (coverage report shows which are missing)", flush=True)
    if failed:
        print(f"Tests failed on: {' '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(sys.argv[1:])))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
