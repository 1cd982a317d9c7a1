"""The endpoints of keys: every field, every change, and nobody else's keys."""

from typing import Any

import orjson
import pytest

from tests.contract.integrations.conftest import Wire
from tests.contract.integrations.test_cloudflare_init import account_of_another, failure
from tests.contract.integrations.test_namecheap import end
from tests.support.standins import google_analytics, hosttracker, namesilo, yandex_metrica
from tests.support.standins.cloudflare import MINE

FIELDS = [
    "id",
    "account_id",
    "provider",
    "key_alias",
    "external_account_id",
    "status",
    "expires_at",
    "last_used",
    "created_at",
]


async def keys(wire: Wire, query: str = "") -> Any:
    answer = await wire.owner.get(f"/integrations/keys{query}")
    assert answer.status_code == 200
    return answer.json()["keys"]


async def key(wire: Wire, ident: object = 1, query: str = "") -> Any:
    return (await wire.owner.get(f"/integrations/keys/{ident}{query}")).json()["key"]


async def test_keys_are_listed_newest_first_without_a_secret(wire: Wire) -> None:
    assert (await wire.owner.get("/integrations/keys")).json() == {"ok": True, "keys": []}
    await wire.connect(key_alias="Main CF Account")
    await wire.register()

    answer = await wire.owner.get("/integrations/keys?account_id=1")

    newest, oldest = answer.json()["keys"]
    assert list(newest) == list(oldest) == [*FIELDS, "provider_scope", "client_env"]
    assert (newest["provider"], oldest["provider"]) == ("namecheap", "cloudflare")
    assert (newest["expires_at"], newest["last_used"]) == (None, None)
    assert oldest["external_account_id"] == MINE
    assert oldest["expires_at"].endswith("Z")
    assert oldest["last_used"].endswith("Z")
    assert orjson.loads(oldest["provider_scope"])["cf_account_name"] == "user@example.com's Account"
    assert "CANARY" not in answer.text


async def test_keys_are_narrowed_to_a_provider(wire: Wire) -> None:
    await wire.connect()
    await wire.register()

    told = {name: [one["id"] for one in await keys(wire, f"?provider={name}")] for name in ("cloudflare", "nobody", "")}

    assert told == {"cloudflare": [1], "nobody": [], "": [2, 1]}


async def test_another_account_in_the_query_shows_nothing_else_and_is_on_record(wire: Wire) -> None:
    await wire.connect()

    assert [one["id"] for one in await keys(wire, "?account_id=7")] == [1]
    assert [record.subject for record in await wire.instance.records(verb="vault.credential.list")] == ["account 7"]


async def test_one_key_has_its_scope_as_an_object_or_as_text(wire: Wire) -> None:
    await wire.connect(key_alias="Main CF Account")

    shown = await key(wire)
    as_text = await key(wire, 1, "?scope_format=string")

    assert list(shown) == [*FIELDS[:3], "provider_scope", *FIELDS[3:], "client_env"]
    assert shown["provider_scope"] == {
        "cf_token_id": wire.remote.working()[0].id,
        "cf_token_name": "Main CF Account",
        "cf_account_name": "user@example.com's Account",
    }
    assert orjson.loads(as_text["provider_scope"]) == shown["provider_scope"]


async def test_a_key_is_renamed_revoked_and_activated(wire: Wire) -> None:
    await wire.connect()

    for given, field, value in (
        ({"key_alias": " Production CF "}, "key_alias", "Production CF"),
        ({"status": "revoked"}, "status", "revoked"),
        ({"status": "active"}, "status", "active"),
        ({}, "key_alias", "Production CF"),
        ({"key_id": 2, "secrets": "x", "account_id": 9}, "account_id", 1),
    ):
        answer = await wire.owner.patch("/integrations/keys/1", json=given)
        assert (answer.status_code, answer.json()) == (200, {"ok": True})
        assert (await key(wire))[field] == value


async def test_an_empty_body_changes_nothing(wire: Wire) -> None:
    await wire.connect()

    answer = await wire.owner.patch("/integrations/keys/1", content=b"")

    assert answer.json() == {"ok": True}


@pytest.mark.parametrize("status", ["expired", "pending", "error", 7, ""])
async def test_no_other_status_is_set(wire: Wire, status: Any) -> None:
    await wire.connect()

    answer = await wire.owner.patch("/integrations/keys/1", json={"status": status, "key_alias": "x"})

    assert (answer.status_code, answer.json()) == (400, failure("invalid_status"))
    assert (await key(wire))["key_alias"] != "x"


async def test_an_expired_key_is_shown_so_and_not_activated(wire: Wire) -> None:
    await wire.connect()
    await end(wire)

    answer = await wire.owner.patch("/integrations/keys/1", json={"status": "active"})

    assert (answer.status_code, answer.json()) == (400, failure("key_expired"))
    assert [one["status"] for one in await keys(wire)] == ["expired"]


