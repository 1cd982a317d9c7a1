"""What ``keystead vpn connections`` asks for and how it shows it."""

import json

import pytest

from keystead.cli import connections
from tests.support.commands import Run
from tests.support.service import Service

ALL = "GET /v1/vpn/connections?limit=500"
LIVE = {
    "id": 9,
    "key_id": "0a1b",
    "key_number": 7,
    "address": "203.0.113.5",
    "port": 40001,
    "inbound_port": 443,
    "first_seen_at": "2026-11-21T16:00:00+00:00",
    "last_moved_at": "2026-11-21T16:00:09+00:00",
    "upload": 1000,
    "download": 5_000_000,
    "upload_per_s": 10,
    "download_per_s": 2048,
}


def test_everybody_who_is_connected_is_shown(run: Run, service: Service) -> None:
    service.will(ALL, {"items": [LIVE], "next": None})

    said = run("vpn", "connections")

    assert said.out.splitlines()[-1].split() == [
        *("7", "203.0.113.5", "40001", "2026-11-21", "16:00:00", "2026-11-21", "16:00:09"),
        *("1000", "B", "4.8", "MiB", "10", "B", "2.0", "KiB"),
    ]


def test_one_key_without_addresses_is_asked_for_as_such(run: Run, service: Service) -> None:
    hidden = {**LIVE, "address": None, "port": None}
    service.will("GET /v1/vpn/keys/7/connections?addresses=false&limit=500", {"items": [hidden], "next": None})

    said = run("vpn", "connections", 7, "--no-addresses", "--json")

    assert json.loads(said.out) == [hidden]


def test_nobody_is_said_in_words(run: Run, service: Service) -> None:
    service.will(ALL, {"items": [], "next": None})

    assert run("vpn", "connections").out == "Nobody is connected.\n"


@pytest.mark.parametrize(("options", "shown"), [((), "203.0.113.5"), (("--json",), '"key_number":7')])
def test_watching_a_pipe_prints_again_and_again_until_interrupted(
    run: Run, service: Service, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], shown: str
) -> None:
    service.will(ALL, {"items": [LIVE], "next": None})
    interrupts = iter((False, True))

    def pause() -> None:
        if next(interrupts):
            raise KeyboardInterrupt

    monkeypatch.setattr(connections, "_pause", pause)  # nobody has to wait, and a test cannot press Ctrl-C

    said = run("vpn", "connections", "--watch", *options)

    assert said.out.count(shown) == 2
    assert said.code == 0


def test_where_nobody_knows_the_reason_is_told(run: Run, service: Service) -> None:
    service.refuse(ALL, 501, "unsupported", "live connections are unknown: switched off")

    said = run("vpn", "connections")

    assert (said.code, said.err) == (1, "keystead: live connections are unknown: switched off\n")
