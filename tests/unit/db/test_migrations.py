"""The migrations make what the models say, on both engines and whichever one this run uses."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url

from keystead.db import alembic_run, migrate
from keystead.db.base import METADATA
from keystead.kit.errors import Misconfigured
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


@pytest.mark.parametrize("content", [b"no database, but long enough to have the header of one\n" * 20, b"\0" * 4096])
def test_a_file_that_is_no_database_is_a_misconfiguration(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keystead.db").write_bytes(content)

    with pytest.raises(
        Misconfigured, match=r"keystead\.db cannot be opened: file is not a database; check KEYSTEAD_DATA"
    ):
        migrate.upgrade(f"sqlite:///{tmp_path / 'keystead.db'}")

    assert (tmp_path / "keystead.db").read_bytes() == content


def test_a_user_who_may_make_no_tables_is_a_misconfiguration(postgres_server: PostgresServer) -> None:
    url = postgres_server.create("forbidden", template="template0")
    postgres_server.execute("CREATE ROLE guest LOGIN")
    try:
        as_guest = make_url(url).set(username="guest").render_as_string(hide_password=False)

        with pytest.raises(Misconfigured, match="permission denied for schema public"):
            migrate.upgrade(as_guest)
    finally:
        postgres_server.drop("forbidden")
        postgres_server.execute("DROP ROLE guest")


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


def test_former_ports_stay_when_places_come_to_be_shared(empty_sqlite: str) -> None:
    engine = create_engine(empty_sqlite)
    former = "SELECT inbound_id, key_number, until FROM vpn_former_ports ORDER BY inbound_id, key_number"
    with engine.connect() as connection:
        migrate.build(connection, "0014")
        connection.exec_driver_sql("INSERT INTO vpn_former_ports VALUES (1, 7, 99)")
        connection.commit()
        migrate.build(connection, "0015")
        connection.exec_driver_sql("INSERT INTO vpn_former_ports VALUES (1, 8, 99)")
        found = connection.exec_driver_sql(former).all()
    engine.dispose()

    assert [tuple(row) for row in found] == [(1, 7, 99), (1, 8, 99)]


def test_the_names_of_the_files_are_the_revisions_alembic_knows() -> None:
    scripts = ScriptDirectory.from_config(alembic_run.config())

    assert [script.revision for script in scripts.walk_revisions()][::-1] == migrate.known_revisions()


def test_a_start_with_a_current_schema_does_without_alembic() -> None:
    program = "import keystead.opening, sys; sys.exit(any(name.partition('.')[0] == 'alembic' for name in sys.modules))"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_key_that_was_disabled_before_terms_is_one_that_was_disabled_by_hand(empty_sqlite: str) -> None:
    engine = create_engine(empty_sqlite)
    with engine.begin() as connection:
        migrate.build(connection, "0001")
        connection.exec_driver_sql("INSERT INTO accounts (id, name, created_at) VALUES (1, 'default', 0)")
        connection.exec_driver_sql(
            "INSERT INTO scopes (name, generation, applied_generation, state) VALUES ('s', 0, 0, 'ok')"
        )
        connection.exec_driver_sql(ADD_INBOUND)
        for number, is_active in ((1, 1), (2, 0)):
            connection.exec_driver_sql(
                ADD_KEY, (number, f"p{number}", f"u{number}", f"m{number}", f"k{number}-1", is_active)
            )
    engine.dispose()

    migrate.upgrade(empty_sqlite)

    with create_engine(empty_sqlite).connect() as connection:
        rows = connection.exec_driver_sql("SELECT is_active, is_enabled FROM vpn_keys ORDER BY number").fetchall()
    assert rows == [(1, 1), (0, 0)]


ADD_INBOUND = (
    "INSERT INTO vpn_inbounds (id, scope, tag, placement, listen, port, private_key, public_key, target, server_names,"
    " short_ids, flow, created_at) VALUES (1, 's', 'shared', 'shared', '::', 443, '', '', 's:443', '[]', '[]', '', 0)"
)
ADD_KEY = (
    "INSERT INTO vpn_keys (number, public_id, account_id, inbound_id, uuid, masked_uuid, label, flow, short_id,"
    " server_name, is_active, state, created_at) VALUES (?, ?, 1, 1, ?, ?, ?, '', '', 's', ?, 'live', 0)"
)
