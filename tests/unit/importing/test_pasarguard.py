"""PasarGuard's own facts: groups, and configurations of several machines."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from keystead.importing import pasarguard
from keystead.importing.found import FoundCustomer, What
from keystead.kit.errors import Invalid
from keystead.vpn.accounting import Bytes
from tests.support.panels import parts
from tests.support.panels.marzban import shop as marzban_shop
from tests.support.panels.parts import GIB, NOW
from tests.support.panels.pasarguard import PasarGuard, shop


def grouped(*cores: str) -> PasarGuard:
    """Return a panel whose cores have an inbound each, with a group for all."""
    panel = PasarGuard()
    for number, name in enumerate(cores):
        panel.core(name, parts.inbound(f"in {name}", 443 + number))
    panel.groups = {"all": [f"in {name}" for name in cores]}
    return panel


def only(panel: PasarGuard, tmp_path: Path, core: str | None = None) -> FoundCustomer:
    [customer] = pasarguard.read(panel.write(tmp_path), core=core, now=NOW).customers
    return customer


def test_of_several_cores_one_has_to_be_named(tmp_path: Path) -> None:
    panel = grouped("berlin", "oslo")
    panel.user("anna", 1, "all")

    with pytest.raises(Invalid, match="there are: berlin, oslo"):
        pasarguard.read(panel.write(tmp_path), now=NOW)


def test_inbounds_of_other_cores_are_named(tmp_path: Path) -> None:
    panel = grouped("berlin", "oslo")
    panel.user("anna", 1, "all")

    customer = only(panel, tmp_path, "oslo")

    assert [link.inbound for link in customer.links] == ["in oslo"]
    assert [(note.what, "core berlin" in note.sentence) for note in customer.not_carried] == [(What.MACHINE, True)]


def test_a_core_of_another_engine_is_no_choice(tmp_path: Path) -> None:
    panel = grouped("berlin")
    panel.core("wire", kind="wg")
    panel.user("anna", 1, "all")

    assert only(panel, tmp_path).links != ()


def test_a_disabled_group_and_an_excluded_tag_give_no_link(tmp_path: Path) -> None:
    panel = grouped("berlin")
    panel.groups["off"] = ["in berlin"]
    panel.disabled_groups.add("off")
    panel.user("anna", 1, "off")

    assert only(panel, tmp_path).not_carried[0].sentence == "is in no group that has inbounds"


def test_an_excluded_tag_gives_no_link(tmp_path: Path) -> None:
    panel = PasarGuard()
    panel.core("berlin", parts.inbound("A", 443), parts.inbound("B", 8443), excluded="B,C")
    panel.groups = {"all": ["A", "B"]}
    panel.user("anna", 1, "all")

    assert [link.inbound for link in only(panel, tmp_path).links] == ["A"]


def test_resets_hosts_and_devices_are_read(tmp_path: Path) -> None:
    panel = grouped("berlin")
    panel.hosts.append({"inbound_tag": "in berlin", "sni": "example.com", "port": None})
    reset_at = parts.naive(NOW - timedelta(days=3))
    panel.resets.append({"user_id": 1, "used_traffic_at_reset": 7 * GIB, "reset_at": reset_at})
    panel.user("anna", 1, "all", used_traffic=GIB, data_limit=9 * GIB, data_limit_reset_strategy="week", hwid_limit=2)

    customer = only(panel, tmp_path)

    assert customer.links[0].server_name == "example.com"
    assert (customer.terms.lifetime, customer.terms.period.days) == (Bytes(0, 8 * GIB), 7)
    assert customer.terms.period_began_at == NOW - timedelta(days=3)
    assert (customer.terms.device_limit, customer.not_carried) == (2, ())


def test_database_and_export_say_the_same(tmp_path: Path) -> None:
    stored = pasarguard.read(shop().write(tmp_path), now=NOW)
    exported = pasarguard.read_export(*shop().write_export(tmp_path), now=NOW)

    assert exported.inbounds == stored.inbounds
    assert [(one.source_id, one.uuid, one.links) for one in exported.customers] == [
        (one.source_id, one.uuid, one.links) for one in stored.customers
    ]


def test_marzbans_database_is_refused(tmp_path: Path) -> None:
    database, _ = marzban_shop().write(tmp_path)

    with pytest.raises(Invalid, match="proxy_settings of the table users; it should be PasarGuard's database"):
        pasarguard.read(database, now=NOW)


def test_a_part_of_the_users_is_refused(tmp_path: Path) -> None:
    users, groups, cores = shop().write_export(tmp_path)
    answer = json.loads(users.read_text())
    parts.write_json(users, {**answer, "total": 3000})

    with pytest.raises(Invalid, match="holds 10 of 3000 users"):
        pasarguard.read_export(users, groups, cores, now=NOW)


def test_a_user_whose_creation_is_unclear_comes_along_without_it(tmp_path: Path) -> None:
    panel = grouped("berlin")
    panel.user("anna", 1, "all", created_at="2024-13-99", data_limit=GIB, data_limit_reset_strategy="week")

    customer = only(panel, tmp_path)

    assert (customer.uuid, customer.created_at, customer.terms.period_began_at) == (parts.uuid_of(1), None, None)
    assert "made at the moment of the import" in customer.not_carried[0].sentence
