"""A fresh database per test, on the engine that ``KEYSTEAD_TEST_DATABASE`` names.

That is ``sqlite`` (default) or ``postgresql``; every table is in it. On PostgreSQL one database per test module is
cloned from a template, and each test begins with emptied tables; on SQLite each test copies a file made once.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from keystead.access import models as access_models
from keystead.db.base import METADATA
from keystead.db.session import sqlite_engine
from keystead.outbox import models as outbox_models
from keystead.reconcile import models as reconcile_models
from keystead.vault import models as vault_models
from keystead.vpn import models as vpn_models
from tests.support.postgres import PostgresServer

# Importing a subject's models is what hangs its tables on METADATA.
TABLES_OF = (access_models, outbox_models, reconcile_models, vault_models, vpn_models)
BACKENDS = ("sqlite", "postgresql")
TEMPLATE = "keystead_template"


def chosen_backend() -> str:
    """Return the engine that the tests of this run use."""
    backend = os.environ.get("KEYSTEAD_TEST_DATABASE", "sqlite")
    if backend not in BACKENDS:
        raise RuntimeError(f"KEYSTEAD_TEST_DATABASE is {backend!r}; set it to sqlite or postgresql")
    return backend


def make_sqlite_template(path: Path) -> None:
    """Create a SQLite file with all tables."""
    engine = sqlite_engine(f"sqlite+pysqlite:///{path}", synchronous="OFF")
    METADATA.create_all(engine)
    engine.dispose()


def copied_sqlite(template: Path, directory: Path) -> str:
    """Return the URL of a fresh copy of a SQLite file."""
    path = directory / "keystead.db"
    shutil.copyfile(template, path)
    return f"sqlite+pysqlite:///{path}"


def make_postgres_template(server: PostgresServer) -> None:
    """Create the database that the others are cloned from."""
    server.execute(f'CREATE DATABASE "{TEMPLATE}"')
    engine = create_engine(server.url(TEMPLATE))
    METADATA.create_all(engine)
    engine.dispose()


@contextmanager
def cloned_postgres(server: PostgresServer, name: str) -> Iterator[str]:
    """Clone the template for the duration and return its URL."""
    try:
        yield server.create(name, template=TEMPLATE)
    finally:
        server.drop(name)


def empty_postgres(url: str) -> None:
    """Empty all tables and start their numbers again."""
    engine = create_engine(url)
    with engine.begin() as connection:
        names = ", ".join(table.name for table in METADATA.sorted_tables)
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    engine.dispose()
