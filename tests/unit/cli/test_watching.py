"""``keystead provider`` for HostTracker and Google Analytics: what it asks the service for, and what it says."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Run
from tests.support.service import Service

MONITORS = "/v1/providers/hosttracker/credentials/7/monitors"
PROPERTIES = "/v1/providers/google_analytics/credentials/8/properties"
MONITOR = {
    "id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "name": "Shop",
    "type": "http",
    "url": "https://example.com",
    "state": "down",
    "is_enabled": True,
    "since": "2026-09-21T14:13:20Z",
    "interval_s": 60,
}


def field(name: str, *, is_json: bool = False) -> dict[str, Any]:
    return {"name": name, "hint": name, "is_json": is_json}


@pytest.fixture
def google(service: Service) -> Service:
    ways = [
        [field("service_account", is_json=True)],
        [field("refresh_token"), field("client_id"), field("client_secret")],
    ]
    one = {"id": "google_analytics", "title": "Google Analytics", "capabilities": [], "ways": ways}
    service.will("GET /v1/providers", {"items": [one]})
    return service


def test_a_secret_of_several_fields_is_piped_in_a_line_each(run: Run, google: Service) -> None:
    google.will("POST /v1/providers/google_analytics/credentials", {"id": 8, "alias": "ga", "account": {}}, 201)

    said = run("provider", "connect", "google_analytics", "--with", "refresh_token", stdin="r\ni\ns\n")

    assert (said.code, said.out) == (0, "key 8: ga\n")
    assert google.asked[-1][1]["secret"] == {"refresh_token": "r", "client_id": "i", "client_secret": "s"}


def test_neither_a_file_nor_an_unknown_field_will_do_for_several(run: Run, google: Service, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("r\n", "utf-8")
    connect = ("provider", "connect", "google_analytics")

    assert run(*connect, "--with", "refresh_token", "--secret-file", file).code == 1
    assert run(*connect, "--with", "password", stdin="x\n").code == 5
    assert [asked[0] for asked in google.asked] == ["GET /v1/providers"] * 2


def test_monitors_are_listed_with_their_states(run: Run, service: Service) -> None:
    counts = {"up": 0, "down": 1, "paused": 0, "maintenance": 0}
    service.will(f"GET {MONITORS}", {"items": [MONITOR], "counts": counts})

    said = run("provider", "monitors", "7")

    assert "https://example.com" in said.out
    assert said.out.endswith("0 up, 1 down, 0 paused, 0 maintenance\n")
    assert run("provider", "monitors", "7", "--json").json["counts"] == counts


def test_a_monitor_is_made_and_deleted(run: Run, service: Service) -> None:
    service.will(f"POST {MONITORS}", MONITOR, 201)
    service.will(f"DELETE {MONITORS}/{MONITOR['id']}", None, 204)

    made = run("provider", "monitor-add", "7", "https://example.com", "--name", "Shop", "--interval", "60")
    asked = service.asked[-1][1]
    gone = run("provider", "monitor-rm", "7", str(MONITOR["id"]), "--yes")

    assert made.out == f"monitor {MONITOR['id']}: https://example.com, down\n"
    assert asked == {"url": "https://example.com", "type": "http", "name": "Shop", "interval_s": 60}
    assert gone.out == f"monitor {MONITOR['id']} is deleted\n"


def test_properties_days_and_realtime_are_told(run: Run, service: Service) -> None:
    named = {"id": "5", "name": "Shop", "account": "Example", "kind": "ordinary"}
    day = {"day": "2026-11-01", "active_users": 5123, "new_users": 2, "sessions": 9, "views": 30}
    service.will(f"GET {PROPERTIES}", {"items": [named]})
    service.will(f"GET {PROPERTIES}/5/report?first=2026-11-01", {"items": [day]})
    service.will(f"GET {PROPERTIES}/5/realtime", {"active_users": 42, "minutes": 30})

    assert "Shop" in run("provider", "properties", "8").out
    assert "5123" in run("provider", "report", "8", "5", "--first", "2026-11-01").out
    assert run("provider", "realtime", "8", "5").out == "42 within 30 minutes\n"
