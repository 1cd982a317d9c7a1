"""The doctor's examinations: every finding that is not fine says what to do."""

from pathlib import Path
from typing import Any

import pytest

from keystead.db.session import Database
from keystead.keeper.ports import free_loopback_port
from keystead.mounts import base_url
from keystead.operations.instance import checks
from keystead.operations.instance.doctor import Check, Diagnosis, Status
from keystead.operations.instance.engines import EngineStatus
from keystead.reconcile.engine import Condition, CoreView, EngineView, Health, KeeperView
from keystead.reconcile.replacement import Program
from keystead.settings import Settings
from keystead.vpn.placement import Placement
from tests.support.shop import SCOPE, Shop
from tests.support.work import Workplace


def settings(**given: Any) -> Settings:
    return Settings(**given)


def engine(condition: Condition) -> EngineStatus:
    return EngineStatus(
        "/bin/xray", "1.2.3", "named", "running", 7, Health(condition, "why"), "", ("", "its last line")
    )


def test_a_misspelt_setting_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    fine = checks.setting_names()
    monkeypatch.setenv("KEYSTEAD_PROT", "8200")

    found = checks.setting_names()

    assert [check.status for check in (*fine, *found)] == [Status.OK, Status.WARN]
    assert "is KEYSTEAD_PORT meant?" in found[0].message


def test_a_directory_that_others_may_read_is_a_failure(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    found = checks.data_directory(tmp_path)

    assert (found.status, found.next) == (Status.FAIL, f"run: chmod 700 {tmp_path}")


@pytest.mark.parametrize(
    ("mode", "status"), [(None, Status.FAIL), (0o644, Status.FAIL), (0o600, Status.OK)], ids=["gone", "open", "private"]
)
def test_a_root_key_is_there_and_private(tmp_path: Path, mode: int | None, status: Status) -> None:
    if mode is not None:
        (tmp_path / "root.key").write_text("")
        (tmp_path / "root.key").chmod(mode)

    found = checks.root_key(settings(data_dir=tmp_path))

    assert found.status is status
    assert (found.next is None) is (status is Status.OK)


async def test_a_migrated_database_is_whole(database: Database) -> None:
    found = await checks.database(database)

    # The tables of tests are made without migrations, which is what a database behind them looks like.
    assert found.status is Status.FAIL
    assert found.next == "run: keystead migrate"
    assert "SQLite" in found.message or "PostgreSQL" in found.message


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (Condition.READY, Status.OK),
        (Condition.PARTIAL, Status.FAIL),
        (Condition.WARMING, Status.WARN),
        (Condition.DOWN, Status.FAIL),
        (Condition.HUNG, Status.FAIL),
    ],
)
def test_an_engine_s_condition_comes_with_its_last_lines(condition: Condition, status: Status) -> None:
    found = checks.engine_condition("xray/main", engine(condition))

    assert found.status is status
    assert ("its last line" in found.message) is (status is not Status.OK)
    assert (found.next is None) is (status is Status.OK)


def test_a_port_that_somebody_else_holds_is_a_failure(unused_port_holder: int) -> None:
    found = checks.vpn_port("127.0.0.1", unused_port_holder, Health(Condition.DOWN))

    assert found.status is Status.FAIL
    assert str(unused_port_holder) in (found.next or "")


@pytest.fixture
def unused_port_holder() -> Any:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_free_port_is_fine() -> None:
    assert checks.vpn_port("127.0.0.1", free_loopback_port(), Health(Condition.DOWN)).status is Status.OK


@pytest.mark.parametrize(
    ("given", "chosen", "status"),
    [
        ({}, "127.0.0.1", Status.WARN),
        ({"public_host": "vpn.example.com"}, "vpn.example.com", Status.OK),
        ({}, "203.0.113.1", Status.WARN),
    ],
)
def test_links_carry_a_host_that_customers_reach(given: dict[str, str], chosen: str, status: Status) -> None:
    assert checks.public_host(settings(**given), chosen).status is status


