"""Remnawave's own facts: squads, profiles, the flow that is nowhere said, periods and tokens."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from keystead.importing import remnawave
from keystead.importing.found import FoundCustomer, What
from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.vpn.accounting import Bytes
from keystead.vpn.periods import Period, Reset
from tests.support.panels import parts
from tests.support.panels.parts import GIB, NOW, VISION
from tests.support.panels.remnawave import FAR, Remnawave, iso, own_id


def single(tmp_path: Path, *inbounds: dict[str, Any], **user: object) -> FoundCustomer:
    """Read a panel with one user, who is in a squad with all inbounds."""
    panel = Remnawave()
    made = inbounds or (parts.inbound("A", 443),)
    panel.profile("main", *made)
    panel.squad("all", *(inbound["tag"] for inbound in made))
    panel.user("anna", 1, "all", **user)  # type: ignore[arg-type]
    [customer] = remnawave.read(*panel.write(tmp_path), now=NOW).customers
    return customer


def test_a_user_is_known_by_its_own_id_and_polls_by_its_short_one(tmp_path: Path) -> None:
    customer = single(tmp_path)

    assert (customer.source_id, customer.uuid) == (own_id(1), parts.uuid_of(1))
    assert customer.subscription_token == Secret("short00000000001")
    assert customer.terms.expires_at == FAR


@pytest.mark.parametrize(("said", "flow"), [(None, VISION), (VISION, VISION), ("", ""), ("other", "")])
def test_the_flow_is_vision_unless_the_inbound_says_otherwise(tmp_path: Path, said: str | None, flow: str) -> None:
    settings = {"clients": [], "decryption": "none"} | ({} if said is None else {"flow": said})

    customer = single(tmp_path, parts.inbound("A", 443, settings=settings))

    assert [link.flow for link in customer.links] == [flow]


@pytest.mark.parametrize(
    ("strategy", "period"),
    [
        ("NO_RESET", Period()),
        ("DAY", Period(Reset.DAY)),
        ("WEEK", Period(Reset.WEEK)),
        ("MONTH", Period(Reset.MONTH)),
        ("MONTH_ROLLING", Period(Reset.MONTH, month_day=31)),
    ],
)
def test_a_strategy_is_a_period_of_the_calendar(tmp_path: Path, strategy: str, period: Period) -> None:
    created = iso(datetime(2025, 12, 31, 20, tzinfo=UTC))

    assert single(tmp_path, trafficLimitStrategy=strategy, createdAt=created).terms.period == period


@pytest.mark.parametrize("created", [None, "yesterday", "2024-13-99T00:00:00Z"])
def test_a_user_whose_creation_is_unclear_comes_along(tmp_path: Path, created: str | None) -> None:
    customer = single(tmp_path, trafficLimitStrategy="MONTH_ROLLING", createdAt=created)

    assert (customer.uuid, customer.created_at) == (parts.uuid_of(1), None)
    assert customer.terms.period == Period(Reset.MONTH, month_day=NOW.day)
    assert "day of the month of the import" in customer.not_carried[-1].sentence


def test_older_versions_have_the_traffic_in_the_user_itself(tmp_path: Path) -> None:
    old = {"userTraffic": None, "usedTrafficBytes": GIB, "lifetimeUsedTrafficBytes": 5 * GIB}

    terms = single(tmp_path, **old).terms

    assert (terms.used, terms.lifetime) == (Bytes(0, GIB), Bytes(0, 5 * GIB))


def test_of_several_profiles_one_has_to_be_named(tmp_path: Path) -> None:
    panel = Remnawave()
    panel.profile("berlin", parts.inbound("A", 443))
    panel.profile("oslo", parts.inbound("B", 443))
    panel.squad("all", "A", "B")
    panel.user("anna", 1, "all")
    files = panel.write(tmp_path)

    with pytest.raises(Invalid, match="there are: berlin, oslo"):
        remnawave.read(*files, now=NOW)
    [customer] = remnawave.read(*files, profile="oslo", now=NOW).customers
    assert [link.inbound for link in customer.links] == ["B"]
    assert customer.not_carried[0].what is What.MACHINE


def test_a_page_of_the_users_is_not_enough(tmp_path: Path) -> None:
    panel = Remnawave()
    panel.profile("main", parts.inbound("A", 443))
    panel.squad("all", "A")
    for number in range(1, 4):
        panel.user(f"user {number}", number, "all")
    users, squads, profiles = panel.write(tmp_path)
    parts.write_json(users, {"response": {"users": panel.users[:2], "total": 3}})

    with pytest.raises(Invalid, match="holds 2 of 3 users; export all of them"):
        remnawave.read(users, squads, profiles, now=NOW)


@pytest.mark.parametrize("user", [{"status": "ON_HOLD"}, {"trafficLimitStrategy": "YEAR"}, {"expireAt": "soon"}])
def test_a_user_that_makes_no_sense_is_listed(tmp_path: Path, user: dict[str, object]) -> None:
    customer = single(tmp_path, **user)

    assert (customer.links, customer.not_carried[0].what) == ((), What.RECORD)


def test_a_user_in_no_squad_is_told(tmp_path: Path) -> None:
    alone = single(tmp_path, activeInternalSquads=[])

    assert alone.not_carried[0].sentence == "is in no internal squad that has inbounds"


@pytest.mark.parametrize(
    ("written", "carried"), [(3, 3), (100, 100), (0, None), (None, None), (101, None), ("3", None)]
)
def test_a_limit_of_devices_comes_along(tmp_path: Path, written: object, carried: int | None) -> None:
    customer = single(tmp_path, hwidDeviceLimit=written)

    assert customer.terms.device_limit == carried
    assert bool(customer.not_carried) is (written in (101, "3"))
