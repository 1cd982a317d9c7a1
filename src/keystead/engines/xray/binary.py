"""Find the Xray program to run and judge its version, once per start of Keystead.

Called by the composition root and by ``doctor``. The order: the path in the settings, ``/usr/local/bin/xray`` if its
version is supported, the build in Keystead's own cache. A path that was asked for by name is never silently replaced by
another one; one that was only found and cannot be used is passed over, and the reason says so.
"""

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from keystead.kit.errors import Misconfigured

SYSTEM_PATH = Path("/usr/local/bin/xray")

# 26.5.3 is the first with a Unix socket for the API and with private targets closed by default; 26.9.8 refuses
# clients without an X25519MLKEM768 key share, which cuts off sing-box and mihomo (SagerNet/sing-box#4520).
OLDEST = (26, 5, 3)
NEWEST = (26, 9, 7)

_VERSION_LINE = re.compile(r"^Xray (\d+)\.(\d+)\.(\d+)\b")
_INSTALL = "run: keystead engine install xray"


@dataclass(frozen=True)
class Binary:
    """The Xray program to run, and why this one."""

    path: Path
    version: str
    reason: str


def find(*, named: Path | None, cached: Path, system: Path = SYSTEM_PATH) -> Binary:
    """Return the program to run; raise Misconfigured, telling what to do, when there is none that is supported."""
    if named is not None:
        try:
            return judge(named, "named in the settings")
        except Misconfigured as error:
            example = f"for example KEYSTEAD_XRAY_PATH={SYSTEM_PATH}"
            raise Misconfigured(f"KEYSTEAD_XRAY_PATH: {error.message}; unset it or name another, {example}") from error
    refused: list[str] = []
    for path, reason in _candidates(cached, system):
        try:
            return judge(path, reason if not refused else f"{reason}; {system} is not one that is supported")
        except Misconfigured as error:
            refused.append(error.message)
    raise Misconfigured("; ".join(refused) or f"no Xray is installed; {_INSTALL}")


def _candidates(cached: Path, system: Path) -> Iterable[tuple[Path, str]]:
    if system.exists():
        yield system, f"found at {system}"
    if cached.exists():
        yield cached, "built by Keystead from its pin"


def judge(path: Path, reason: str) -> Binary:
    """Ask a program for its version; raise Misconfigured when it is none of those supported."""
    version = _version_of(path)
    text = ".".join(map(str, version))
    if not OLDEST <= version <= NEWEST:
        oldest, newest = ".".join(map(str, OLDEST)), ".".join(map(str, NEWEST))
        raise Misconfigured(f"{path} is Xray {text}; supported are {oldest} to {newest}; {_INSTALL}")
    return Binary(path, text, reason)


def _version_of(path: Path) -> tuple[int, int, int]:
    try:
        answer = subprocess.run([path, "version"], capture_output=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Misconfigured(f"{path} does not run ({error.__class__.__name__}); {_INSTALL}") from error
    match = _VERSION_LINE.match(answer.decode(errors="replace"))
    if match is None:
        raise Misconfigured(f"{path} does not say that it is Xray; {_INSTALL}")
    major, minor, patch = map(int, match.groups())
    return major, minor, patch
