"""What commands ask the service for, what they say, and the code they end with."""

import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from keystead.cli import access
from keystead.cli.commands import app
from keystead.kit.errors import Invalid
from keystead.kit.files import socket_directory
from tests.support.commands import Run
from tests.support.service import Service, serving

HEAVY = {"fastapi", "grpc", "sqlalchemy", "pydantic", "httpx2", "cryptography", "uvicorn"}
KEY = {
    "id": "0a1b",
    "number": 7,
    "name": "anna",
    "uuid": "u-u",
    "placement": "shared",
    "short_id": "7bb45050",
    "server_name": "example.com",
    "flow": "xtls-rprx-vision",
    "is_active": True,
    "is_enabled": True,
    "state": "active",
    "created_at": "2026-11-21T16:00:00+00:00",
    "terms": None,
    "online": 1,
    "last_seen_at": "2026-11-21T17:00:00+00:00",
    "addresses": ["203.0.113.5"],
}
TOKEN = {
    "id": 3,
    "name": "bot",
    "hint": "ks_api_abc",
    "permissions": ["vpn.keys.read"],
    "addresses": [],
    "expires_at": None,
    "last_used_at": None,
    "revoked_at": None,
}


def test_help_loads_nothing_heavy() -> None:
    script = "import sys; from keystead.cli.commands import app\ntry: app(['--help'])\nfinally: print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert "Usage:" in loaded
    assert HEAVY & set(loaded.split()) == set()


def test_every_command_says_what_it_does_and_answers_programs() -> None:
    commands = dict(walk(typer.main.get_command(app), "keystead"))

    assert [name for name, command in commands.items() if not command.help] == []
    assert {
        name
        for name, command in commands.items()
        if not any("--json" in parameter.opts for parameter in command.params)
    } == {"keystead serve"}


@pytest.mark.parametrize("command", [("token", "create"), ("user", "create"), ("vpn", "key", "list")])
def test_help_speaks_of_values_and_not_of_python_types(run: Run, command: tuple[str, ...]) -> None:
    shown = run(*command, "--help").out

    assert "list[" not in shown
    assert "range" not in shown.replace("address or range", "")


def walk(command: object, name: str) -> list[tuple[str, object]]:
    if not isinstance(command, TyperGroup):
        return [(name, command)]
    return [found for sub, child in command.commands.items() for found in walk(child, f"{name} {sub}")]


def test_add_prints_the_key_with_its_link(run: Run, service: Service) -> None:
    service.will("POST /v1/vpn/keys", KEY, 201)
    service.will("GET /v1/vpn/keys/0a1b/link", {"id": "0a1b", "link": "vless://x"})

    said = run("vpn", "key", "add", "anna", "--json")

    assert said.code == 0
    assert said.json == {**KEY, "link": "vless://x"}
    assert service.asked[0] == ("POST /v1/vpn/keys", {"name": "anna"})


def test_list_follows_every_page(run: Run, service: Service) -> None:
    service.will("GET /v1/vpn/keys?addresses=false&limit=500", {"items": [KEY], "total": 2, "next": 7})
    service.will(
        "GET /v1/vpn/keys?addresses=false&limit=500&after=7",
        {"items": [{**KEY, "number": 8}], "total": 2, "next": None},
    )

    said = run("vpn", "key", "list")

    assert [line.split()[0] for line in said.out.splitlines()[2:]] == ["7", "8"]


def test_a_name_cannot_command_the_terminal(run: Run, service: Service) -> None:
    evil = {**KEY, "name": "\x1b]0;owned\x07\u202eanna"}
    service.will("GET /v1/vpn/keys?addresses=false&limit=500", {"items": [evil], "total": 1, "next": None})
    service.will("GET /v1/vpn/keys/7", evil)

    said = run("vpn", "key", "list").out + run("vpn", "key", "show", 7).out

    assert said.count("\\x1b]0;owned\\x07\\u202eanna") == 2
    assert not {"\x1b", "\x07", "\u202e"} & set(said)


def test_a_table_in_a_pipe_cuts_nothing(run: Run, service: Service) -> None:
    name = "a very long name " * 10
    service.will("GET /v1/vpn/keys?addresses=false&limit=1", {"items": [{**KEY, "name": name}], "total": 1, "next": 7})

    said = run("vpn", "key", "list", "--limit", 1)

    assert name.strip() in said.out


