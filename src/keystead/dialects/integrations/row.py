"""How one failure looks on the integrations wire, before it is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """How one kind of error looks."""

    status: int
    error: str
    is_recoverable: bool = False


@dataclass(frozen=True)
class Told:
    """An answer before it is written: a row, and what it says besides."""

    row: Row
    extra: Mapping[str, Any] = field(default_factory=dict)
