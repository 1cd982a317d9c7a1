"""Credentials in any number, in the database of an instance that does not run; and a token that may use them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Connection, insert
from tests.support import tokens

from bench.instances import Instance
from keystead.access.datakeys import load_root_key, open_keys
from keystead.access.permissions import ALL_PERMISSIONS
from keystead.db.session import sqlite_engine
from keystead.kit.secret import Secret
from keystead.vault.models import CREDENTIALS
from keystead.vault.sealed import CREDENTIAL_SECRET

T = TypeVar("T")


async def owner_token(running: Instance) -> str:
    """Return a new token that may do everything, for an instance that does not run."""
    return await tokens.issue(running, "bench", permissions=ALL_PERMISSIONS)  # type: ignore[arg-type]


def credentials(running: Instance, count: int) -> None:
    """Put sealed credentials into the database."""
    now = datetime.now(UTC)
    root = load_root_key(running.data_dir, None)

    def put(connection: Connection) -> None:
        ring = open_keys(connection, root, now).ring
        rows = [
            {
                "id": number,
                "account_id": 1,
                "provider": "cloudflare",
                "alias": f"account {number}",
                "external_id": f"{number:032x}",
                "holds": f"{number:032x}",
                "status": "active",
                "scope": {"cf_token_id": f"{number:032x}", "cf_token_name": "bench", "cf_account_name": "bench"},
                "secret": ring.seal(Secret(f"cfat_{number:048d}"), CREDENTIAL_SECRET.place(number)),
                "created_at": now,
            }
            for number in range(1, count + 1)
        ]
        connection.execute(insert(CREDENTIALS), rows)

    write(running, put)


def write(running: Instance, unit: Callable[[Connection], T]) -> T:
    """Run something in a transaction on the database of an instance that does not run."""
    engine = sqlite_engine(f"sqlite:///{running.data_dir / 'keystead.db'}", synchronous="OFF")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            done = unit(connection)
            connection.exec_driver_sql("COMMIT")
            return done
    finally:
        engine.dispose()