@pytest.mark.parametrize("command", [("list", "--limit", 1), ("show", 7)])
def test_a_name_does_nothing_to_the_terminal(run: Run, service: Service, command: tuple[object, ...]) -> None:
    key = {**KEY, "name": "\x1b]0;title\x07 \u202eRTL\nid 9 \u2028 👩\u200d👧 Анна"}
    service.will("GET /v1/vpn/keys?addresses=false&limit=1", {"items": [key], "total": 1, "next": None})
    service.will("GET /v1/vpn/keys/7", key)

    said = run("vpn", "key", *command)

    assert "\\x1b]0;title\\x07 \\u202eRTL\\nid 9 \\u2028 👩\u200d👧 Анна" in said.out


def test_an_empty_list_says_what_to_type_next(run: Run, service: Service) -> None:
    service.will("GET /v1/vpn/keys?addresses=false&limit=500", {"items": [], "total": 0, "next": None})

    assert "keystead vpn key add" in run("vpn", "key", "list").out
    assert run("vpn", "key", "list", "--json").json == []


def test_a_qr_code_is_drawn_and_the_link_stays_copyable(run: Run, service: Service) -> None:
    service.will("GET /v1/vpn/keys/7/link", {"id": "0a1b", "link": "vless://x"})

    said = run("vpn", "key", "link", 7, "--qr")

    assert said.out.splitlines()[0] == "vless://x"
    assert len(said.out.splitlines()) > 10


@pytest.mark.parametrize(
    ("command", "request_", "body"),
    [
        (("rm", 7, "--yes"), "DELETE /v1/vpn/keys/7", None),
        (("disable", 7), "PATCH /v1/vpn/keys/7", {"is_active": False}),
        (("enable", 7), "PATCH /v1/vpn/keys/7", {"is_active": True}),
        (("rename", 7, "eva"), "PATCH /v1/vpn/keys/7", {"name": "eva"}),
        (("show", 7), "GET /v1/vpn/keys/7", None),
        (("traffic", 7), "GET /v1/vpn/keys/7/traffic", None),
        (
            ("history", 7, "--by", "day", "--from", "2026-03-01"),
            "GET /v1/vpn/keys/7/traffic/history?step=day&from=2026-03-01T00%3A00%3A00%2B00%3A00",
            None,
        ),
        (("traffic", 7, "--reset"), "POST /v1/vpn/keys/7/traffic/reset", None),
        (("subscription", 7), "GET /v1/vpn/keys/7/subscription", None),
        (("subscription", 7, "--replace", "--yes"), "POST /v1/vpn/keys/7/subscription/replace", None),
        (("subscription", 7, "--revoke", "--yes"), "DELETE /v1/vpn/keys/7/subscription", None),
    ],
)
def test_each_verb_of_a_key_is_one_request(
    run: Run, service: Service, command: tuple[object, ...], request_: str, body: object
) -> None:
    service.will(request_, {**KEY, "url": "https://x/sub/y", "items": []})

    said = run("vpn", "key", *command)

    assert said.code == 0, said.err
    assert service.asked == [(request_, body)]


def test_history_is_a_table_or_comma_separated_values(run: Run, service: Service) -> None:
    bucket = {"start": "2026-03-01T12:00:00Z", "upload": 1, "download": 2048, "total": 2049}
    service.will("GET /v1/vpn/keys/7/traffic/history?step=hour", {"id": "0a1b", "step": "hour", "items": [bucket]})

    table, values = run("vpn", "key", "history", 7), run("vpn", "key", "history", 7, "--csv")

    assert "2026-03-01 12:00:00" in table.out
    assert "2.0 KiB" in table.out
    assert values.out == "start,upload,download,total\n2026-03-01T12:00:00Z,1,2048,2049\n"


def test_a_time_that_is_none_is_named(run: Run) -> None:
    said = run("vpn", "key", "history", 7, "--from", "yesterday")

    assert said.code == 2
    assert "yesterday" in said.err


@pytest.mark.parametrize(("status", "code"), [(403, 1), (404, 5), (409, 1), (422, 1), (500, 1), (503, 4)])
def test_a_refusal_is_one_line_and_a_code(run: Run, service: Service, status: int, code: int) -> None:
    service.refuse("GET /v1/vpn/keys/7", status, "some_code", "it is refused", {"field": "name", "message": "too long"})

    said = run("vpn", "key", "show", 7)

    assert said.code == code
    assert said.err == "keystead: it is refused (name: too long)\n"
    assert said.out == ""


