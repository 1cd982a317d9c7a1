"""Which files each kind of panel is read from, in which order; called by the command line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from keystead.importing import document, marzban, pasarguard, remnawave, veilv2ray, veilxray, xui
from keystead.importing.found import Found, Source
from keystead.kit.age import Unlock
from keystead.kit.errors import Invalid

# What a person names after the panel, by panel: one of these lists.
FILES: dict[Source, tuple[tuple[str, ...], ...]] = {
    Source.XUI: (("DATABASE",),),
    Source.MARZBAN: (("DATABASE", "XRAY_CONFIG"), ("USERS_JSON", "XRAY_CONFIG")),
    Source.PASARGUARD: (("DATABASE",), ("USERS_JSON", "GROUPS_JSON", "CORES_JSON")),
    Source.REMNAWAVE: (("USERS_JSON", "SQUADS_JSON", "PROFILES_JSON"),),
    Source.VEIL_XRAY: (("DATABASE", "XRAY_CONFIG"), ("DATABASE", "XRAY_CONFIG", "ENV")),
    Source.VEIL_V2RAY: (
        ("DATABASE", "XRAY_CONFIG"),
        ("DATABASE", "XRAY_CONFIG", "KEYS_ENV"),
        ("KEYS_JSON", "XRAY_CONFIG", "KEYS_ENV", "TRAFFIC_HISTORY_JSON"),
    ),
    Source.KEYSTEAD: (("EXPORT",),),
}
_SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True)
class Beside:
    """What some panels need beside their files.

    ``core`` names one of several configurations of Xray, ``unlock`` opens the secrets of an export of Keystead.
    """

    core: str | None = None
    unlock: Unlock | None = None


def read(source: Source, files: Sequence[Path], beside: Beside, *, now: datetime) -> Found:
    """Read a panel; raise Invalid for a wrong number of files, or a file that is something else."""
    if len(files) not in {len(names) for names in FILES[source]}:
        raise Invalid(f"{source.value} is read from: {usage(source)}")
    return _READERS[source](files, beside, now)


def usage(source: Source) -> str:
    """Return the files of a panel as a person writes them, every way to name them."""
    return ", or ".join(" ".join(names) for names in FILES[source])


def _marzban(files: Sequence[Path], beside: Beside, now: datetime) -> Found:
    del beside
    read = marzban.read if _content(files[0], len(_SQLITE)) == _SQLITE else marzban.read_export
    return read(*files, now=now)


def _pasarguard(files: Sequence[Path], beside: Beside, now: datetime) -> Found:
    read = pasarguard.read if len(files) == 1 else pasarguard.read_export
    return read(*files, now=now, core=beside.core)


def _keystead(files: Sequence[Path], beside: Beside, now: datetime) -> Found:
    del now
    found = document.found(document.read(_content(files[0]), unlock=beside.unlock))
    return replace(found, subscription_path="/sub/")


_READERS: Mapping[Source, Callable[[Sequence[Path], Beside, datetime], Found]] = {
    Source.XUI: lambda files, _, now: xui.read(files[0], now=now),
    Source.MARZBAN: _marzban,
    Source.PASARGUARD: _pasarguard,
    Source.REMNAWAVE: lambda files, beside, now: remnawave.read(*files, now=now, profile=beside.core),
    Source.VEIL_XRAY: lambda files, _, now: veilxray.read(files[0], files[1], now=now, env=_at(files, 2)),
    Source.VEIL_V2RAY: lambda files, _, now: veilv2ray.read(
        files[0], files[1], now=now, env=_at(files, 2), history=_at(files, 3)
    ),
    Source.KEYSTEAD: _keystead,
}


def _at(files: Sequence[Path], place: int) -> Path | None:
    return files[place] if len(files) > place else None


def _content(path: Path, size_bytes: int = document.SIZE_BYTES_MAX + 1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size_bytes)
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from error
