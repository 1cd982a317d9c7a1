"""The engines the tests run against, built by the product's own installer: the pinned Xray and two more.

``python -m tests.support.cores`` builds what is missing; ``scripts/setup dev`` calls it.
"""

import os
import sys
from pathlib import Path

from keystead.engines.xray.install import XRAY, EnginePin, binary_path, report

_PINS = Path(__file__).parents[1] / "engines" / "pins"

# Older than the minClientVer default of 26.7.11: drift and handover between cores that differ.
SECOND_XRAY = EnginePin("xray", "26.6.27", "github.com/xtls/xray-core/main", "xray", _PINS / "xray-26.6.27")

# A client that shares no code with Xray. Its uTLS, which REALITY needs, is behind a build tag.
SING_BOX = EnginePin(
    "sing-box",
    "1.13.2",
    "github.com/sagernet/sing-box/cmd/sing-box",
    "sing-box",
    _PINS / "sing-box-1.13.2",
    tags=("with_utls",),
    linker_flags=("-X github.com/sagernet/sing-box/constant.Version=1.13.2",),
)

ALL = (XRAY, SING_BOX, SECOND_XRAY)


def cache_dir() -> Path:
    """Return the cache of built engines, as ``scripts/setup`` and the product's settings find it."""
    if own := os.environ.get("KEYSTEAD_CACHE_DIR"):
        return Path(own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "keystead"
    return Path.home() / ".cache" / "keystead"


def path_of(pin: EnginePin) -> Path:
    """Return an engine's binary; a missing engine is a failure, never a skip."""
    binary = binary_path(pin, cache_dir())
    if not binary.is_file():
        raise FileNotFoundError(f"{pin.title} is not built: run scripts/setup dev")
    return binary


if __name__ == "__main__":
    sys.exit(report(list(ALL), cache_dir()))
