"""``keystead webhook``: what it asks the service for, what it says, and how it ends."""

from typing import Any

from tests.support.commands import Run
from tests.support.service import Service

WEBHOOK: dict[str, Any] = {
    "id": 1,
    "url": "https://example.com/hook",
    "description": "shop",
    "events": [],
    "is_enabled": True,
    "disabled_reason": None,
    "failures": 0,
    "failing_since": None,
    "previous_secret_until": None,
    "created_at": "2026-11-21T16:00:00+00:00",
}
DELIVERY: dict[str, Any] = {
    "number": 7,
    "event_id": "evt_1",
    "event": "webhook.test",
    "subject": "webhook 1",
    "state": "delivered",
    "attempts": 1,
    "body": "{}",
    "created_at": "2026-11-21T16:00:00+00:00",
    "next_attempt_at": None,
    "ended_at": "2026-11-21T16:00:01+00:00",
}
ARRIVED = {**DELIVERY, "log": [{"at": "2026-11-21T16:00:00Z", "status": 204, "problem": None, "duration_ms": 12}]}
FAILED = {
    **DELIVERY,
    "state": "waiting",
    "next_attempt_at": "2026-11-21T16:00:05Z",
    "log": [{"at": "2026-11-21T16:00:00Z", "status": None, "problem": "no answer in time", "duration_ms": 15000}],
}


def test_add_prints_the_secret_alone_on_standard_output(run: Run, service: Service) -> None:
    service.will("POST /v1/webhooks", {**WEBHOOK, "secret": "whsec_AAAA"}, 201)

    said = run("webhook", "add", "https://example.com/hook", "--event", "vpn.key.cut", "--event", "engine.down")

    assert (said.code, said.out) == (0, "whsec_AAAA\n")
    assert "shown this once" in said.err
    wanted = {"url": "https://example.com/hook", "events": ["vpn.key.cut", "engine.down"], "description": ""}
    assert service.asked == [("POST /v1/webhooks", wanted)]


def test_a_test_says_how_it_went_and_ends_with_it(run: Run, service: Service) -> None:
    service.will("POST /v1/webhooks/1/test", ARRIVED)
    service.will("POST /v1/webhooks/2/test", FAILED)

    good, bad, read = run("webhook", "test", 1), run("webhook", "test", 2), run("webhook", "test", 2, "--json")

    assert good.code == 0
    assert good.out.splitlines()[2] == "  2026-11-21 16:00:00 UTC, 12 ms: status 204"
    assert bad.code == 1
    assert "no answer in time" in bad.out
    assert "next attempt 2026-11-21 16:00:05 UTC" in bad.out
    assert (read.code, read.json) == (1, FAILED)


def test_redeliver_and_the_log(run: Run, service: Service) -> None:
    service.will("POST /v1/webhooks/1/deliveries/7/redeliver", ARRIVED)
    service.will("GET /v1/webhooks/1/deliveries/7", FAILED)
    service.will("GET /v1/webhooks/1/deliveries?state=waiting&limit=50", {"items": [DELIVERY], "next": None})

    assert run("webhook", "redeliver", 1, 7).code == 0
    assert run("webhook", "delivery", 1, 7).code == 0
    listed = run("webhook", "deliveries", 1, "--state", "waiting")
    assert "webhook.test" in listed.out


def test_list_show_and_changes(run: Run, service: Service) -> None:
    service.will("GET /v1/webhooks?limit=500", {"items": [WEBHOOK], "next": None})
    service.will("GET /v1/webhooks/1", WEBHOOK)
    service.will("PATCH /v1/webhooks/1", {**WEBHOOK, "is_enabled": False})
    service.will("POST /v1/webhooks/1/secret", {**WEBHOOK, "secret": "whsec_BBBB"})
    service.will("DELETE /v1/webhooks/1", None, 204)

    assert "every event" in run("webhook", "list").out
    assert "every event" in run("webhook", "show", 1).out
    assert run("webhook", "disable", 1).code == run("webhook", "enable", 1).code == 0
    assert run("webhook", "rotate", 1).out == "whsec_BBBB\n"
    assert run("webhook", "rm", 1, "--yes").code == 0
    changes = [body for request, body in service.asked if request.startswith("PATCH")]
    assert changes == [{"is_enabled": False}, {"is_enabled": True}]
