"""Cloudflare's OpenAPI document holds every request and every answer, and what it does not have is named here."""

import inspect
import json
from dataclasses import replace
from typing import Any

import pytest

from keystead.providers.cloudflare import Cloudflare as Client
from keystead.providers.cloudflare_records import RecordChanges
from keystead.providers.cloudflare_rules import ref_of
from keystead.providers.errors import ProviderUnavailable
from keystead.providers.redirect import BulkRedirect, Redirect
from tests.providers.calling import calling
from tests.providers.test_cloudflare import wish
from tests.support.clock import ManualClock
from tests.support.standins import cloudflare_document as document
from tests.support.standins.cloudflare import BASE, MINE, Cloudflare
from tests.support.standins.cloudflare_document import DOCUMENT, Undocumented
from tests.support.standins.server import Came, Fate

# What the cut lacks or has in an older form, and where it stands instead.
BEYOND = {
    # developers.cloudflare.com/api, read 2026-11
    "patch /zones/{zone_id}/dns_records/{dns_record_id}",
    "post /zones/{zone_id}/dns_records/batch",
    "post /zones/{zone_id}/rulesets/{ruleset_id}/rules",
    "patch /zones/{zone_id}/rulesets/{ruleset_id}/rules/{rule_id}",
    "delete /zones/{zone_id}/rulesets/{ruleset_id}/rules/{rule_id}",
    "post /accounts/{account_id}/rulesets",
    "get /accounts/{account_id}/rulesets/phases/{ruleset_phase}/entrypoint",
    "post /accounts/{account_id}/rulesets/{ruleset_id}/rules",
    "patch /accounts/{account_id}/rulesets/{ruleset_id}/rules/{rule_id}",
    "delete /accounts/{account_id}/rulesets/{ruleset_id}/rules/{rule_id}",
    # Cloudflare's SDK for Python, 5.9.0
    "post /accounts/{account_id}/rules/lists",
    "get /accounts/{account_id}/rules/lists/{list_id}/items",
    "put /accounts/{account_id}/rules/lists/{list_id}/items",
    "delete /accounts/{account_id}/rules/lists/{list_id}/items",
    "get /accounts/{account_id}/rules/lists/bulk_operations/{operation_id}",
}

