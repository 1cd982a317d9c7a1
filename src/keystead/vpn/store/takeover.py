"""Queries of keys that are taken over, thousands at a time; the verbs of single keys do without."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from keystead.db import dump
from keystead.db.prepared import Prepared
from keystead.vpn.models import KEYS

_INSERT = insert(KEYS).returning(KEYS.c.public_id, KEYS.c.number)
_IDENTITIES = Prepared(select(KEYS.c.number, KEYS.c.public_id, KEYS.c.uuid))
_SET_LABEL = Prepared(update(KEYS).where(KEYS.c.number == bindparam("at_number")).values(label=bindparam("new_label")))


def add_keys(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Insert keys, all with numbers or all without; return their numbers by public id."""
    if not rows:
        return {}
    numbers = {row[0]: int(row[1]) for row in connection.execute(_INSERT, list(rows))}
    dump.continue_numbers(connection, [KEYS], {})
    return numbers


def highest_number(connection: Connection) -> int:
    """Return the highest number that was ever given out."""
    return dump.last_numbers(connection, [KEYS]).get(KEYS.name, 0)


def identities(connection: Connection) -> list[tuple[int, str, str]]:
    """Return number, public id and UUID of every key in any state."""
    return [(row[0], row[1], row[2]) for row in _IDENTITIES.rows(connection, {})]


def set_labels(connection: Connection, labels: Mapping[int, str]) -> None:
    """Give new keys their labels, by number."""
    _SET_LABEL.run_many(connection, ["at_number", "new_label"], list(labels.items()))
