"""Tokens, users and roles over the native API."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from keystead.access.permissions import Permission
from keystead.dialects.v1 import schemas
from tests.support.instance import InProcess

READ = Permission.VPN_KEYS_READ.value


async def create(instance: InProcess, **body: object) -> schemas.NewToken:
    answer = await instance.operator.post("/v1/tokens", json={"name": "bot", "permissions": [READ], **body})
    assert answer.status_code == 201, answer.text
    return schemas.NewToken.model_validate_json(answer.content)


async def test_a_new_token_opens_what_it_was_given(instance: InProcess) -> None:
    made = await create(instance)

    who = await instance.bearer(made.secret or "").get("/v1/whoami")

    assert schemas.WhoAmI.model_validate_json(who.content).permissions == [READ]
    assert who.json()["token_id"] == made.id


async def test_the_secret_is_shown_once(instance: InProcess) -> None:
    made = await create(instance)

    shown = await instance.operator.get(f"/v1/tokens/{made.id}")
    listed = await instance.operator.get("/v1/tokens")

    assert schemas.Token.model_validate_json(shown.content).hint == (made.secret or "")[: len("ks_api_") + 4]
    assert made.secret not in shown.text + listed.text


async def test_a_repeated_create_is_answered_without_the_secret(instance: InProcess) -> None:
    body, headers = {"name": "bot", "permissions": [READ]}, {"idempotency-key": "bot-1"}
    first = await instance.operator.post("/v1/tokens", json=body, headers=headers)

    again = await instance.operator.post("/v1/tokens", json=body, headers=headers)

    assert (again.status_code, again.json()) == (201, first.json() | {"secret": None})
    assert again.headers["idempotency-replayed"] == "true"


async def test_who_may_no_longer_create_is_not_answered_again(instance: InProcess) -> None:
    user = (await instance.operator.post("/v1/users", json={"login": "anna", "password": "a long password"})).json()[
        "id"
    ]
    await instance.operator.put(f"/v1/users/{user}/roles/editor")
    made = await create(instance, user_id=user, permissions=[Permission.VPN_KEYS_ISSUE, READ])
    bot, headers = instance.bearer(made.secret or ""), {"idempotency-key": "order-1"}
    first = await bot.post("/v1/vpn/keys", json={}, headers=headers)
    assert first.status_code == 201, first.text
    await instance.operator.delete(f"/v1/users/{user}/roles/editor")

    again = await bot.post("/v1/vpn/keys", json={}, headers=headers)

    assert (again.status_code, again.json()["code"]) == (403, "forbidden")
    assert [record.subject for record in await instance.records(outcome="denied")] == [Permission.VPN_KEYS_ISSUE]


async def test_a_revoked_token_opens_nothing_at_once(instance: InProcess) -> None:
    made = await create(instance)
    bot = instance.bearer(made.secret or "")
    assert (await bot.get("/v1/whoami")).status_code == 200

    answer = await instance.operator.delete(f"/v1/tokens/{made.id}")

    assert answer.status_code == 204
    assert (await bot.get("/v1/whoami")).status_code == 401
    assert (await instance.operator.get(f"/v1/tokens/{made.id}")).json()["revoked_at"] is not None


async def test_a_token_opens_from_its_addresses_only_and_the_denial_is_recorded(instance: InProcess) -> None:
    made = await create(instance, addresses=["192.0.2.0/24"])

    inside = await instance.bearer(made.secret or "", "192.0.2.9").get("/v1/whoami")
    outside = [await instance.bearer(made.secret or "", "203.0.113.9").get("/v1/whoami") for _ in range(3)]

    assert inside.status_code == 200
    assert [answer.status_code for answer in outside] == [403] * 3
    denied = await instance.records(outcome="denied")
    assert {(record.actor, record.verb, record.subject) for record in denied} == {
        (f"token:{made.id} bot", "access.admit", "address 203.0.113.9")
    }


async def test_a_token_ends_at_its_expiry(instance: InProcess) -> None:
    ends = datetime.now(UTC) + timedelta(minutes=10)
    made = await create(instance, expires_at=ends.isoformat())
    bot = instance.bearer(made.secret or "")
    before = await bot.get("/v1/whoami")

    with time_machine.travel(ends, tick=True):
        answer = await bot.get("/v1/whoami")

    assert before.status_code == 200
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"permissions": ["vpn.everything"]}, "permissions.0"),
        ({"permissions": READ}, "permissions"),
        ({"addresses": ["not an address"]}, ""),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"name": ""}, "name"),
        ({"is_confined": "yes"}, "is_confined"),
        ({"user_id": 2**70}, "user_id"),
        ({"addresses": ["192.0.2.1"] * 101}, "addresses"),
    ],
)
async def test_a_bad_token_is_not_made(instance: InProcess, body: dict[str, object], field: str) -> None:
    before = len((await instance.operator.get("/v1/tokens")).json()["items"])

    answer = await instance.operator.post("/v1/tokens", json={"name": "bot", "permissions": [READ], **body})

    assert answer.status_code == 422, answer.text
    assert not field or [error["field"] for error in answer.json()["errors"]] == [field]
    assert len((await instance.operator.get("/v1/tokens")).json()["items"]) == before


async def test_nobody_grants_what_he_lacks(instance: InProcess) -> None:
    caller = await instance.caller(Permission.TOKENS_MANAGE)

    answer = await caller.post("/v1/tokens", json={"name": "bot", "permissions": [READ]})

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def make_user(instance: InProcess, login: str = "anna") -> schemas.User:
    answer = await instance.operator.post("/v1/users", json={"login": login, "password": "a long password"})
    assert answer.status_code == 201, answer.text
    return schemas.User.model_validate_json(answer.content)


async def test_a_user_is_listed_without_a_password(instance: InProcess) -> None:
    user = await make_user(instance)

    listed = await instance.operator.get("/v1/users")

    assert schemas.UserList.model_validate_json(listed.content).items == [user]
    assert "password" not in listed.text
    assert (await instance.operator.get(f"/v1/users/{user.id}")).json() == user.model_dump(mode="json")


@pytest.mark.parametrize(("body", "field"), [({"password": "short"}, "password"), ({"login": "An na"}, "login")])
async def test_a_bad_user_is_not_made(instance: InProcess, body: dict[str, str], field: str) -> None:
    answer = await instance.operator.post("/v1/users", json={"login": "anna", "password": "a long password", **body})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert "short" not in answer.text
    assert (await instance.operator.get("/v1/users")).json()["items"] == []


async def test_a_login_is_taken_once(instance: InProcess) -> None:
    await make_user(instance)

    answer = await instance.operator.post("/v1/users", json={"login": "anna", "password": "another password"})

    assert (answer.status_code, answer.json()["code"]) == (409, "already_exists")


async def test_a_repeated_user_is_made_once(instance: InProcess) -> None:
    body, headers = {"login": "anna", "password": "a long password"}, {"idempotency-key": "anna-1"}
    first = await instance.operator.post("/v1/users", json=body, headers=headers)

    again = await instance.operator.post("/v1/users", json=body, headers=headers)

    assert (again.status_code, again.json()) == (201, first.json())


async def test_a_disabled_user_takes_its_tokens_along_and_back(instance: InProcess) -> None:
    user = await make_user(instance)
    made = await create(instance, user_id=user.id)
    bot = instance.bearer(made.secret or "")
    await instance.operator.put(f"/v1/users/{user.id}/roles/operator")
    assert (await bot.get("/v1/vpn/keys")).status_code == 200

    await instance.operator.patch(f"/v1/users/{user.id}", json={"is_active": False})
    refused = await bot.get("/v1/vpn/keys")
    await instance.operator.patch(f"/v1/users/{user.id}", json={"is_active": True, "password": "a newer password"})

    assert refused.status_code == 401
    assert (await bot.get("/v1/vpn/keys")).status_code == 200


async def test_a_withdrawn_role_ends_at_once(instance: InProcess) -> None:
    user = await make_user(instance)
    made = await create(instance, user_id=user.id)
    bot = instance.bearer(made.secret or "")
    role = {"name": "reader", "permissions": [READ]}
    assert (await instance.operator.post("/v1/roles", json=role)).json() == role
    await instance.operator.put(f"/v1/users/{user.id}/roles/reader")
    assert (await bot.get("/v1/vpn/keys")).status_code == 200

    answer = await instance.operator.delete(f"/v1/users/{user.id}/roles/reader")

    assert answer.status_code == 204
    assert (await bot.get("/v1/vpn/keys")).status_code == 403
    assert (await instance.operator.get(f"/v1/users/{user.id}/roles")).json() == {"items": []}


async def test_every_permission_and_built_in_role_is_listed(instance: InProcess) -> None:
    permissions = (await instance.operator.get("/v1/permissions")).json()["items"]
    roles = schemas.RoleList.model_validate_json((await instance.operator.get("/v1/roles")).content).items

    assert permissions == sorted(permission.value for permission in Permission)
    assert [role.name for role in roles] == ["editor", "operator", "owner", "viewer"]


async def test_what_is_not_there_is_not_found(instance: InProcess) -> None:
    paths = ["/v1/tokens/999", "/v1/users/999", "/v1/users/999/roles"]

    answers = [await instance.operator.get(path) for path in paths]

    assert [answer.status_code for answer in answers] == [404] * 3
    assert (await instance.operator.put("/v1/users/999/roles/owner")).status_code == 404
