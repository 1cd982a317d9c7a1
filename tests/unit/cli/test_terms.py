"""What commands ask about terms and plans, and how people write and read amounts."""

from typing import Any

import pytest
import typer

from keystead.cli import amounts
from tests.support.commands import Run
from tests.support.service import Service

TERMS = {
    "plan": "monthly",
    "quota_bytes": 50_000_000_000,
    "used_bytes": 1024,
    "left_bytes": 1,
    "topped_up_bytes": 2048,
    "at_limit": "slow",
    "slow_to_bytes_s": 125_000,
    "limit_reached_at": None,
    "warn_at": [80, 95],
    "warned": 0,
    "speed_bytes_s": 2_500_000,
    "speed_in_force_bytes_s": 2_500_000,
    "reset": "month",
    "reset_days": None,
    "reset_day": 1,
    "time_zone": "Europe/Moscow",
    "period_began_at": "2026-11-01T00:00:00Z",
    "next_reset_at": "2026-12-01T00:00:00Z",
    "duration_s": 2_592_000,
    "expires_at": None,
    "expired_at": None,
    "address_limit": None,
    "device_limit": None,
}
KEY = {"number": 7, "id": "0a1b", "name": "anna", "state": "active", "terms": TERMS, "created_at": None}
PLAN = {"name": "monthly", "starts": "first_use", "placement": "own-port", "created_at": None} | {
    name: TERMS[name]
    for name in (
        *("quota_bytes", "at_limit", "slow_to_bytes_s", "warn_at", "speed_bytes_s", "reset", "reset_days"),
        *("reset_day", "time_zone", "duration_s", "expires_at", "address_limit", "device_limit"),
    )
}


def test_terms_are_written_as_people_do(run: Run, service: Service) -> None:
    service.will("PATCH /v1/vpn/keys/7/terms", KEY)

    said = run("vpn", "key", "set", "7", "quota=50GB", "speed=20Mbit/s", "for=30d", "warn=80,95", "until=none")

    assert said.code == 0, said.err
    assert service.asked == [
        (
            "PATCH /v1/vpn/keys/7/terms",
            {
                "quota_bytes": 50_000_000_000,
                "speed_bytes_s": 2_500_000,
                "duration_s": 2_592_000,
                "warn_at": [80, 95],
                "expires_at": None,
            },
        )
    ]
    assert "1.0 KiB of 46.6 GiB and 2.0 KiB topped up" in said.out
    assert "20 Mbit/s" in said.out
    assert "30d after its first use" in said.out


def test_a_key_is_issued_with_a_plan_and_terms_beside_it(run: Run, service: Service) -> None:
    service.will("POST /v1/vpn/keys", KEY, 201)
    service.will("GET /v1/vpn/keys/0a1b/link", {"id": "0a1b", "link": "vless://x"})

    run("vpn", "key", "add", "anna", "quota=1GiB", "--plan", "monthly", "--json")

    assert service.asked[0][1] == {"name": "anna", "plan": "monthly", "terms": {"quota_bytes": 1_073_741_824}}


@pytest.mark.parametrize(
    ("command", "request_line", "body"),
    [
        (("extend", "7", "30"), "POST /v1/vpn/keys/7/extend", {"days": 30}),
        (("extend", "7", "30d"), "POST /v1/vpn/keys/7/extend", {"days": 30}),
        (("extend", "7", "2w"), "POST /v1/vpn/keys/7/extend", {"days": 14}),
        (("extend", "7", "48h"), "POST /v1/vpn/keys/7/extend", {"days": 2}),
        (("topup", "7", "10GB"), "POST /v1/vpn/keys/7/top-up", {"bytes": 10_000_000_000}),
    ],
)
def test_a_grant_says_how_the_key_stands(
    run: Run, service: Service, command: tuple[str, ...], request_line: str, body: dict[str, Any]
) -> None:
    service.will(request_line, KEY)

    said = run("vpn", "key", *command, "--request-id", "order-7")

    assert said.code == 0, said.err
    assert service.asked == [(request_line, body)]
    assert "active" in said.out


def test_plans_are_made_listed_and_removed(run: Run, service: Service) -> None:
    service.will("POST /v1/vpn/plans", PLAN, 201)
    service.will("GET /v1/vpn/plans", {"items": [PLAN]})
    service.will("PATCH /v1/vpn/plans/50%20GB", PLAN)
    service.will("DELETE /v1/vpn/plans/50%20GB", None, 204)

    outcomes = [
        run(
            "vpn",
            "plan",
            "add",
            "monthly",
            "quota=50GB",
            "reset=month",
            "time-zone=Europe/Moscow",
            "--placement",
            "own-port",
        ),
        run("vpn", "plan", "list"),
        run("vpn", "plan", "set", "50 GB", "starts=first-use", "--placement", "none"),
        run("vpn", "plan", "rm", "50 GB", "--yes"),
    ]

    assert [outcome.code for outcome in outcomes] == [0] * 4
    assert "month of Europe/Moscow" in outcomes[1].out
    assert service.asked[0][1]["placement"] == "own-port"
    assert service.asked[2][1] == {"starts": "first_use", "placement": None}


@pytest.mark.parametrize(
    "term", ["quota", "qouta=5", "speed=20", "for=30", "until=soon", "warn=a", "quota=1X", "reset-day=x"]
)
def test_a_term_that_cannot_be_read_asks_nothing(run: Run, service: Service, term: str) -> None:
    said = run("vpn", "key", "set", "7", term)

    assert said.code == 2
    assert service.asked == []


@pytest.mark.parametrize(
    ("text", "count"),
    [("5", 5), ("1KB", 1000), ("1KiB", 1024), ("1.5 GB", 1_500_000_000), ("2T", 2 * 10**12), ("50gib", 50 * 2**30)],
)
def test_sizes(text: str, count: int) -> None:
    assert amounts.size(text) == count


@pytest.mark.parametrize(("text", "count"), [("20Mbit/s", 2_500_000), ("500 Kbit", 62_500), ("1Gbit/s", 125_000_000)])
def test_rates(text: str, count: int) -> None:
    assert amounts.rate(text) == count


def test_days_are_whole() -> None:
    assert [amounts.days(text) for text in ("30", "30d", "2w", "48h")] == [30, 30, 14, 2]
    for text in ("12h", "-3", "a month"):
        with pytest.raises(typer.BadParameter, match="is not whole days; write 30, 30d or 2w"):
            amounts.days(text)


def test_moments_without_an_offset_are_utc() -> None:
    assert amounts.moment("2027-12-31") == "2027-12-31T00:00:00+00:00"
    assert amounts.moment("2027-12-31T18:00+03:00") == "2027-12-31T18:00:00+03:00"
    with pytest.raises(typer.BadParameter):
        amounts.moment("tomorrow")