def test_without_a_service_it_says_how_to_start_one(run: Run, data_dir: Path) -> None:
    said = run("vpn", "key", "list")

    assert (said.code, said.out) == (4, "")
    assert said.err == f"keystead: no Keystead runs on {data_dir}; start it with: keystead serve\n"


def test_a_socket_that_a_killed_service_left_is_no_service(run: Run, data_dir: Path) -> None:
    (data_dir / "run").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(data_dir / "run/control.sock"))

    said = run("vpn", "key", "list")

    assert said.code == 4
    assert "keystead serve" in said.err


def test_a_wrong_setting_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYSTEAD_PORT", "many")

    said = run("vpn", "key", "list")

    assert said.code == 3
    assert "KEYSTEAD_PORT" in said.err


def test_wrong_usage_is_two(run: Run) -> None:
    assert run("vpn", "key", "show").code == 2
    assert run("--nonsense").code == 2


def test_the_socket_of_a_long_path_is_found(run: Run, tmp_path: Path) -> None:
    long = tmp_path / ("d" * 100)
    long.mkdir()
    chosen = socket_directory(long / "run", longest_name=12)
    with serving(chosen / "control.sock") as service:
        service.will("GET /v1/vpn/keys?addresses=false&limit=500", {"items": [], "total": 0, "next": None})

        said = run("--data-dir", long, "vpn", "key", "list", "--json")

    again = socket_directory(long / "run", longest_name=12)
    chosen.rmdir()
    assert (said.code, again) == (0, chosen)
    assert (long / "run.path").stat().st_mode & 0o777 == 0o600


def test_a_token_is_printed_alone_so_that_it_can_be_piped(run: Run, service: Service) -> None:
    service.will("POST /v1/tokens", {**TOKEN, "secret": "ks_api_secret"}, 201)

    said = run("token", "create", "bot", "--permission", "vpn.keys.read", "--expires", "2027-01-31")

    assert said.out == "ks_api_secret\n"
    assert service.asked[0][1] == {
        "name": "bot",
        "permissions": ["vpn.keys.read"],
        "addresses": [],
        "expires_at": "2027-01-31T00:00:00+00:00",
        "is_confined": False,
    }


def test_expiry_is_a_span_or_a_date() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)

    assert access._expiry("30d", now) == datetime(2026, 1, 31, tzinfo=UTC)
    assert access._expiry("2027-01-31", now) == datetime(2027, 1, 31, tzinfo=UTC)
    with pytest.raises(Invalid, match="30d"):
        access._expiry("soon", now)


def test_tokens_are_listed_and_revoked(run: Run, service: Service) -> None:
    service.will("GET /v1/tokens?limit=500", {"items": [TOKEN], "next": None})
    service.will("DELETE /v1/tokens/3", None, 204)

    assert "ks_api_abc" in run("token", "list").out
    assert run("token", "revoke", 3, "--yes").code == 0


def test_a_password_is_piped_or_in_a_file_and_never_an_argument(run: Run, service: Service, tmp_path: Path) -> None:
    service.will("GET /v1/roles", {"items": [{"name": "owner", "permissions": []}]})
    service.will("POST /v1/users", {"id": 1, "login": "anna", "is_active": True}, 201)
    service.will("PUT /v1/users/1/roles/owner", None, 204)
    file = tmp_path / "password"
    file.write_text("in a file\n")

    piped = run("user", "create", "anna", "--role", "owner", stdin="piped in\n")
    filed = run("user", "create", "anna", "--password-file", file)
    nothing = run("user", "create", "anna")

    assert (piped.code, filed.code, nothing.code) == (0, 0, 1)
    assert [body["password"] for request, body in service.asked if request == "POST /v1/users"] == [
        "piped in",
        "in a file",
    ]


def test_a_role_there_is_not_leaves_no_user(run: Run, service: Service) -> None:
    service.will("GET /v1/roles", {"items": [{"name": "owner", "permissions": []}]})

    said = run("user", "create", "anna", "--role", "owner", "--role", "boss", stdin="a long password\n")

    assert (said.code, said.err) == (5, "keystead: role boss not found\n")
    assert [request for request, _ in service.asked] == ["GET /v1/roles"]


