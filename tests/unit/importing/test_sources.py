"""What holds for every panel: the same kinds of customers become the same things, whatever they were read from."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from keystead.importing import marzban, pasarguard, remnawave, veilv2ray, veilxray, xui
from keystead.importing.found import Found, What
from keystead.importing.planning import plan
from keystead.importing.planvalue import Existing, ImportPlan, PlannedKey
from keystead.vpn.termvalue import Stop
from tests.support.panels import marzban as marzban_panel
from tests.support.panels import parts
from tests.support.panels import pasarguard as pasarguard_panel
from tests.support.panels import remnawave as remnawave_panel
from tests.support.panels import veilv2ray as veilv2ray_panel
from tests.support.panels import veilxray as veilxray_panel
from tests.support.panels import xui as xui_panel
from tests.support.panels.parts import CREATED, GIB, NOW, VISION

Read = Callable[[Path], Found]

SHOPS: dict[str, Read] = {
    "3x-ui": lambda place: xui.read(xui_panel.shop().write(place / "x-ui.db"), now=NOW),
    "marzban": lambda place: marzban.read(*marzban_panel.shop().write(place), now=NOW),
    "marzban export": lambda place: marzban.read_export(*marzban_panel.shop().write_export(place), now=NOW),
    "veil-v2ray": lambda place: veilv2ray.read(*veilv2ray_panel.shop().write(place), now=NOW),
    "veil-xray": lambda place: veilxray.read(*veilxray_panel.shop().write(place), now=NOW),
    "pasarguard": lambda place: pasarguard.read(pasarguard_panel.shop().write(place), now=NOW),
    "pasarguard export": lambda place: pasarguard.read_export(*pasarguard_panel.shop().write_export(place), now=NOW),
    "remnawave": lambda place: remnawave.read(*remnawave_panel.shop().write(place), now=NOW),
}
CROWDS: dict[str, Callable[[Path, int], Found]] = {
    "3x-ui": lambda place, count: xui.read(xui_panel.crowd(count).write(place / "x-ui.db"), now=NOW),
    "marzban": lambda place, count: marzban.read(*marzban_panel.crowd(count).write(place), now=NOW),
    "veil-v2ray": lambda place, count: veilv2ray.read(*veilv2ray_panel.crowd(count).write(place), now=NOW),
    "veil-xray": lambda place, count: veilxray.read(*veilxray_panel.crowd(count).write(place), now=NOW),
    "pasarguard": lambda place, count: pasarguard.read(pasarguard_panel.crowd(count).write(place), now=NOW),
    "remnawave": lambda place, count: remnawave.read(*remnawave_panel.crowd(count).write(place), now=NOW),
}
# Panels without quotas and ends, and one whose users never wait for their first use.
WITHOUT_TERMS = {"veil-v2ray", "veil-xray"}
WITHOUT_HOLD = {"remnawave"}
WITH_TERMS = [name for name in SHOPS if name not in WITHOUT_TERMS]


def planned(name: str, place: Path) -> ImportPlan:
    return plan(SHOPS[name](place), Existing(), now=NOW)


def key_of(made: ImportPlan, name: str) -> PlannedKey:
    [key] = [key for key in made.keys if key.name == name]
    return key


@pytest.mark.parametrize("name", SHOPS)
def test_everybody_is_in_the_plan_exactly_once(name: str, tmp_path: Path) -> None:
    found = SHOPS[name](tmp_path)
    made = plan(found, Existing(), now=NOW)

    outcomes = [*made.keys, *made.there, *made.collisions, *made.asked, *made.not_carried]
    assert Counter(one.source_id for one in outcomes) == Counter(one.source_id for one in found.customers)
    assert {"normal", "disabled", parts.UNICODE_NAME, "twin", "other twin"} <= {one.name for one in outcomes}


@pytest.mark.parametrize("name", SHOPS)
def test_the_normal_customers_link_stays_what_it_was(name: str, tmp_path: Path) -> None:
    made = planned(name, tmp_path)
    key = key_of(made, "normal")

    [inbound] = [one for one in made.inbounds if one.tag == key.inbound]
    assert key.uuid == parts.uuid_of(1)
    assert key.short_id in parts.SHORT_IDS
    assert key.server_name in parts.SERVER_NAMES
    assert inbound.found.private_key == parts.pair().private_key
    assert inbound.found.public_key == parts.pair().public_key
    assert inbound.found.target == parts.TARGET
    assert key.created_at == CREATED


@pytest.mark.parametrize("name", WITH_TERMS)
def test_quota_use_and_end_are_carried(name: str, tmp_path: Path) -> None:
    key = key_of(planned(name, tmp_path), "normal")

    assert key.flow == VISION
    assert key.held is not None
    assert (key.held.terms.quota_bytes, key.held.used(key.lifetime).total) == (50 * GIB, 3 * GIB)
    assert key.held.terms.expires_at is not None
    assert (key.held.terms.expires_at - NOW).days == 20
    assert key.held.stop is None


@pytest.mark.parametrize("name", SHOPS)
def test_only_who_was_disabled_by_hand_is_disabled(name: str, tmp_path: Path) -> None:
    assert [key.name for key in planned(name, tmp_path).keys if not key.is_enabled] == ["disabled"]


@pytest.mark.parametrize("name", WITH_TERMS)
def test_who_was_stopped_is_stopped_by_terms(name: str, tmp_path: Path) -> None:
    made = planned(name, tmp_path)

    stops = {key.name: key.held.stop for key in made.keys if key.held is not None and key.held.stop is not None}
    assert stops == {"limited": Stop.CUT, "expired": Stop.EXPIRED}


@pytest.mark.parametrize("name", [name for name in WITH_TERMS if name not in WITHOUT_HOLD])
def test_who_waits_for_the_first_use_goes_on_waiting(name: str, tmp_path: Path) -> None:
    key = key_of(planned(name, tmp_path), "held")

    assert key.held is not None
    assert key.held.is_waiting
    assert key.held.terms.duration_s == 30 * parts.DAY_S


@pytest.mark.parametrize("name", WITH_TERMS)
def test_other_protocols_and_transports_are_named(name: str, tmp_path: Path) -> None:
    left = {one.name: {reason.what for reason in one.reasons} for one in planned(name, tmp_path).not_carried}

    assert What.PROTOCOL in left["other protocol"]
    assert What.TRANSPORT in left["other transport"]


@pytest.mark.parametrize("name", SHOPS)
def test_twins_are_both_refused(name: str, tmp_path: Path) -> None:
    assert {one.name for one in planned(name, tmp_path).collisions} == {"twin", "other twin"}


@pytest.mark.parametrize("name", CROWDS)
def test_two_thousand_customers_are_read(name: str, tmp_path: Path) -> None:
    made = plan(CROWDS[name](tmp_path, 2000), Existing(), now=NOW)

    assert made.counts["new"] == made.counts["customers"] == 2000
