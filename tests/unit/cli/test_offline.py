"""Doctor without a service looks at what a start would meet, and so at what an earlier start chose once."""

from pathlib import Path

import pytest

from keystead import founding, settings
from keystead.access import datakeys
from keystead.cli import offline
from keystead.db import migrate
from keystead.db.session import open_database
from keystead.kit.clock import SystemClock
from keystead.kit.ids import RandomIds
from keystead.operations.instance.doctor import Check, Status
from keystead.settings import Settings

PORT = 18443
TARGET = "127.0.0.1:9"  # nobody listens there


def load(tmp_path: Path, **given: object) -> Settings:
    return settings.load(data_dir=tmp_path / "data", database_url=f"sqlite:///{tmp_path}/data/keystead.db", **given)


@pytest.fixture
async def _founded(tmp_path: Path) -> None:
    """Make what a first start makes, with a port, a host and a target of its own."""
    chosen = load(
        tmp_path, vpn_port=PORT, public_host="vpn.example.com", reality_target=TARGET, reality_server_names="site.test"
    )
    chosen.data_dir.mkdir(mode=0o700)
    migrate.upgrade(chosen.sqlalchemy_url)
    database, clock = open_database(chosen.sqlalchemy_url), SystemClock()
    root = founding.load_root(chosen)
    keys = await database.write(lambda connection: datakeys.open_keys(connection, root, clock.now()).ring)
    await founding.found(chosen, database, keys=keys, clock=clock, ids=RandomIds(), scope="xray/main")
    database.close()


def checked(found: Settings) -> dict[str, Check]:
    return {check.name: check for check in offline.examine(found)}


@pytest.mark.usefixtures("_founded")
def test_the_chosen_port_and_target_are_examined(tmp_path: Path) -> None:
    found = checked(load(tmp_path))

    assert found["settings"].status is Status.OK
    assert found["VPN port"].message == f"0.0.0.0:{PORT} is free"
    assert TARGET in found["REALITY target"].message
    assert found["REALITY target"].status is Status.FAIL


@pytest.mark.usefixtures("_founded")
@pytest.mark.parametrize(
    ("given", "setting"),
    [
        ({"vpn_port": 18444}, "KEYSTEAD_VPN_PORT"),
        ({"public_host": "other.example.com"}, "KEYSTEAD_PUBLIC_HOST"),
        ({"reality_target": TARGET, "reality_server_names": "other.test"}, "KEYSTEAD_REALITY_SERVER_NAMES"),
    ],
)
def test_a_setting_that_contradicts_what_was_chosen_fails(
    tmp_path: Path, given: dict[str, object], setting: str
) -> None:
    found = checked(load(tmp_path, **given))["settings"]

    assert found.status is Status.FAIL
    assert setting in found.message


def test_before_the_first_start_nothing_is_chosen_and_nothing_is_made(tmp_path: Path) -> None:
    found = checked(settings.load(data_dir=tmp_path / "data"))

    assert found["settings"].status is Status.OK
    assert "443" in found["VPN port"].message
    assert not (tmp_path / "data").exists()
