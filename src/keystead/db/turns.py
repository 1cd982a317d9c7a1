"""Turns: what only one transaction at a time may do, since it decides by what it has read."""

from enum import IntEnum

from sqlalchemy import Connection, text

_TAKE = text("SELECT pg_advisory_xact_lock(:turn)")


class Turn(IntEnum):
    """What is taken turns at; the numbers are any that nothing else on the server locks."""

    BOOKING = 1801815923
    PORTS = 1801815924


def take(connection: Connection, turn: Turn) -> None:
    """Wait for whoever has the turn and keep others waiting until the transaction ends.

    SQLite has one writer, which is the caller.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_TAKE, {"turn": turn.value})