@pytest.mark.parametrize(
    ("given", "url", "status"),
    [
        ({}, "http://127.0.0.1:8000", Status.WARN),
        ({"host": "0.0.0.0"}, "http://vpn.example.com:8000", Status.WARN),
        ({"host": "::", "tls": "self-signed"}, "https://vpn.example.com:8000", Status.WARN),
        ({"host": "203.0.113.1", "tls": "self-signed"}, "https://203.0.113.1:8000", Status.WARN),
        ({"public_url": "https://sub.example.com/"}, "https://sub.example.com", Status.OK),
        ({"host": "::1"}, "http://[::1]:8000", Status.WARN),
    ],
)
def test_subscriptions_are_where_customers_reach_them(given: dict[str, Any], url: str, status: Status) -> None:
    found = base_url(settings(**given), "vpn.example.com")

    assert found == url
    assert checks.subscription_address(settings(**given), found).status is status


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, Status.OK),
        ({"host": "0.0.0.0"}, Status.WARN),
        ({"host": "0.0.0.0", "trusted_proxies": "10.0.0.1"}, Status.OK),
        ({"host": "0.0.0.0", "tls": "self-signed"}, Status.OK),
    ],
)
def test_plain_http_before_others_is_a_warning(given: dict[str, Any], status: Status) -> None:
    assert checks.exposure(settings(**given)).status is status


def test_a_target_s_problem_outweighs_its_warning() -> None:
    [found] = checks.target(["no TLS 1.3."], ["is discouraged."], "site:443")

    assert (found.status, found.message) == (Status.FAIL, "site:443: no TLS 1.3.")


def test_a_diagnosis_is_as_bad_as_its_worst_finding() -> None:
    made = [Check("a", Status.OK, ""), Check("b", Status.FAIL, ""), Check("c", Status.WARN, "")]

    assert Diagnosis(tuple(made), ()).status is Status.FAIL
    assert Diagnosis((), ()).status is Status.OK


def keeper(**more: Any) -> KeeperView:
    core = CoreView("b-1", 12, "serving", "running", "1.2.3", None, 4, "")
    known: dict[str, Any] = {"is_understood": True, "is_leading": True, "is_attached": False, "is_current": True}
    return KeeperView(pid=11, version=1, since=None, cores=(core,), **{**known, **more})


@pytest.mark.parametrize(
    ("known", "status", "advice"),
    [
        ({}, Status.OK, None),
        ({"is_current": False}, Status.WARN, "keystead engine upgrade --keeper"),
        ({"is_understood": False}, Status.FAIL, "keystead engine stop"),
    ],
    ids=["current", "older", "not understood"],
)
def test_a_keeper_is_told_with_its_processes(known: dict[str, bool], status: Status, advice: str | None) -> None:
    [found] = checks.keepers("xray/main", EngineView(None, (keeper(**known),)))

    assert found.status is status
    assert "pid 11, wire 1, outlives Keystead; serving: 1.2.3 pid 12 with 4 connections" in found.message
    assert found.next is None if advice is None else advice in str(found.next)


def test_another_program_and_a_stranger_on_the_port_are_told() -> None:
    view = EngineView(Program("/new/xray", "1.3.0", "built"), (), ("0.0.0.0:443 by thief (pid 9)",))

    program = checks.engine_program("xray/main", engine(Condition.READY), view)
    [stranger] = checks.foreign_listeners("xray/main", view)

    assert (program.status, program.next) == (Status.WARN, "run: keystead engine upgrade xray/main")
    assert "1.3.0 at /new/xray" in program.message
    assert stranger.status is Status.FAIL
    assert "0.0.0.0:443 by thief (pid 9)" in stranger.message


@pytest.mark.parametrize(
    ("pool", "status", "told"),
    [
        ((10001, 10100), Status.OK, "10001-10100: 2 taken, 98 free; let them through"),
        ((10002, 10003), Status.OK, "10002-10003: 1 taken, 1 free; 1 more outside of the range; let them through"),
        ((10001, 10002), Status.WARN, "10001-10002: 2 taken, 0 free"),
    ],
)
async def test_ports_of_keys_are_counted_and_a_full_range_is_told(
    workplace: Workplace, pool: tuple[int, int], status: Status, told: str
) -> None:
    shop = await Shop(workplace).open()
    for _ in range(2):
        await shop.issue(placement=Placement.OWN_PORT)

    found = await checks.own_ports(workplace.database, SCOPE, pool)

    assert (found.status, found.message[: len(told)]) == (status, told)
    assert ("widen KEYSTEAD_VPN_PORTS" in (found.next or "")) is (status is Status.WARN)