async def test_a_key_is_not_activated_beside_the_one_that_took_its_place(wire: Wire) -> None:
    await wire.register()
    await wire.owner.patch("/integrations/keys/1", json={"status": "revoked"})
    await wire.register()

    answer = await wire.owner.patch("/integrations/keys/1", json={"status": "active"})

    assert (answer.status_code, answer.json()["error"]) == (409, "external_account_already_used")


async def test_an_alias_that_is_too_long_is_told(wire: Wire) -> None:
    await wire.connect()

    answer = await wire.owner.patch("/integrations/keys/1", json={"key_alias": "x" * 121})

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_key_alias")


async def test_a_key_is_deleted_and_its_token_stays_at_the_provider(wire: Wire) -> None:
    wire.remote.add_zones(1)
    await wire.connect()

    answer = await wire.owner.delete("/integrations/keys/1")
    again = await wire.owner.delete("/integrations/keys/1")

    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert (again.status_code, again.json()) == (404, failure("not_found"))
    assert len(wire.remote.working()) == 1


@pytest.mark.parametrize("ident", ["2", "0", "x", "-1", "9" * 30, "1.0", "1%20"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_what_is_not_there_is_not_found(wire: Wire, method: str, ident: str) -> None:
    answer = await wire.owner.request(method, f"/integrations/keys/{ident}", json={})

    assert (answer.status_code, answer.json()) == (404, failure("not_found"))


async def test_nobody_elses_key_is_seen_changed_or_deleted(wire: Wire) -> None:
    await wire.connect()
    other = await account_of_another(wire)
    before = await key(wire)

    told = [
        await other.request(method, "/integrations/keys/1", json={"status": "revoked"})
        for method in ("GET", "PATCH", "DELETE")
    ]

    assert [(one.status_code, one.json()) for one in told] == [(404, failure("not_found"))] * 3
    assert (await other.get("/integrations/keys?account_id=1")).json()["keys"] == []
    assert await key(wire) == before


async def test_paths_and_methods_that_are_none_are_told_in_the_wires_form(wire: Wire) -> None:
    nowhere = await wire.owner.get("/integrations/nowhere")
    wrong = await wire.owner.delete("/integrations/keys")
    large = await wire.owner.post("/integrations/namecheap/init", content=b"x" * 1_100_000)

    assert (nowhere.status_code, nowhere.json()) == (404, failure("not_found"))
    assert (wrong.status_code, wrong.json()) == (405, failure("method_not_allowed"))
    assert (large.status_code, large.json()["error"]) == (413, "too_large")


async def test_a_slash_at_the_end_is_passed_over_and_the_specification_is_served(wire: Wire) -> None:
    document = (await wire.owner.get("/integrations/openapi.json")).json()

    assert (await wire.owner.get("/integrations/keys/")).status_code == 200
    assert {f"{method.upper()} {path}" for path, found in document["paths"].items() for method in found} >= {
        "POST /integrations/cloudflare/init",
        "POST /integrations/namecheap/init",
        "GET /integrations/namecheap/proxy-ips",
        "GET /integrations/namecheap/domains",
        "POST /integrations/namecheap/set-ns",
        "GET /integrations/keys",
        "GET /integrations/keys/{ident}",
        "PATCH /integrations/keys/{ident}",
        "DELETE /integrations/keys/{ident}",
        "GET /zones",
        "POST /zones",
        "POST /zones/sync",
        "GET /zones/{ident}",
        "DELETE /zones/{ident}",
        "POST /zones/{ident}/sync",
        "POST /zones/{ident}/check-activation",
        "GET /zones/{ident}/dns",
        "POST /zones/{ident}/dns",
        "POST /zones/{ident}/dns/batch",
        "PATCH /zones/{ident}/dns/{record}",
        "DELETE /zones/{ident}/dns/{record}",
        "GET /zones/{ident}/settings",
        "PATCH /zones/{ident}/settings",
        "POST /zones/{ident}/purge-cache",
        "GET /domains",
        "POST /domains/batch",
        "POST /domains/zones/batch",
    }


async def test_no_secret_is_in_any_answer_row_or_record(wire: Wire) -> None:
    wire.remote.add_zones(1)
    await wire.connect()
    await wire.connect()
    await wire.register()
    secrets: dict[str, dict[str, Any]] = {
        "namesilo": {"api_key": namesilo.API_KEY},
        "ym": {"token": yandex_metrica.TOKEN},
        "hosttracker": {"token": hosttracker.TOKEN},
        "ga": {
            "client_id": google_analytics.CLIENT_ID,
            "client_secret": google_analytics.CLIENT_SECRET,
            "refresh_token": google_analytics.REFRESH_TOKEN,
        },
    }
    for provider, secret in secrets.items():
        assert (await wire.post(f"/{provider}/init", secret)).status_code == 200
    records = await wire.instance.records()

    def everything(connection: Any) -> str:
        from sqlalchemy import select

        from keystead.db.base import METADATA

        return repr([connection.execute(select(table)).all() for table in METADATA.sorted_tables])

    stored = await wire.instance.parts.database.read(everything)

    assert "CANARY" not in stored
    assert "CANARY" not in repr(records)
    assert len(records) > 5
