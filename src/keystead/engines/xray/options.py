"""How a core is to be driven, and what is told of it: values of the drivers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keystead.engines.xray.attendance import Patience
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.state import XraySettings
from keystead.keeper.keepers import Keepers
from keystead.reconcile.engine import Health


@dataclass(frozen=True)
class XrayOptions:
    """Where a managed core lives and how patient its driver is.

    The sockets' directory must be the owner's alone. ``environment`` is added to the core's otherwise empty one.
    A process whose place another one took is ended with its last connection, at the latest after ``see_off_s``.
    """

    socket: Path
    keeper: Keepers
    settings: XraySettings = field(default_factory=XraySettings)
    environment: Mapping[str, str] = field(default_factory=dict)
    patience: Patience = field(default_factory=Patience)
    see_off_s: float = 6 * 3600.0


@dataclass(frozen=True)
class XrayStatus:
    """What ``doctor`` tells of a core; free of secrets, addresses and destinations."""

    binary: Binary
    state: str
    pid: int | None
    process: str
    health: Health
    trouble: str
    last_lines: tuple[str, ...]
