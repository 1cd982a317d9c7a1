"""What commands about customers' programs and devices ask and show, and how an upgrade that locks out is approved."""

from typing import Any

import pytest

from tests.support.commands import Run
from tests.support.service import Service

REPLACEMENT = "/v1/engines/xray/main/replacement"
FAMILY = {
    "family": "sing-box",
    "programs": "sing-box (SFA)",
    "outcome": "refused",
    "reason": "it is old",
    "given": "sing-box",
    "reads": ["sing-box"],
    "names_device": False,
    "sources": [],
}
FOUND = {"core": "26.7.28", "client_versions": "compatible", "client_versions_wanted": "strict", "forms": []}
DEVICE = {
    "id": 3,
    "system": "iOS 18",
    "model": "",
    "first_at": "2026-11-21T16:00:00+00:00",
    "last_at": "2026-11-22T16:00:00+00:00",
}


def test_the_families_of_all_customers_are_shown_with_their_number(run: Run, service: Service) -> None:
    shown = {**FOUND, "families": [{**FAMILY, "customers": 12}], "other_customers": 2}
    service.will("GET /v1/vpn/compatibility", shown)

    said = run("vpn", "compat")

    assert "Xray 26.7.28, client versions compatible" in said.out
    assert "the setting says strict, which waits for an approval: keystead engine upgrade" in said.out
    row = next(line for line in said.out.splitlines() if line.startswith("sing-box"))
    assert row.split() == ["sing-box", "(SFA)", "no", "sing-box", "12", "it", "is", "old"]
    assert "2 customers used other programs" in said.out


def test_the_families_of_one_key_are_shown_with_when_they_polled(run: Run, service: Service) -> None:
    key = {"key_id": "0a1b", "key_number": 7, "is_active": False}
    used = {**FAMILY, "last_used_at": "2026-11-21T16:00:00+00:00"}
    service.will("GET /v1/vpn/keys/7/compatibility", {**FOUND, **key, "families": [used]})

    said = run("vpn", "compat", "7")

    assert "2026-11-21 16:00:00" in said.out
    assert "the key is not active" in said.out


def test_devices_are_listed_and_forgotten(run: Run, service: Service) -> None:
    service.will("GET /v1/vpn/keys/7/devices", {"device_limit": 2, "items": [DEVICE]})
    service.will("DELETE /v1/vpn/keys/7/devices", {"forgotten": 2})
    service.will("DELETE /v1/vpn/keys/7/devices/3", None, 204)

    listed, one, every = [
        run("vpn", "devices", *rest) for rest in (("list", "7"), ("forget", "7", "3"), ("forget", "7", "--yes"))
    ]

    assert "1 of 2 devices" in listed.out
    assert "iOS 18" in listed.out
    assert (one.out, every.out) == ("devices forgotten: 1\n", "devices forgotten: 2\n")


def plan(**more: Any) -> dict[str, Any]:
    return {"is_needed": True, "digest": "abc", "text": "upgrade xray/main", "losses": [{"customers": 3}], **more}


@pytest.mark.parametrize("options", [("--yes",), ()])
def test_an_upgrade_that_locks_customers_out_is_not_approved_by_yes(
    run: Run, service: Service, options: tuple[str, ...]
) -> None:
    service.will(f"POST {REPLACEMENT}", plan())

    said = run("engine", "upgrade", *options)

    assert (said.code, len(service.asked)) == (1, 1)
    assert "approve it by its digest: --approve abc" in said.err
    assert "digest         abc" in said.out


def test_a_plan_of_another_digest_than_was_read_is_not_done(run: Run, service: Service) -> None:
    service.will(f"POST {REPLACEMENT}", plan())

    said = run("engine", "upgrade", "--approve", "abd")

    assert (said.code, len(service.asked)) == (1, 1)
    assert "its digest is abc now" in said.err


def test_the_digest_that_was_read_approves(run: Run, service: Service) -> None:
    service.will(f"POST {REPLACEMENT}", plan())
    service.will(f"GET {REPLACEMENT}", {"serial": 1, "phase": "done", "message": "", "left": 0})

    said = run("engine", "upgrade", "--approve", "abc")

    assert said.code == 0, said.err
    bodies = [body for request, body in service.asked if request.startswith("POST")]
    assert bodies[1] == {"kind": "upgrade", "has_new_keeper": False, "digest": "abc"}
