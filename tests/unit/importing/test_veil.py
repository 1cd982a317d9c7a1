"""The two veil programs: what their databases leave to the configuration, and what bots know keys by."""

from pathlib import Path

import pytest

from keystead.importing import veilv2ray, veilxray
from keystead.importing.found import FoundCustomer, What
from keystead.importing.planning import plan
from keystead.importing.planvalue import Existing
from keystead.kit.errors import Invalid
from keystead.vpn.accounting import Bytes
from keystead.vpn.placement import Placement
from tests.support.panels import parts
from tests.support.panels import veilv2ray as v2ray
from tests.support.panels import veilxray as xray
from tests.support.panels.parts import CREATED, GIB, NOW, VISION


def one(customers: tuple[FoundCustomer, ...], name: str) -> FoundCustomer:
    [customer] = [customer for customer in customers if customer.name == name]
    return customer


def test_a_v2ray_key_keeps_its_port_its_short_id_and_the_id_that_bots_know(tmp_path: Path) -> None:
    made = plan(veilv2ray.read(*v2ray.shop().write(tmp_path), now=NOW), Existing(), now=NOW)

    key = next(key for key in made.keys if key.name == "normal")
    [inbound] = [one for one in made.inbounds if one.tag == key.inbound]
    assert (inbound.found.port, inbound.flow, inbound.short_ids) == (10_001, "", (parts.SHORT_IDS[1],))
    assert inbound.found.placement is Placement.OWN_PORT
    assert (key.public_id, key.flow, key.short_id) == (v2ray.own_id(1), "", parts.SHORT_IDS[1])
    assert key.server_name == parts.SERVER_NAMES[1]
    assert (key.lifetime, key.held) == (Bytes(0, 3 * GIB), None)


def test_no_tag_of_a_plan_holds_a_uuid(tmp_path: Path) -> None:
    found = veilv2ray.read(*v2ray.shop().write(tmp_path), now=NOW)

    assert [inbound.tag for inbound in found.inbounds][:2] == ["port 10001", "port 10002"]


def test_the_files_of_a_v2ray_without_a_database_are_read(tmp_path: Path) -> None:
    keys, config, history = v2ray.shop().write_files(tmp_path)
    from_files = veilv2ray.read(keys, config, history=history, now=NOW)
    from_database = veilv2ray.read(*v2ray.shop().write(tmp_path), now=NOW)

    assert from_files == from_database


def test_a_v2ray_key_without_an_inbound_is_named(tmp_path: Path) -> None:
    panel = v2ray.shop()
    panel.key("lost", 20, is_served=False)

    customer = one(veilv2ray.read(*panel.write(tmp_path), now=NOW).customers, "lost")

    assert customer.not_carried[0].what is What.INBOUND


def test_a_v2ray_key_whose_record_is_unclear_is_named_once(tmp_path: Path) -> None:
    panel = v2ray.VeilV2ray()
    panel.key("odd", 20, is_active=7)

    [customer] = veilv2ray.read(*panel.write(tmp_path), now=NOW).customers

    assert (customer.name, customer.not_carried[0].what) == ("odd", What.RECORD)


def test_keys_whose_creation_is_unclear_come_along_without_it(tmp_path: Path) -> None:
    panel, other = v2ray.VeilV2ray(), xray.VeilXray()
    panel.key("odd", 20, created_at="2024-13-99")
    other.key("odd", 1, created_at=10**18)
    (tmp_path / "other").mkdir()

    found = (
        *veilv2ray.read(*panel.write(tmp_path), now=NOW).customers,
        *veilxray.read(*other.write(tmp_path / "other"), now=NOW).customers,
    )

    assert [(customer.created_at, bool(customer.links)) for customer in found] == [(None, True)] * 2
    told = [" ".join(note.sentence for note in customer.not_carried) for customer in found]
    assert ["made at the moment of the import" in sentences for sentences in told] == [True] * 2


def test_a_client_of_the_configuration_that_is_no_key_is_named_and_not_revived(tmp_path: Path) -> None:
    panel = v2ray.shop()
    panel.keys = [key for key in panel.keys if key["name"] != "normal"]

    stray = veilv2ray.read(*panel.write(tmp_path), now=NOW).customers[-1]

    assert stray.name.startswith("unknown client ")
    assert (stray.links, stray.uuid) == ((), None)
    assert parts.uuid_of(1) not in repr(stray)


def test_two_v2ray_inbounds_on_one_port_are_refused(tmp_path: Path) -> None:
    panel = v2ray.shop()
    panel.key("again", 20, port=10_001)

    made = plan(veilv2ray.read(*panel.write(tmp_path), now=NOW), Existing(), now=NOW)

    assert {"normal", "again"} <= {customer.name for customer in made.collisions}


def test_a_public_key_of_keys_env_that_is_another_one_is_refused(tmp_path: Path) -> None:
    env = tmp_path / "keys.env"
    env.write_text(f"PRIVATE_KEY=Private key: x\nPUBLIC_KEY={parts.pair(1).public_key}\n")

    found = veilv2ray.read(*v2ray.shop().write(tmp_path), env=env, now=NOW)

    assert found.inbounds == ()
    assert "does not belong" in found.customers[0].not_carried[0].sentence


def test_an_xray_key_keeps_its_number_and_its_traffic(tmp_path: Path) -> None:
    made = plan(veilxray.read(*xray.shop().write(tmp_path), now=NOW), Existing(), now=NOW)

    key = next(key for key in made.keys if key.name == "normal")
    assert (key.number, key.flow, key.created_at) == (1, VISION, CREATED)
    assert (key.lifetime, key.held) == (Bytes(GIB, 2 * GIB), None)


def test_an_xray_key_of_several_inbounds_is_a_question_with_the_apis_link_first(tmp_path: Path) -> None:
    panel = xray.VeilXray(parts.inbound("vless-reality-happ", 448))
    panel.key("anna", 1)
    found = veilxray.read(*panel.write(tmp_path), now=NOW)

    [question] = plan(found, Existing(), now=NOW).questions
    answered = plan(found, Existing(), now=NOW, prefer=["vless-reality"])

    assert question.inbounds == ("vless-reality", "vless-reality-happ")
    assert [link.flow for link in found.customers[0].links] == [VISION, ""]
    assert (answered.counts["new"], answered.keys[0].flow) == (1, VISION)


def test_an_xray_key_that_only_the_running_core_knows_has_the_usual_flow(tmp_path: Path) -> None:
    panel = xray.VeilXray()
    panel.key("anna", 1, is_written=False)
    env = tmp_path / ".env"
    env.write_text("REALITY_FLOW=none\nREALITY_SNI=example.com\n")

    plain = veilxray.read(*panel.write(tmp_path), now=NOW).customers[0]
    (tmp_path / "veil_xray.db").unlink()
    told = veilxray.read(*panel.write(tmp_path), env=env, now=NOW).customers[0]

    assert plain.links[0].flow == VISION
    assert (told.links[0].flow, told.links[0].server_name) == ("", "example.com")


def test_trojan_and_xhttp_of_an_xray_key_are_named(tmp_path: Path) -> None:
    customer = veilxray.read(*xray.shop().write(tmp_path), now=NOW).customers[0]

    assert [note.what for note in customer.not_carried] == [What.PROTOCOL, What.TRANSPORT]


def test_one_program_is_not_taken_for_the_other(tmp_path: Path) -> None:
    database, config = v2ray.shop().write(tmp_path)

    with pytest.raises(Invalid, match="veil-xray's database"):
        veilxray.read(database, config, now=NOW)
