"""Marzban's own facts: what its database, its host settings and its API say."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from keystead.importing import marzban
from keystead.importing.found import Found, FoundCustomer, What
from keystead.kit.errors import Invalid
from keystead.vpn.accounting import Bytes
from keystead.vpn.periods import Period, Reset
from tests.support.panels import parts
from tests.support.panels.marzban import Marzban, shop
from tests.support.panels.parts import CREATED, GIB, NOW


def single(tmp_path: Path, panel: Marzban | None = None, **user: object) -> tuple[Found, FoundCustomer]:
    """Read a panel with one user."""
    made = panel or Marzban(parts.inbound("VLESS REALITY", 443))
    made.user("anna", 1, **user)  # type: ignore[arg-type]
    found = marzban.read(*made.write(tmp_path), now=NOW)
    return found, found.customers[0]


def test_a_month_is_thirty_days_counted_from_the_last_reset(tmp_path: Path) -> None:
    panel = Marzban(parts.inbound("VLESS REALITY", 443))
    for days, used in ((40, 7), (12, 5), (70, 1)):
        reset_at = parts.naive(NOW - timedelta(days=days))
        panel.resets.append({"user_id": 1, "used_traffic_at_reset": used * GIB, "reset_at": reset_at})

    _, customer = single(tmp_path, panel, data_limit=9 * GIB, used_traffic=2 * GIB, data_limit_reset_strategy="month")

    assert customer.terms.period == Period(Reset.ROLLING, days=30)
    assert customer.terms.period_began_at == NOW - timedelta(days=12)
    assert customer.terms.lifetime == Bytes(0, 15 * GIB)


def test_without_a_reset_the_period_began_with_the_user(tmp_path: Path) -> None:
    _, customer = single(tmp_path, data_limit=GIB, data_limit_reset_strategy="year")

    assert (customer.terms.period.days, customer.terms.period_began_at) == (365, CREATED)


def test_the_server_name_of_links_is_that_of_the_host_settings(tmp_path: Path) -> None:
    panel = Marzban(parts.inbound("VLESS REALITY", 443))
    panel.hosts.append({"inbound_tag": "VLESS REALITY", "port": None, "sni": "gone.example,example.com"})

    _, customer = single(tmp_path, panel)

    assert customer.links[0].server_name == "example.com"


def test_host_settings_with_another_port_are_told(tmp_path: Path) -> None:
    panel = Marzban(parts.inbound("VLESS REALITY", 8443))
    panel.hosts.append({"inbound_tag": "VLESS REALITY", "port": 443, "sni": None})

    found, _ = single(tmp_path, panel)

    assert [note.what for note in found.notes] == [What.SUBSCRIPTION, What.MACHINE]
    assert "lead to port 443" in found.notes[1].sentence


def test_a_user_is_kept_out_of_excluded_inbounds(tmp_path: Path) -> None:
    panel = Marzban(parts.inbound("A", 443), parts.inbound("B", 8443))

    _, customer = single(tmp_path, panel, excluded=["A"])

    assert [link.inbound for link in customer.links] == ["B"]


def test_a_plan_that_was_to_follow_is_told(tmp_path: Path) -> None:
    panel = Marzban(parts.inbound("VLESS REALITY", 443))
    panel.user("anna", 1, next_plan={"data_limit": GIB, "expire": None})
    for user in panel.users:
        user.pop("on_hold_timeout")

    [customer] = marzban.read_export(*panel.write_export(tmp_path), now=NOW).customers

    assert "plan that was to follow" in customer.not_carried[0].sentence


def test_an_export_says_that_it_does_not_know_when_a_period_began(tmp_path: Path) -> None:
    panel = Marzban(parts.inbound("VLESS REALITY", 443))
    panel.user("anna", 1, data_limit=GIB, data_limit_reset_strategy="week")

    [customer] = marzban.read_export(*panel.write_export(tmp_path), now=NOW).customers

    assert customer.terms.period_began_at is None
    assert customer.not_carried[0].what is What.TERMS


@pytest.mark.parametrize("user", [{"status": "frozen"}, {"expire": 10**18}, {"data_limit": -1}, {"used_traffic": "x"}])
def test_a_user_that_makes_no_sense_is_listed(tmp_path: Path, user: dict[str, object]) -> None:
    _, customer = single(tmp_path, **user)

    assert (customer.links, customer.not_carried[0].what) == ((), What.RECORD)


def test_a_part_of_the_users_is_refused(tmp_path: Path) -> None:
    users, config = shop().write_export(tmp_path)
    answer = json.loads(users.read_text())
    answer["users"] = answer["users"][:4]
    parts.write_json(users, answer)

    with pytest.raises(Invalid, match="holds 4 of 10 users; export all of them"):
        marzban.read_export(users, config, now=NOW)


def test_the_answers_of_several_pages_are_read_as_one(tmp_path: Path) -> None:
    users, config = shop().write_export(tmp_path)
    everybody = json.loads(users.read_text())["users"]
    parts.write_json(users, [{"users": everybody[:4], "total": 10}, {"users": everybody[4:], "total": 10}])

    assert len(marzban.read_export(users, config, now=NOW).customers) == 10


@pytest.mark.parametrize("content", [[], {}, {"inbounds": []}, {"inbounds": [{"protocol": "freedom"}]}, 7, None])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, content: object) -> None:
    users, config = shop().write_export(tmp_path)
    parts.write_json(config, content)

    with pytest.raises(Invalid, match=r"xray_config\.json"):
        marzban.read_export(users, config, now=NOW)


def test_the_database_of_its_descendant_is_refused(tmp_path: Path) -> None:
    _, config = shop().write_export(tmp_path)
    other = parts.write_sqlite(tmp_path / "other.db", "CREATE TABLE users (id INTEGER, proxy_settings JSON)", {})

    with pytest.raises(Invalid, match="it should be Marzban's database"):
        marzban.read(other, config, now=NOW)
