"""Build an engine from its pinned Go module into the cache, once, and prove that it is what was pinned.

Called by ``scripts/setup`` (``python -m keystead.engines.xray.install``), by ``keystead engine install`` and by the
tests for their own cores. Imports nothing but the standard library and ``kit``, so that it runs before anything else
is installed. Choosing between a built engine and one the machine already has is left to the caller.

Layout below the cache::

    engines/<name>-<version>/<binary>               the engine
    engines/<name>-<version>/<binary>.build.json    what it was built from, and its sha256
    engines/<name>-<version>/.building-*            a build under way; a cut leaves one, the next run removes it
    go/…                                            the Go toolchain and Go's caches, where the machine has none
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from keystead.engines.xray.toolchain import Go, Progress, TerminalProgress, find_go, run, silent
from keystead.kit.errors import Broken, KeysteadError, Misconfigured
from keystead.kit.files import write_private

_PINS = Path(__file__).parent / "pins"
# A cold build takes one to two minutes on two cores; a small board may need twenty.
_DOWNLOAD_TIMEOUT_S = 1800
_BUILD_TIMEOUT_S = 3600


@dataclass(frozen=True)
class EnginePin:
    """An engine at one version: the Go package, and the directory of the go.mod and go.sum that pin all its sources.

    ``tags`` are Go build tags; ``linker_flags`` are appended to ``-ldflags``.
    """

    name: str
    version: str
    package: str
    binary_name: str
    module_dir: Path
    tags: tuple[str, ...] = ()
    linker_flags: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Name the engine for people."""
        return f"{self.name} {self.version}"


# docs/engines/xray.md tells why this version.
XRAY = EnginePin("xray", "26.7.28", "github.com/xtls/xray-core/main", "xray", _PINS / "v26.7.28")


def binary_path(pin: EnginePin, cache_dir: Path) -> Path:
    """Return where the engine is, or will be, below the cache."""
    return cache_dir / "engines" / f"{pin.name}-{pin.version}" / pin.binary_name


def installed(pin: EnginePin, cache_dir: Path) -> Path | None:
    """Return the built engine if it is there, was built from this very pin and has not been changed since."""
    binary = binary_path(pin, cache_dir)
    try:
        record = json.loads(_record_path(binary).read_text("utf-8"))
        if record["inputs"] == _inputs_digest(pin) and record["sha256"] == _sha256(binary):
            return binary
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None


def install(pin: EnginePin, cache_dir: Path, *, progress: Progress = silent, go: Path | None = None) -> Path:
    """Return the engine's binary, building it when it is missing, changed or of another pin.

    ``go`` names a Go to use; without it the machine's is taken if it is new enough, else the pinned toolchain is
    fetched. Raises Misconfigured when a person has to act: no network, no room, no Go.
    """
    present = installed(pin, cache_dir)
    if present is not None:
        return present
    with _claimed(pin, cache_dir, progress):
        return installed(pin, cache_dir) or _build(pin, cache_dir, find_go(cache_dir, progress, preferred=go), progress)


def main(arguments: list[str] | None = None) -> int:
    """Install the pinned Xray and print its path."""
    parser = argparse.ArgumentParser(prog="python -m keystead.engines.xray.install", description=main.__doc__)
    parser.add_argument("--cache-dir", type=Path, required=True, help="where built engines are kept")
    options = parser.parse_args(arguments)
    return report([XRAY], options.cache_dir.expanduser().absolute())


def report(pins: list[EnginePin], cache_dir: Path) -> int:
    """Install engines with progress on standard error and paths on standard output; return an exit code."""
    progress = TerminalProgress(sys.stderr)
    # A plain end would leave the compiler running; an exit unwinds, and `toolchain.run` ends its children.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: sys.exit(128 + received))
    try:
        for pin in pins:
            binary = install(pin, cache_dir, progress=progress)
            progress.close()
            sys.stdout.write(f"{pin.title}: {binary}\n")
    except KeysteadError as error:
        progress.close()
        sys.stderr.write(f"error: {error.message}\n")
        return 1
    except KeyboardInterrupt:
        progress.close()
        sys.stderr.write("stopped; the same command goes on from here\n")
        return 130
    return 0


