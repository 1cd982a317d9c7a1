"""Customers wait for the core, so nothing is imported before its configuration exists that the configuration is not of.

And nothing is imported before the keeper is started that the keeper does not need to be: what comes afterwards costs
nobody anything until the keeper is there. A start is run up to either moment in an interpreter of its own, which then
tells what it has imported. What is found here belongs into ``opening.py``, ``wiring.py`` or the function that needs it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keystead.keeper.ports import free_loopback_port

PROJECT = Path(__file__).parents[2]

# Each with what it is for, which is always something that comes later.
LATER = {
    "alembic": "the schema is up to date at nearly every start",
    "argon2": "passwords of people who sign in",
    "cryptography.x509": "certificates of targets and of our own port",
    "fastapi": "the API",
    "google.protobuf": "messages to a running core",
    "grpc": "messages to a running core",
    "httptools": "the API",
    "httpx2": "the command line as a client",
    "jinja2": "pages",
    "keystead.cli.client": "the command line as a client",
    "keystead.dialects": "the API",
    "keystead.engines.xray.external": "a core that somebody else runs",
    "keystead.http.doors": "the API",
    "keystead.mounts": "the API",
    "keystead.operations": "the API",
    "keystead.reconcile.loop": "compares with a running core",
    "keystead.wiring": "the second half of the start",
    "prometheus_client": "the API",
    "psutil": "names whoever holds a port",
    "psycopg": "another database",
    "pygments": "Rich, in colour",
    "pyrage": "backups",
    "python_socks": "dials through a running core",
    "rich": "tables of the command line",
    "segno": "pages",
    "sqlalchemy.dialects.postgresql": "another database",
    "sqlalchemy.orm": "tables are used without it",
    "starlette": "the API",
    "typer": "every command but a plain serve",
    "uvicorn": "the API",
    "yaml": "profiles",
}

# What the configuration is made of, and the keeper is not.
AFTER_THE_KEEPER = {
    "cryptography": "secrets in the database",
    "keystead.access": "the database",
    "keystead.engines.xray.driver": "the core",
    "keystead.opening": "the part of a start that needs the database",
    "keystead.vpn": "the database",
    "sqlalchemy": "the database",
}

# What an instance has no use for until somebody asks; it would be kept in memory all the same.
ASKED_FOR = {
    "alembic": "a schema that is not up to date",
    "dns": "domains",
    "joserfc": "people who sign in",
    "keystead.dialects.auth.app": "people who sign in",
    "keystead.dialects.integrations.app": "keys of outside providers",
    "keystead.dialects.v1.app": "the native API",
    "psutil": "targets that are no loopback addresses, and what is left of the machine",
    "psycopg": "another database",
    "pygments": "Rich, in colour",
    "rich": "tables of the command line",
    "smtplib": "mail",
    "sqlalchemy.dialects.postgresql": "another database",
    "yaml": "profiles of mihomo",
}

START = """
import os, sys
from {package} import {place}

def told(*_arguments, **_options):
    sys.stdout.write(" ".join(sys.modules))
    sys.stdout.flush()
    os._exit(0)

{place}.{verb} = told
from keystead.cli.app import main
main(["serve", "--foreground"])
"""


KEEPER = START.format(package="keystead.keeper", place="link", verb="start")
CONFIGURATION = START.format(package="keystead.engines.xray", place="config", verb="render")
SERVING = START.format(package="keystead", place="main", verb="serve")


@pytest.fixture(scope="module")
def at_the_keeper(environment: dict[str, str]) -> frozenset[str]:
    """Return what a start has imported when it starts the keeper."""
    return started(environment, KEEPER)


@pytest.fixture(scope="module")
def at_the_configuration(environment: dict[str, str]) -> frozenset[str]:
    """Return what a start has imported when the configuration is rendered: the second one, which migrates nothing."""
    started(environment, CONFIGURATION)
    return started(environment, CONFIGURATION)


@pytest.fixture(scope="module")
def at_the_serving(environment: dict[str, str]) -> frozenset[str]:
    """Return what an instance has imported when it begins to serve: the second time, with nothing to migrate."""
    started(environment, CONFIGURATION)
    return started(environment, SERVING)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the settings of an instance whose core says its version and nothing else."""
    directory = tmp_path_factory.mktemp("start")
    xray = directory / "xray"
    xray.write_text("#!/bin/sh\necho 'Xray 26.7.28 (Xray, Penetrates Everything.)'\n")
    xray.chmod(0o755)
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT / "src"),
        "KEYSTEAD_DATA_DIR": str(directory / "data"),
        "KEYSTEAD_LOG_FORMAT": "json",
        "KEYSTEAD_PORT": str(free_loopback_port()),
        "KEYSTEAD_PUBLIC_HOST": "127.0.0.1",
        "KEYSTEAD_REALITY_TARGET": "127.0.0.1:9",
        "KEYSTEAD_VPN_HOST": "127.0.0.1",
        "KEYSTEAD_VPN_PORT": str(free_loopback_port()),
        "KEYSTEAD_XRAY_PATH": str(xray),
    }


def started(environment: dict[str, str], script: str) -> frozenset[str]:
    """Run a start up to a moment, and return what it has imported by then."""
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        cwd=environment["KEYSTEAD_DATA_DIR"].removesuffix("/data"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return frozenset(ended.stdout.split())


def test_a_start_imports_only_what_the_configuration_is_made_of(at_the_configuration: frozenset[str]) -> None:
    early = sorted(at_the_configuration & LATER.keys())

    assert {name: LATER[name] for name in early} == {}


def test_a_start_begins_the_keeper_before_all_that_can_be_imported_meanwhile(at_the_keeper: frozenset[str]) -> None:
    later = LATER | AFTER_THE_KEEPER

    early = sorted(at_the_keeper & later.keys())

    assert {name: later[name] for name in early} == {}


def test_an_instance_keeps_nothing_in_memory_that_nobody_asked_for(at_the_serving: frozenset[str]) -> None:
    unasked = sorted(at_the_serving & ASKED_FOR.keys())

    assert {name: ASKED_FOR[name] for name in unasked} == {}


@pytest.mark.parametrize("needed", ["keystead.opening", "keystead.engines.xray.driver", "sqlalchemy.dialects.sqlite"])
def test_the_configuration_is_that_of_a_real_start(at_the_configuration: frozenset[str], needed: str) -> None:
    assert needed in at_the_configuration


def test_the_serving_is_that_of_a_real_start(at_the_serving: frozenset[str]) -> None:
    assert {"keystead.wiring", "keystead.dialects.subscription.app"} <= at_the_serving


def test_the_keeper_is_that_of_a_real_start(at_the_keeper: frozenset[str]) -> None:
    assert "keystead.main" in at_the_keeper


def test_the_library_of_the_log_is_imported_in_one_place() -> None:
    sources = {path: path.read_text() for path in (PROJECT / "src").rglob("*.py")}

    importing = {path.name for path, text in sources.items() if re.search(r"^ *(import|from) structlog", text, re.M)}

    assert importing == {"log.py"}
