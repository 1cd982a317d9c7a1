"""Where the real engines are: built into a cache by the project's own commands, never skipped when missing."""

import os
from pathlib import Path


def xray(version: str = "26.7.28") -> Path:
    """Return the pinned Xray core."""
    return _built(f"xray-{version}", "xray")


def sing_box(version: str = "1.13.2") -> Path:
    """Return the second client, sing-box with uTLS."""
    return _built(f"sing-box-{version}", "sing-box")


def cache_directory() -> Path:
    """Return the cache of built engines: KEYSTEAD_CACHE_DIR, else below XDG_CACHE_HOME, else ~/.cache."""
    if own := os.environ.get("KEYSTEAD_CACHE_DIR"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keystead"


def _built(folder: str, name: str) -> Path:
    path = cache_directory() / "engines" / folder / name
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"{path} is missing; `make test` builds it. Engine tests fail without it, on purpose.")
    return path