def test_a_user_is_named_by_login(run: Run, service: Service) -> None:
    service.will("GET /v1/users?limit=500", {"items": [{"id": 4, "login": "anna", "is_active": True}], "next": None})
    service.will("PATCH /v1/users/4", {"id": 4, "login": "anna", "is_active": False})

    assert run("user", "disable", "Anna").code == 0
    assert run("user", "disable", "eva").code == 5


def test_a_changed_audit_trail_fails(run: Run, service: Service) -> None:
    found = [{"finding": "deleted", "message": "records at positions 3 to 4 are gone"}]
    report = {"is_intact": False, "sealed": 5, "unsealed": 0, "discrepancies": found}
    service.will("POST /v1/audit/verify", report)

    said = run("audit", "verify")

    assert said.code == 1
    assert "positions 3 to 4" in said.out
    assert run("audit", "verify", "--json").json == report


def test_audit_is_narrowed_by_the_service(run: Run, service: Service) -> None:
    record = {"number": 1, "at": KEY["created_at"], "actor": "operator", "verb": "v", "subject": "s", "outcome": "done"}
    service.will("GET /v1/audit?actor=operator&order=newest-first&limit=2", {"items": [record], "next": None})
    service.will("GET /v1/audit?actor=operator&order=oldest-first&limit=2", {"items": [record], "next": None})

    for order in ((), ("--oldest-first",)):
        assert "operator" in run("audit", "list", "--actor", "operator", "--limit", 2, *order).out


def test_a_plan_is_shown_with_the_command_that_applies_it(run: Run, service: Service) -> None:
    plan = {"scope": "xray/main", "digest": "abc", "steps": [{"verb": "add"}], "text": "+ add key k7-1"}
    service.will("GET /v1/engines/xray/main/plan", plan)
    service.will("POST /v1/engines/xray/main/apply", plan)

    assert run("plan").out == "+ add key k7-1\n\napply it with: keystead plan xray/main --approve abc\n"
    assert run("plan", "xray/main", "--approve", "abc").code == 0
    assert service.asked[1][1] == {"digest": "abc"}


def test_the_former_words_for_an_approval_are_taken_and_not_shown(run: Run, service: Service) -> None:
    plan = {"is_needed": True, "digest": "abc", "text": "upgrade xray/main", "losses": []}
    service.will("POST /v1/engines/xray/main/apply", {})
    service.will("POST /v1/engines/xray/main/replacement", plan)

    assert run("plan", "xray/main", "--apply", "abc").code == 0
    assert run("engine", "upgrade", "--dry-run", "--digest", "abc").code == 0
    assert run("vpn", "pair", "rotate", "--digest", "abc").code == 2
    assert "--apply" not in run("plan", "--help").out
    assert run("plan", "xray").code == 1


def test_engines_are_listed(run: Run, service: Service) -> None:
    engine = {"binary": "/x/xray", "version": "26.7.28", "why": "built by Keystead from its pin"}
    scope = {"scope": "xray/main", "state": "idle", "generation": 3, "applied_generation": 3, "engine": engine}
    service.will("GET /v1/engines", [scope])

    assert "26.7.28" in run("engine", "list").out


def test_rotation_tells_what_it_did(run: Run, service: Service) -> None:
    service.will("POST /v1/secrets/rotate", {"root_key": "ab12", "resealed": 9, "keys_deleted": 1})

    assert run("secrets", "rotate", "--json").json["resealed"] == 9
    assert "secrets sealed anew: 9; retired data keys deleted: 1" in run("secrets", "rotate").out


def test_doctor_asks_the_service_and_fails_with_it(run: Run, service: Service) -> None:
    check = {"name": "root key", "status": "fail", "message": "it is gone", "next": "put it back"}
    service.will("GET /v1/doctor", {"status": "fail", "checks": [check], "settings": []})

    said = run("doctor")

    assert said.code == 1
    assert "put it back" in said.out


def test_doctor_examines_in_process_when_nothing_runs(run: Run) -> None:
    said = run("doctor", "--json")

    assert said.json["is_running"] is False
    assert {check["name"] for check in said.json["checks"]} >= {"settings", "data directory", "engine", "API port"}


def test_doctor_names_who_holds_a_port(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        monkeypatch.setenv("KEYSTEAD_PORT", str(holder.getsockname()[1]))

        said = run("doctor")

    assert said.code == 1
    assert "is in use by" in said.out
