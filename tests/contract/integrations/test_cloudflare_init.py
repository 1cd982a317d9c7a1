"""POST /integrations/cloudflare/init: one test for each row of its error table that can be reached, and its answers."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import ANY

import pytest
from sqlalchemy import update

from keystead.access.models import TOKENS
from keystead.access.permissions import ALL_PERMISSIONS, Permission
from keystead.kit.errors import StorageFailed
from keystead.vault import connecting, limits
from keystead.vault.limits import Allowance
from tests.contract.integrations.conftest import Wire
from tests.support.standins.cloudflare import MINE, OTHER
from tests.support.standins.server import Fate

PATH = "/cloudflare/init"


def body(wire: Wire, account_id: str = MINE, **more: Any) -> dict[str, Any]:
    return {"cf_account_id": account_id, "bootstrap_token": wire.remote.bootstrap(account_id, **more).value}


def failure(error: str, *, recoverable: bool = False, **extra: Any) -> dict[str, Any]:
    return {"ok": False, "error": error, "recoverable": recoverable, **extra}


def on_plan(monkeypatch: pytest.MonkeyPatch, plan: str) -> None:
    # An account's plan is not of this wire.
    monkeypatch.setattr(limits, "cloudflare_accounts", lambda *_: Allowance(plan, {"free": 1, "pro": 10}[plan]))


async def test_a_first_account_is_created_with_its_zones(wire: Wire) -> None:
    wire.remote.add_zones(5)

    answer = await wire.post(PATH, {**body(wire), "key_alias": "Main CF Account"})

    assert (answer.status_code, answer.json()) == (
        200,
        {"ok": True, "key_id": 1, "is_rotation": False, "sync": {"zones": 5, "domains": 5}},
    )
    assert answer.headers["content-type"] == "application/json"


async def test_the_same_account_again_rotates_its_key_and_reads_no_zones_it_has(wire: Wire) -> None:
    wire.remote.add_zones(1)
    key_id = (await wire.connect())["key_id"]

    answer = await wire.post(PATH, {**body(wire), "confirm_replace": True})

    assert answer.json() == {"ok": True, "key_id": key_id, "is_rotation": True}


async def test_a_rotation_reads_zones_where_there_were_none(wire: Wire) -> None:
    await wire.connect()
    wire.remote.add_zones(2)

    assert (await wire.connect())["sync"] == {"zones": 2, "domains": 2}


async def test_another_account_on_the_free_plan_is_replaced_once_that_is_confirmed(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_plan(monkeypatch, "free")
    key_id = (await wire.connect())["key_id"]
    wanted = body(wire, OTHER)

    refused = await wire.post(PATH, wanted)
    answer = await wire.post(PATH, {**wanted, "confirm_replace": True})

    context = {
        "existing_account_id": MINE,
        "existing_key_id": key_id,
        "new_account_id": OTHER,
        "resolution": "confirm_replace",
    }
    assert (refused.status_code, refused.json()) == (409, failure("cf_account_conflict", context=context))
    assert answer.json() == {
        "ok": True,
        "key_id": 2,
        "is_rotation": False,
        "sync": {"zones": 0, "domains": 0},
        "warnings": ["old_token_left_in_other_account"],
    }


async def test_a_confirmation_without_a_conflict_is_passed_over(wire: Wire) -> None:
    assert (await wire.connect(confirm_replace=True))["is_rotation"] is False


@pytest.mark.parametrize("given", ["true", 1, []])
async def test_a_confirmation_of_another_type_is_refused_and_nothing_asked(wire: Wire, given: object) -> None:
    answer = await wire.post(PATH, {**body(wire), "confirm_replace": given})

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_confirm_replace")
    assert wire.remote.came == []


async def test_quota_exceeded(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "cloudflare_accounts", lambda *_: Allowance("pro", 0))

    answer = await wire.post(PATH, {**body(wire), "confirm_replace": True})

    context = {"limit": 0, "current": 0, "plan": "pro"}
    assert (answer.status_code, answer.json()) == (403, failure("quota_exceeded", context=context))
    assert wire.remote.came == []


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"x"', b"\xff"])
async def test_invalid_json(wire: Wire, raw: bytes) -> None:
    answer = await wire.owner.post("/integrations/cloudflare/init", content=raw)

    assert (answer.status_code, answer.json()) == (400, failure("invalid_json"))


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, ["cf_account_id", "bootstrap_token"]),
        ({"cf_account_id": MINE}, ["bootstrap_token"]),
        ({"bootstrap_token": "x" * 40, "cf_account_id": " "}, ["cf_account_id"]),
        ({"cf_account_id": 7, "bootstrap_token": None}, ["cf_account_id", "bootstrap_token"]),
    ],
)
async def test_missing_fields(wire: Wire, given: dict[str, Any], missing: list[str]) -> None:
    answer = await wire.post(PATH, given)

    expected = failure("missing_fields", fields=missing, context={"fields": missing})
    assert (answer.status_code, answer.json()) == (400, expected)
    assert wire.remote.came == []


@pytest.mark.parametrize("account_id", ["../../zones", "user@example.com"])
async def test_an_account_id_that_could_stand_in_no_path_is_told_where_one_stands(wire: Wire, account_id: str) -> None:
    answer = await wire.post(PATH, {**body(wire), "cf_account_id": account_id})

    told = answer.json()
    assert (told["error"], told["fields"]) == ("missing_fields", ["cf_account_id"])
    assert "dashboard" in told["message"]


@pytest.mark.parametrize("token", ["a\r\nX-Y: z", "токен", "two words"])
async def test_a_bootstrap_token_that_could_stand_in_no_header_is_wrong_and_not_sent(wire: Wire, token: str) -> None:
    answer = await wire.post(PATH, {**body(wire), "bootstrap_token": token})

    message = "this is not a token that Cloudflare could have given"
    assert (answer.status_code, answer.json()) == (400, failure("bootstrap_invalid", message=message))
    assert wire.remote.came == []


async def test_owner_required_says_why(wire: Wire) -> None:
    stranger = wire.instance.stranger()
    reader = await wire.instance.caller(Permission.VAULT_READ)
    ended = await wire.instance.token(*ALL_PERMISSIONS)
    await wire.instance.parts.database.write(
        lambda connection: connection.execute(
            update(TOKENS).where(TOKENS.c.id == ended.token.id).values(expires_at=datetime(2020, 1, 1, tzinfo=UTC))
        )
    )
    elsewhere = await wire.instance.token(*ALL_PERMISSIONS, addresses=["192.0.2.0/24"])

    told = {}
    for name, caller in {
        "token_missing": stranger,
        "token_invalid": wire.instance.bearer("nonsense"),
        "token_expired": wire.instance.bearer(ended.secret.reveal()),
        "fingerprint_mismatch": wire.instance.bearer(elsewhere.secret.reveal()),
        "role": reader,
    }.items():
        answer = await caller.post("/integrations/cloudflare/init", content=b"{")
        told[name] = (answer.status_code, answer.json(), answer.headers.get("www-authenticate"))

    challenged = {"token_missing", "token_invalid", "token_expired"}
    assert told == {
        name: (403, failure("owner_required", reason=name), "Bearer" if name in challenged else None) for name in told
    }


async def test_a_denial_is_on_record(wire: Wire) -> None:
    reader = await wire.instance.caller(Permission.VAULT_READ)

    await reader.post("/integrations/cloudflare/init", json=body(wire))

    assert [record.verb for record in await wire.instance.records(outcome="denied")] == ["vault.connecting.reserve"]


async def test_bootstrap_invalid(wire: Wire) -> None:
    answer = await wire.post(PATH, {"cf_account_id": MINE, "bootstrap_token": "x" * 40})

    words = {"code": 1000, "message": "Invalid API Token", "cf_code": 1000, "cf_message": "Invalid API Token"}
    assert (answer.status_code, answer.json()) == (
        400,
        failure("bootstrap_invalid", message="Invalid API Token", context=words),
    )


@pytest.mark.parametrize("status", ["disabled", "expired"])
async def test_bootstrap_not_active(wire: Wire, status: str) -> None:
    answer = await wire.post(PATH, body(wire, status=status))

    assert (answer.status_code, answer.json()) == (
        400,
        failure("bootstrap_not_active", status=status, context={"status": status}),
    )


async def test_bootstrap_expired(wire: Wire) -> None:
    answer = await wire.post(PATH, body(wire, expires_on="2020-01-01T00:00:00Z"))

    assert (answer.status_code, answer.json()) == (400, failure("bootstrap_expired"))


async def test_permissions_missing_names_all_of_them_by_the_documents_names(wire: Wire) -> None:
    withheld = {"Zone Read", "Dynamic URL Redirects Write", "Workers Scripts Write", "Billing Read"}

    answer = await wire.post(PATH, body(wire, withheld=withheld))

    missing = ["Zone Read", "Workers Scripts Write", "Rules Write"]
    assert (answer.status_code, answer.json()) == (
        400,
        failure("permissions_missing", missing=missing, context={"missing": missing}),
    )
    assert wire.remote.working() == []


async def test_permissions_missing_when_only_the_create_tells(wire: Wire) -> None:
    wire.remote.has_selectable = False

    answer = await wire.post(PATH, body(wire, withheld={"DNS Write"}))

    assert (answer.status_code, answer.json()["error"]) == (400, "permissions_missing")


async def test_cf_rejected(wire: Wire) -> None:
    raw = b'{"success":false,"errors":[{"code":1004,"message":"Token limit reached"}],"messages":[],"result":null}'
    wire.remote.fault("POST", "/tokens", Fate.REFUSE, status=400, body=raw)

    answer = await wire.post(PATH, body(wire))

    words = {"code": 1004, "message": "Token limit reached", "cf_code": 1004, "cf_message": "Token limit reached"}
    assert (answer.status_code, answer.json()) == (400, failure("cf_rejected", context=words))


@pytest.mark.parametrize(
    ("method", "ending", "fate", "status"),
    [
        ("GET", "/verify", Fate.REFUSE, 503),
        ("GET", "/permission_groups", Fate.LOSE_REQUEST, 0),
        ("POST", "/tokens", Fate.LOSE_ANSWER, 0),
        ("POST", "/tokens", Fate.ACT_AND_FAIL, 502),
    ],
)
async def test_cf_unavailable(wire: Wire, method: str, ending: str, fate: Fate, status: int) -> None:
    wire.remote.fault(method, ending, fate, times=3 if method == "GET" else 1, status=status)
    wanted = body(wire)

    answer = await wire.post(PATH, wanted)
    again = await wire.post(PATH, wanted)

    assert (answer.status_code, answer.json()) == (503, failure("cf_unavailable", recoverable=True, message=ANY))
    assert answer.headers["retry-after"] == "5"
    assert again.status_code == 200
    assert len(wire.remote.working()) == 1


async def test_cf_unavailable_at_cloudflares_limit_says_when(wire: Wire) -> None:
    wire.remote.fault("POST", "/tokens", Fate.REFUSE, status=429, headers={"Retry-After": "120"})

    answer = await wire.post(PATH, body(wire))

    assert (answer.status_code, answer.json()) == (503, failure("cf_unavailable", recoverable=True, message=ANY))
    assert answer.headers["retry-after"] == "120"
    assert "Cloudflare" in answer.json()["message"]


async def test_cf_unknown_error(wire: Wire) -> None:
    wire.remote.fault("GET", "/verify", Fate.REFUSE, status=200, body=b"<html>maintenance</html>")

    answer = await wire.post(PATH, body(wire))

    assert (answer.status_code, answer.json()) == (502, failure("cf_unknown_error", recoverable=True, message=ANY))
    assert "Cloudflare" in answer.json()["message"]


async def test_storage_failed_names_the_token_that_was_made(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageFailed("the disk is full")

    # The one transaction that a full disk would refuse.
    monkeypatch.setattr(connecting, "activate", full)

    answer = await wire.post(PATH, body(wire))

    told = answer.json()
    context = {"cf_token_id": told["context"]["cf_token_id"], "cf_account_id": MINE}
    assert answer.status_code == 500
    assert told == failure(
        "storage_failed", recoverable=True, context=context, request_id=answer.headers["x-request-id"]
    )
    assert wire.remote.working() == []


async def test_working_token_invalid(wire: Wire) -> None:
    make = wire.remote._create_token

    def create(*args: Any) -> Any:
        made = make(*args)
        wire.remote.working()[-1].status = "disabled"
        return made

    wire.remote._create_token = create  # type: ignore[method-assign]

    answer = await wire.post(PATH, body(wire))

    assert answer.status_code == 500
    assert answer.json() == failure(
        "working_token_invalid", recoverable=True, request_id=answer.headers["x-request-id"]
    )
    assert wire.remote.working() == []


async def test_external_account_already_used(wire: Wire) -> None:
    await wire.connect()
    other = await account_of_another(wire)

    told = await other.post("/integrations/cloudflare/init", json=body(wire))
    guess = await other.post("/integrations/cloudflare/init", json={"cf_account_id": MINE, "bootstrap_token": "x" * 40})

    context = {"provider": "cloudflare", "external_account_id": MINE}
    assert (told.status_code, told.json()) == (409, failure("external_account_already_used", context=context))
    assert guess.json()["error"] == "bootstrap_invalid"


async def test_key_creation_in_progress(wire: Wire) -> None:
    held = wire.remote.fault("GET", "/permission_groups", Fate.HOLD)
    first = asyncio.create_task(wire.post(PATH, body(wire)))
    while not wire.remote.asked("GET", "/permission_groups"):
        await asyncio.sleep(0.01)

    second = await wire.post(PATH, body(wire))
    held.go_on.set()

    assert (second.status_code, second.json()) == (409, failure("key_creation_in_progress", recoverable=True))
    assert (await first).status_code == 200


async def test_a_bootstrap_that_stays_is_a_warning(wire: Wire) -> None:
    bootstrap = wire.remote.bootstrap()
    wire.remote.fault("DELETE", bootstrap.id, Fate.REFUSE, times=3, status=503)

    answer = await wire.post(PATH, {"cf_account_id": MINE, "bootstrap_token": bootstrap.value})

    assert answer.json()["warnings"] == ["bootstrap_not_deleted"]


async def test_zones_that_cannot_be_read_are_told_and_the_key_works(wire: Wire) -> None:
    wire.remote.fault("GET", "/zones", Fate.REFUSE, times=3, status=503)

    answer = await wire.post(PATH, body(wire))

    assert answer.json() == {
        "ok": True,
        "key_id": 1,
        "is_rotation": False,
        "sync_error": "Cloudflare answered HTTP 503",
    }


async def test_the_default_alias_is_the_tokens_name(wire: Wire) -> None:
    await wire.connect(key_alias="")

    shown = (await wire.owner.get("/integrations/keys/1")).json()["key"]

    assert shown["key_alias"] == shown["provider_scope"]["cf_token_name"] == wire.remote.working()[0].name
    assert datetime.strptime(shown["key_alias"], "301st-%Y%m%d-%H%M%S")


async def account_of_another(wire: Wire) -> Any:
    """Return a client of another account's owner."""
    from keystead.access import accounts, tokens
    from keystead.access.accountplans import AccountPlan
    from keystead.access.principal import operator
    from keystead.access.work import Work
    from keystead.kit.ids import RandomIds

    parts = wire.instance.parts

    def make(connection: Any) -> Any:
        house = Work(connection, wire.operator_call().principal, parts.clock, RandomIds(), parts.keys.ring, "test")
        account = accounts.create(house, name="other", plan=AccountPlan.PRO)
        work = replace(house, principal=operator(account.id))
        return tokens.create(work, name="other", permissions=ALL_PERMISSIONS)

    made = await parts.database.write(make)
    return wire.instance.bearer(made.secret.reveal())
