"""A plan is printed so that a person can approve it, and shows nothing that opens a door."""

import json
from pathlib import Path

import pytest

from keystead.importing import marzban, printing, remnawave, veilv2ray, xui
from keystead.importing.found import Found
from keystead.importing.planning import plan
from keystead.importing.planvalue import Existing
from tests.support.panels import marzban as marzban_panel
from tests.support.panels import parts
from tests.support.panels import remnawave as remnawave_panel
from tests.support.panels import veilv2ray as veilv2ray_panel
from tests.support.panels import xui as xui_panel
from tests.support.panels.parts import NOW


def found(place: Path) -> Found:
    return xui.read(xui_panel.shop().write(place / "x-ui.db"), now=NOW)


def test_the_text_has_counts_then_everybody_who_stays_behind(tmp_path: Path) -> None:
    lines = printing.as_text(plan(found(tmp_path), Existing(), now=NOW)).splitlines()

    assert lines[:7] == [
        "Import from 3x-ui as 3x-ui",
        "       10  customers of the source",
        "        6  are taken over",
        "        0  are here already",
        "        2  are refused: they collide with somebody or something",
        "        0  wait for an answer",
        "        2  cannot be carried",
    ]
    assert "  in-443: 0.0.0.0 port 443, hides behind www.example.com:443, new, 6 keys" in lines
    assert any(line.startswith("  other protocol: Trojan at inbound in-8443-trojan is not carried") for line in lines)
    assert any(line.startswith("  twin: to Xray its UUID is the same as that of other twin") for line in lines)


def test_a_question_and_a_part_left_behind_are_one_line_for_all(tmp_path: Path) -> None:
    panel = marzban_panel.Marzban(parts.inbound("A", 443), parts.inbound("B", 8443), parts.trojan("T", 2085))
    for number in range(1, 1001):
        both = {"vless": {"id": parts.uuid_of(number), "flow": ""}, "trojan": {"password": "x"}}
        panel.user(f"user {number}", number, proxies=both)
    source = marzban.read(*panel.write(tmp_path), now=NOW)

    asked = printing.as_text(plan(source, Existing(), now=NOW))
    answered = printing.as_text(plan(source, Existing(), now=NOW, prefer=["A"]))

    assert "1,000 customers, each connects through 2 inbounds whose links differ: A (port 443), B (port 8443)" in asked
    assert "Trojan at inbound T is not carried: Keystead serves VLESS: 1,000 customers: user 1, user 2" in answered
    assert max(len(asked.splitlines()), len(answered.splitlines())) < 20


@pytest.mark.parametrize("form", [printing.as_text, lambda made: json.dumps(printing.as_json(made))])
def test_no_uuid_key_or_token_is_shown(tmp_path: Path, form: object) -> None:
    assert callable(form)
    sources = [
        found(tmp_path),
        veilv2ray.read(*veilv2ray_panel.shop().write(tmp_path), now=NOW),
        remnawave.read(*remnawave_panel.shop().write(tmp_path), now=NOW),
    ]

    shown = "".join(form(plan(source, Existing(), now=NOW)) for source in sources)

    for source in sources:
        for customer in source.customers:
            assert customer.uuid is None or customer.uuid not in shown
            assert customer.subscription_token is None or customer.subscription_token.reveal() not in shown
    assert parts.pair().private_key.reveal() not in shown


def test_names_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    panel = xui_panel.Xui()
    panel.inbound("in-443", 443)
    panel.client("in-443", "evil\x1b]0;owned\x07\nnew line", 1, limitIp=3)

    shown = printing.as_text(plan(xui.read(panel.write(tmp_path / "x.db"), now=NOW), Existing(), now=NOW))

    assert "\x1b" not in shown
    assert "\nnew line" not in shown


def test_the_json_names_everybody_and_their_terms(tmp_path: Path) -> None:
    made = plan(found(tmp_path), Existing(), now=NOW)

    shown = json.loads(json.dumps(printing.as_json(made)))

    normal = next(key for key in shown["new"] if key["name"] == "normal")
    assert (normal["quota_bytes"], normal["used_bytes"]) == (50 * parts.GIB, 3 * parts.GIB)
    assert {key["name"]: key["stop"] for key in shown["new"] if key["stop"]} == {"limited": "cut", "expired": "expired"}
    assert (shown["digest"], shown["counts"]) == (made.digest, made.counts)
    assert len(shown["new"]) + len(shown["collisions"]) + len(shown["not_carried"]) == 10
