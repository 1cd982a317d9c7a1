"""Facts that are chosen once and then hold, because they are in links that customers already have.

Settings propose; the first start chooses; a later start compares and refuses when it cannot honour what was chosen.
"""

from datetime import datetime

from sqlalchemy import Connection

from keystead.access.store import accounts as store


def get(connection: Connection, name: str) -> object | None:
    """Return the JSON value chosen for a fact, or None while nothing is."""
    return store.fact(connection, name)


def choose(connection: Connection, name: str, value: object, now: datetime) -> object:
    """Choose a JSON value unless one is chosen already; return the one that holds."""
    store.add_fact(connection, name, value, now)
    return store.fact(connection, name)
