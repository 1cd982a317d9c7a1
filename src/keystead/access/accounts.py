"""Accounts: the tenants that own everything. For now there is one, made at the first start."""

from datetime import datetime

from sqlalchemy import Connection

from keystead.access.principal import DEFAULT_ACCOUNT
from keystead.access.store import accounts as store


def ensure_default(connection: Connection, now: datetime) -> int:
    """Return the id of the default account, making it at the first start."""
    return store.ensure(connection, DEFAULT_ACCOUNT, now)
