"""The migrations make what the models say, on both engines and whichever one this run uses."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from keystead.db import alembic_run, migrate
from keystead.db.base import METADATA
from tests.support import databases
from tests.support.postgres import PostgresServer


def differences(url: str) -> list[object]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return list(compare_metadata(MigrationContext.configure(connection), METADATA))
    finally:
        engine.dispose()


@pytest.fixture
def empty_sqlite(tmp_path: Path) -> str:
    return f"sqlite+pysqlite:///{tmp_path / 'keystead.db'}"


def test_migrations_make_the_models_on_sqlite(empty_sqlite: str) -> None:
    applied = migrate.upgrade(empty_sqlite)

    assert applied
    assert databases.TABLES_OF
    assert differences(empty_sqlite) == []
    assert migrate.upgrade(empty_sqlite) == []


def test_migrations_make_the_models_on_postgresql(postgres_server: PostgresServer) -> None:
    url = postgres_server.create("migrated", template="template0")
    try:
        applied = migrate.upgrade(url)

        assert applied
        assert differences(url) == []
        assert migrate.upgrade(url) == []
    finally:
        postgres_server.drop("migrated")


def test_what_was_carried_before_there_was_a_history_stands_in_the_hour_it_was_last_counted_in(
    empty_sqlite: str,
) -> None:
    engine = create_engine(empty_sqlite)
    with engine.connect() as connection:
        migrate.build(connection, "0001")
        connection.exec_driver_sql(
            "INSERT INTO vpn_traffic (label, key_number, uplink, downlink, forgiven_uplink, forgiven_downlink, process,"
            " read_uplink, read_downlink, changed_at) VALUES ('k1-1', 1, 7, 8, 0, 0, 'p', 7, 8, 7200000001)"
        )
        connection.commit()
        migrate.build(connection, "0002")
        found = connection.exec_driver_sql("SELECT uplink, hour, before_uplink, offset_downlink FROM vpn_traffic").all()
    engine.dispose()

    assert [tuple(row) for row in found] == [(7, 2, 0, 0)]


def test_the_names_of_the_files_are_the_revisions_alembic_knows() -> None:
    scripts = ScriptDirectory.from_config(alembic_run.config())

    assert [script.revision for script in scripts.walk_revisions()][::-1] == migrate.known_revisions()


def test_a_start_with_a_current_schema_does_without_alembic() -> None:
    program = "import keystead.main, sys; sys.exit(any(name.partition('.')[0] == 'alembic' for name in sys.modules))"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