@contextmanager
def _claimed(pin: EnginePin, cache_dir: Path, progress: Progress) -> Iterator[None]:
    """Hold the cache for one builder at a time; a second one waits and finds the work done."""
    directory = binary_path(pin, cache_dir).parent
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory.parent / ".lock").open("a")
    except OSError as error:
        raise Misconfigured(
            f"cannot write to {directory} ({error.strerror}); set KEYSTEAD_CACHE_DIR to a directory you own"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"{pin.title}: another set-up is building an engine, waiting", 0)
            fcntl.flock(file, fcntl.LOCK_EX)
        for leftover in directory.glob(".building-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


def _build(pin: EnginePin, cache_dir: Path, go: Go, progress: Progress) -> Path:
    """Build beside, check, record, rename."""
    final = binary_path(pin, cache_dir)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=".building-") as name:
        workplace = Path(name)
        for file in ("go.mod", "go.sum"):
            shutil.copyfile(pin.module_dir / file, workplace / file)
        _fetch(pin, workplace, go, progress)
        fresh = workplace / pin.binary_name
        _compile(pin, workplace, fresh, go, progress)
        _check_version(pin, fresh)
        record = {"sha256": _sha256(fresh), "inputs": _inputs_digest(pin), "go": go.version, "version": pin.version}
        write_private(_record_path(final), json.dumps(record, indent=2).encode() + b"\n")
        os.replace(fresh, final)
    return final


def _fetch(pin: EnginePin, workplace: Path, go: Go, progress: Progress) -> None:
    """Bring every module the build needs into Go's cache; this is the only part that uses the network."""
    # `list -deps` loads exactly the packages of the build; `mod download` would fetch hundreds more.
    command = go.command("list", "-deps", *_tags(pin), pin.package)
    outcome = run(command, workplace, progress, f"{pin.title}: downloading its source", _DOWNLOAD_TIMEOUT_S)
    if outcome.status != 0:
        raise Misconfigured(
            f"the source of {pin.title} could not be downloaded or is not the pinned one. Check the network and the "
            "Go module proxy (go env GOPROXY), then run the same command again; what is already downloaded is kept. "
            f"Go said: {outcome.tail}"
        )


def _compile(pin: EnginePin, workplace: Path, target: Path, go: Go, progress: Progress) -> None:
    flags = " ".join(("-s", "-w", "-buildid=", *pin.linker_flags))
    command = go.command(
        "build", "-trimpath", *_tags(pin), "-ldflags", flags, "-o", str(target), pin.package, GOPROXY="off"
    )
    outcome = run(command, workplace, progress, f"{pin.title}: compiling (1 to 3 minutes)", _BUILD_TIMEOUT_S)
    if outcome.status != 0:
        raise Misconfigured(
            f"{pin.title} did not compile with {go.version} ({go.path}). Check free memory and disk space (1.5 GB) in "
            f"{workplace.parent} and in Go's caches, then run the same command again. Go said: {outcome.tail}"
        )


def _tags(pin: EnginePin) -> tuple[str, ...]:
    return ("-tags", ",".join(pin.tags)) if pin.tags else ()


def _check_version(pin: EnginePin, binary: Path) -> None:
    """Raise unless the fresh binary runs on this machine and calls itself the pinned version."""
    try:
        answer = subprocess.run([binary, "version"], capture_output=True, text=True, timeout=60, check=False)
    except OSError as error:
        raise Misconfigured(
            f"the built {pin.title} cannot be run from {binary.parent.parent} ({error.strerror}); if that file system "
            "is mounted noexec, set KEYSTEAD_CACHE_DIR to another one"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise Misconfigured(f"the built {pin.title} did not answer 'version' within 60 seconds; try again") from error
    if not re.search(rf"(?<!\S){re.escape(pin.version)}(?!\S)", answer.stdout):
        said = (answer.stdout or answer.stderr).strip().splitlines()[:1]
        raise Broken(f"the binary built for {pin.title} calls itself {said}; the pin in {pin.module_dir} is wrong")


def _inputs_digest(pin: EnginePin) -> str:
    """Digest everything that decides what the build makes, except the Go version."""
    digest = hashlib.sha256(repr((pin.package, pin.tags, pin.linker_flags, pin.version)).encode())
    for file in ("go.mod", "go.sum"):
        digest.update((pin.module_dir / file).read_bytes())
    return digest.hexdigest()


def _record_path(binary: Path) -> Path:
    return binary.with_name(f"{binary.name}.build.json")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        sys.exit(main())
