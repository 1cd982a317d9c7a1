"""Fixtures for every test: a database with all tables, and a workplace to run verbs in."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from keystead.access import accounts
from keystead.db.session import Database, open_database
from tests.support import databases, shares
from tests.support.clock import ManualClock
from tests.support.postgres import PostgresServer, running_postgres
from tests.support.work import Workplace

# What never touches a database runs once, and so does what takes long because of the engine.
NEEDS_NO_DATABASE = tuple(
    f"tests/{part}/"
    for part in (
        "architecture",
        "engines",
        "plans",
        "providers",
        "unit/importing",
        "unit/keeper",
        "unit/kit",
        "unit/outgoing",
        "unit/providers",
        "unit/xray",
    )
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what this run is to take: of its database, and of its share."""
    kept = [item for item in items if databases.chosen_backend() == "sqlite" or not _runs_once(item)]
    expected = [(item.nodeid, _expected_s(item)) for item in kept]
    modules = shares.modules_of(shares.chosen_share(), expected, shares.MOST_TO_REST[databases.chosen_backend()])
    kept = [item for item in kept if shares.module_of(item.nodeid) in modules]
    if len(kept) < len(items):
        chosen = set(kept)
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = kept


def _runs_once(item: pytest.Item) -> bool:
    """Tell whether another database would change nothing, or the test is about SQLite's own file."""
    is_slow = "tests/e2e/" in item.nodeid and (item.get_closest_marker("slow") or item.get_closest_marker("sqlite"))
    return bool(is_slow) or item.nodeid.startswith(NEEDS_NO_DATABASE)


def _expected_s(item: pytest.Item) -> float:
    """Return how long a test takes beside others; those marked alone run on their own."""
    if item.get_closest_marker("alone"):
        return 0.0
    return shares.expected_s(item.nodeid, is_slow=item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Run one PostgreSQL for the whole test run, with the template in it."""
    with running_postgres() as server:
        databases.make_postgres_template(server)
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one SQLite file with all tables for the whole run."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    databases.make_sqlite_template(path)
    return path


@pytest.fixture(scope="module")
def module_database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Clone one PostgreSQL database per module; None on SQLite, where each test has its own file."""
    with ExitStack() as stack:
        if databases.chosen_backend() == "sqlite":
            yield None
            return
        server: PostgresServer = request.getfixturevalue("postgres_server")
        name = re.sub(r"\W+", "_", request.module.__name__)[-50:]
        yield stack.enter_context(databases.cloned_postgres(server, name))


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path, module_database_url: str | None) -> str:
    """Return the URL of a database with all tables and no rows."""
    if module_database_url is None:
        return databases.copied_sqlite(request.getfixturevalue("sqlite_template"), tmp_path)
    databases.empty_postgres(module_database_url)
    return module_database_url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Open a database with all tables and no rows."""
    opened = open_database(database_url, synchronous="OFF")
    yield opened
    opened.close()


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands still."""
    return ManualClock()


@pytest.fixture
async def workplace(database: Database, clock: ManualClock) -> Workplace:
    """Return a workplace of the default account."""
    account_id = await database.write(lambda connection: accounts.ensure_default(connection, clock.now()))
    return Workplace(database, account_id, clock)