VERBS = {name for name, found in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")}
OLD, NEW = Redirect("example.com", "https://example.net/new", path="/old"), Redirect("example.com", "https://x.org")
LISTED = BulkRedirect("a.example.com/", "https://example.net")


def operations(found: dict[str, Any]) -> dict[str, Any]:
    return {f"{method} {path}": made for path, methods in found["paths"].items() for method, made in methods.items()}


def test_what_is_not_in_the_cut_is_what_is_named_here() -> None:
    cut, used = document._plain(json.loads(DOCUMENT.read_text())), document._document()

    before, after = operations(cut), operations(used)

    assert {name for name, made in after.items() if before.get(name) != made} == BEYOND
    assert set(before) <= set(after)
    assert used["components"] == cut["components"]


async def test_every_verb_of_the_client_asks_what_the_document_has(remote: Cloudflare) -> None:
    client, clock = calling(remote, remote.bootstrap().value), ManualClock()
    called: set[str] = set()

    async def call(verb: str, *args: Any, **more: Any) -> Any:
        called.add(verb)
        return await getattr(client, verb)(*args, **more)

    await ask_of_tokens(call, client)
    zone = await ask_of_zones(call)
    await ask_of_records(call, zone)
    await ask_of_redirects(call, zone, clock)
    await call("delete_zone", zone)

    assert called == VERBS
    assert remote.broken == []


async def ask_of_tokens(call: Any, client: Client) -> None:
    owner = (await call("verify", MINE)).owner
    await call("verify_as", MINE, owner)
    await call("account_name", MINE)
    await call("permission_groups", MINE)
    made = await call("create_token", MINE, await wish(client))
    await call("tokens", MINE)
    await call("policies", MINE, made.id)
    await call("roll_token", MINE, made.id)
    await call("delete_token", MINE, made.id)


async def ask_of_zones(call: Any) -> str:
    zone: str = (await call("create_zone", MINE, "new.example")).id
    await call("zone", zone)
    await call("zones", MINE, status="pending")
    await call("find_zone", MINE, "new.example")
    await call("check_activation", zone)
    await call("settings", zone)
    await call("change_setting", zone, "ssl", "strict")
    await call("purge_everything", zone)
    await call("purge_files", zone, ["https://new.example/a.css"])
    return zone


async def ask_of_records(call: Any, zone: str) -> None:
    wanted = {"type": "A", "name": "www", "content": "192.0.2.1", "ttl": 300}
    one = (await call("create_record", zone, wanted))["id"]
    await call("change_record", zone, one, {"content": "192.0.2.2"})
    await call("replace_record", zone, one, {**wanted, "content": "192.0.2.3"})
    other = {**wanted, "name": "mail"}
    changes = RecordChanges(patches=[{"id": one, "ttl": 60}], puts=[{"id": one, **wanted}], posts=[other])
    await call("change_records", zone, changes)
    await call("change_records", zone, RecordChanges(deletes=[one]))
    zone_file = await call("export_records", zone)
    await call("import_records", zone, zone_file, proxied=True)
    await call("delete_record", zone, (await call("records", zone))[0]["id"])


async def ask_of_redirects(call: Any, zone: str, clock: ManualClock) -> None:
    await call("set_redirect", zone, OLD)
    await call("set_redirect", zone, NEW)
    await call("set_redirect", zone, replace(OLD, status=308))
    await call("change_redirects", zone, gone=[ref_of(NEW.source)], wanted=[OLD], template="parking")
    await call("delete_redirect", zone, ref_of(OLD.source))
    await call("redirect_rules", zone)
    await call("put_bulk_redirects", MINE, [LISTED], clock)
    await call("put_bulk_redirects", MINE, [replace(LISTED, status=302)], clock)
    await call("redirect_list", MINE)
    await call("seen_list", MINE)
    found = await call("bulk_redirects", MINE)
    await call("delete_bulk_redirects", MINE, [one.id for one in found], clock)


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", "/zones/nowhere/else", {}, b""),
        ("PATCH", "/zones", {}, b"{}"),
        ("GET", "/zones", {"nobody": "1"}, b""),
        ("GET", "/zones", {"per_page": "51"}, b""),
        ("POST", "/zones", {}, b""),
        ("POST", "/zones", {}, b'{"name":7,"account":{}}'),
        ("DELETE", f"/zones/{'0' * 33}", {}, b""),
    ],
)
@pytest.mark.parametrize("fate", [None, Fate.REFUSE, Fate.LOSE_REQUEST, Fate.LOSE_ANSWER])
def test_a_request_that_the_document_does_not_have_fails_whatever_becomes_of_it(
    method: str, path: str, query: dict[str, str], body: bytes, fate: Fate | None
) -> None:
    strict = Cloudflare()
    if fate is not None:
        strict.fault(method, path, fate)

    with pytest.raises(Undocumented):
        strict.handle(Came(method, f"{BASE}{path}", query, {"content-type": "application/json"}, body))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/zones", b'{"success":true}'),
        ("POST", "/zones", b'{"success":false,"errors":[{"code":"x","message":"y"}],"messages":[],"result":null}'),
        ("GET", f"/zones/{'0' * 32}/rulesets/phases/http_request_dynamic_redirect/entrypoint", b'{"result":{}}'),
        ("GET", f"/zones/{'0' * 32}/dns_records/export", b'{"success":true}'),
    ],
)
def test_an_answer_that_the_document_does_not_have_fails(method: str, path: str, body: bytes) -> None:
    for status in (200, 400):
        with pytest.raises(Undocumented):
            document.check_answer(method, path, status, body)


async def test_what_a_stand_in_cannot_bear_fails_its_test(remote: Cloudflare) -> None:
    client = calling(remote, remote.bootstrap().value)

    with pytest.raises(ProviderUnavailable):
        await client.zone("1/nowhere")

    assert {type(one) for one in remote.broken} == {Undocumented}
    remote.broken.clear()
