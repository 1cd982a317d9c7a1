"""Queries that write many new keys at once."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert

from keystead.db.prepared import Prepared
from keystead.vpn.models import KEYS

_INSERT = Prepared(insert(KEYS).inline())


def add_keys(connection: Connection, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert keys whose numbers are given; ``names`` are those of the columns."""
    _INSERT.run_many(connection, names, rows)
