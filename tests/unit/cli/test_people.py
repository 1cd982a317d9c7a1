"""The commands about accounts and people: what they ask the service for, and what they say."""

from typing import Any

import pytest

from tests.support.commands import Run
from tests.support.service import Service

ANNA = {"id": 4, "login": "anna@example.com", "is_active": True, "created_at": "2026-11-21T16:00:00+00:00"}
LINK = {
    "id": 1,
    "login": "anna@example.com",
    "expires_at": "2026-11-28T16:00:00+00:00",
    "is_mailed": False,
    "secret": "ks_invite_x",
    "address": None,
}
ACCOUNT = {
    "id": 2,
    "name": "north",
    "plan": "pro",
    "is_house": False,
    "is_active": True,
    "created_at": "2026-11-21T16:00:00+00:00",
}


@pytest.fixture
def service(service: Service) -> Service:
    service.will("GET /v1/users?limit=500", {"items": [ANNA], "next": None})
    return service


def test_an_invitation_is_printed_alone_for_programs_to_read(run: Run, service: Service) -> None:
    service.will("POST /v1/invitations", LINK, 201)

    said = run("user", "invite", "anna@example.com", "--role", "editor")

    assert said.out == "ks_invite_x\n"
    assert "until 2026-11-28 16:00:00 UTC" in said.err
    assert service.asked[-1][1] == {"login": "anna@example.com", "role": "editor"}


def test_what_went_by_mail_is_not_printed(run: Run, service: Service) -> None:
    service.will("POST /v1/users/4/reset-link", LINK | {"is_mailed": True, "secret": None}, 201)

    assert run("user", "reset-password", "anna@example.com").out.startswith("sent to anna@example.com")


def test_an_address_is_printed_where_links_lead_somewhere(run: Run, service: Service) -> None:
    service.will("POST /v1/users/4/reset-link", LINK | {"address": "https://app/#reset=ks_reset_x"}, 201)

    assert run("user", "reset-password", 4).out == "https://app/#reset=ks_reset_x\n"


@pytest.mark.parametrize(
    ("arguments", "request_", "answer", "shown"),
    [
        (("user", "sign-out", "4"), "DELETE /v1/users/4/sessions", {"ended": 2}, "sessions ended: 2"),
        (("user", "totp-off", "4", "--yes"), "DELETE /v1/users/4/second-factor", None, "password alone"),
        (("user", "remove", "4", "--yes"), "DELETE /v1/members/4", None, "no longer a member"),
        (("user", "uninvite", "1"), "DELETE /v1/invitations/1", None, "withdrawn"),
        (("secrets", "rotate-signing-key", "--leaked"), "POST /v1/signing-key/rotate", {"kid": "v1-x"}, "v1-x"),
        (("account", "change", "2", "--suspend"), "PATCH /v1/accounts/2", ACCOUNT, "north"),
        (("account", "create", "north"), "POST /v1/accounts", ACCOUNT | {"invitation": None}, "plan pro"),
        (("account", "create", "north"), "POST /v1/accounts", ACCOUNT | {"invitation": LINK}, "ks_invite_x"),
        (
            ("account", "limit", "free", "members", "none"),
            "PATCH /v1/account-plans/free",
            {"name": "free", "limits": {"members": None}},
            "none",
        ),
    ],
)
def test_a_command_asks_and_says(
    run: Run, service: Service, arguments: tuple[str, ...], request_: str, answer: Any, shown: str
) -> None:
    service.will(request_, answer)

    said = run(*arguments)

    assert said.code == 0, said.err
    assert shown in said.out


@pytest.mark.parametrize(
    ("arguments", "path", "items", "shown"),
    [
        (("account", "list"), "/v1/accounts?limit=500", [ACCOUNT], "north"),
        (("account", "plans"), "/v1/account-plans", [{"name": "free", "limits": {"members": 3}}], "members"),
        (("user", "invitations"), "/v1/invitations?limit=500", [LINK | {"role": "editor"}], "editor"),
        (
            ("user", "sessions", "4"),
            "/v1/users/4/sessions",
            [{"address": "192.0.2.1", "user_agent": "Firefox", "created_at": None, "last_seen_at": None}],
            "Firefox",
        ),
    ],
)
def test_a_list_is_a_table(
    run: Run, service: Service, arguments: tuple[str, ...], path: str, items: list[Any], shown: str
) -> None:
    service.will(f"GET {path}", {"items": items, "next": None})

    assert shown in run(*arguments).out


@pytest.mark.parametrize("arguments", [("account", "change", "2"), ("account", "limit", "free", "members", "many")])
def test_what_makes_no_sense_is_not_asked(run: Run, service: Service, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).code == 1
    assert service.asked == []


def test_a_token_of_an_owner_has_no_list_of_permissions(run: Run, service: Service) -> None:
    token = {"id": 3, "name": "bot", "secret": "ks_api_x"}
    service.will("POST /v1/tokens", token, 201)

    assert run("token", "create", "bot", "--permission", "owner").out == "ks_api_x\n"

    assert service.asked[-1][1]["is_owner"] is True
    assert service.asked[-1][1]["permissions"] == []
