"""Redirects, templates and rollouts over the native API."""

import asyncio
from typing import Any

from keystead.access.permissions import Permission
from tests.contract.v1.test_zones import Hosted, hosted, remote
from tests.support.standins.cloudflare import MINE

__all__ = ["hosted", "remote"]  # fixtures

WWW = {"host": "www.new.example", "target": "https://new.example", "keep_path": True}
BULK = "/v1/credentials/1/redirects"
TEMPLATE = {
    "records": [{"type": "A", "name": "@", "content": "{ip}", "proxied": True}],
    "redirects": [{"host": "www.{domain}", "target": "https://{domain}", "keep_path": True}],
}


async def test_redirects_of_a_zone_are_set_listed_and_deleted(hosted: Hosted) -> None:
    operator, path = hosted.instance.operator, f"{hosted.path}/redirects"
    [zone] = hosted.remote.zones
    hosted.remote.add_foreign_rule(zone)

    made = (await operator.put(path, json=WWW)).json()
    listed = (await operator.get(path)).json()
    wrong = await operator.put(path, json={**WWW, "target": "https://www.new.example/"})
    reader = await hosted.instance.caller(Permission.VAULT_READ)
    refused = [await reader.put(path, json=WWW), await reader.delete(f"{path}/{made['id']}")]
    gone = [(await operator.delete(f"{path}/{made['id']}")).status_code for _ in range(2)]

    assert listed == {"items": [made | {"expression": None}], "foreign": 1}
    assert (made["source"], made["status"], made["keep_query"]) == ("www.new.example/*", 301, True)
    assert (wrong.status_code, [one["field"] for one in wrong.json()["errors"]]) == (422, ["target"])
    assert [answer.status_code for answer in refused] == [403, 403]
    assert gone == [204, 404]


async def test_bulk_redirects_are_put_listed_and_removed(hosted: Hosted) -> None:
    operator, owner = hosted.instance.operator, await hosted.instance.caller()
    body = {"cf_account_id": MINE, "bootstrap_token": hosted.remote.bootstrap().value, "profile": "bulk-redirects"}
    assert (await owner.post("/integrations/cloudflare/init", json=body)).status_code == 200
    unknown = await owner.post("/integrations/cloudflare/init", json={**body, "profile": "all"})
    many = [{"source": f"Site-{n}.example.com", "target": "https://example.net", "status": 302} for n in range(3)]

    put = (await operator.put(BULK, json={"redirects": many})).json()
    again = (await operator.put(BULK, json={"redirects": [many[0], {**many[1], "status": 301}]})).json()
    listed = (await operator.get(BULK)).json()["items"]
    both = [[{**many[0], "source": f"{name}.example.com"}] for name in ("x", "y")]
    await asyncio.gather(*(operator.put(BULK, json={"redirects": one}) for one in both))
    removed = (
        await operator.post(
            f"{BULK}/remove", json={"sources": ["site-0.example.com", "x.example.com", "y.example.com", "z.example"]}
        )
    ).json()
    wrong = await operator.put(BULK, json={"redirects": [many[0], {"source": "/x", "target": "https://x.org"}]})
    twice = await operator.put(BULK, json={"redirects": [many[0], many[0], {**many[0], "target": "https://x.org"}]})

    assert (unknown.status_code, unknown.json()["error"]) == (400, "invalid_profile")
    assert put == {"added": 3, "changed": 0, "same": 0, "total": 3}
    assert again == {"added": 0, "changed": 1, "same": 1, "total": 3}
    assert [(one["source"], one["status"]) for one in listed] == [
        ("site-0.example.com/", 302),
        ("site-1.example.com/", 301),
        ("site-2.example.com/", 302),
    ]
    assert removed == {"removed": 3}
    assert [one["field"] for one in wrong.json()["errors"]] == ["redirects.2.source"]
    assert [one["field"] for one in twice.json()["errors"]] == ["redirects.3.source"]
    assert len((await operator.get(BULK)).json()["items"]) == 2


async def test_bulk_redirects_are_compared_and_accepted_and_domains_show_them(hosted: Hosted) -> None:
    operator, owner = hosted.instance.operator, await hosted.instance.caller()
    body = {"cf_account_id": MINE, "bootstrap_token": hosted.remote.bootstrap().value, "profile": "bulk-redirects"}
    assert (await owner.post("/integrations/cloudflare/init", json=body)).status_code == 200
    first = (await operator.post(f"{BULK}/compare")).json()
    entry = {"source": "new.example/old", "target": "https://new.example/new"}
    await operator.put(BULK, json={"redirects": [entry]})
    [ident] = hosted.remote.items
    hosted.remote.items[ident][0]["redirect"]["status_code"] = 307

    compared = (await operator.post(f"{BULK}/compare")).json()
    kept = (await operator.get(f"{BULK}/drift")).json()
    [shown] = (await operator.get("/v1/domains?q=new.example/new")).json()["items"]
    accepted = (await operator.post(f"{BULK}/accept")).json()
    reader = await hosted.instance.caller(Permission.VAULT_READ)
    refused = [await reader.post(f"{BULK}/{act}") for act in ("compare", "accept")]

    assert (first["redirects"], first["problem"], first["seen_at"] is None) == (None, None, False)
    assert compared == kept
    assert compared["redirects"] == {
        "expected": ["new.example/old: https://new.example/new, 301"],
        "seen": ["changed: new.example/old: https://new.example/new, 307"],
    }
    assert (shown["name"], shown["bulk_redirects"]) == (
        "new.example",
        ["new.example/old → https://new.example/new, 307"],
    )
    assert accepted["redirects"] is None
    assert [answer.status_code for answer in refused] == [403, 403]


async def test_a_token_that_may_not_set_bulk_redirects_is_told_so(hosted: Hosted) -> None:
    answer = await hosted.instance.operator.get(BULK)

    assert (answer.status_code, answer.json()["code"]) == (502, "secret_refused")


async def settled(hosted: Hosted, number: int) -> dict[str, Any]:
    """Return a rollout when its job is over."""
    async with asyncio.timeout(30):
        while True:
            found = (await hosted.instance.operator.get(f"/v1/rollouts/{number}")).json()
            if found["state"] not in {"planning", "applying"}:
                return found  # type: ignore[no-any-return]
            await asyncio.sleep(0.05)


async def test_a_template_is_kept_planned_and_carried_out(hosted: Hosted) -> None:
    operator = hosted.instance.operator

    kept = (await operator.put("/v1/templates/parking", json=TEMPLATE)).json()
    body = {"template": "parking", "zones": ["new.example"], "values": {"ip": "192.0.2.1"}}
    begun = await operator.post("/v1/rollouts", json=body)
    plan = await settled(hosted, begun.json()["id"])
    [zone] = (await operator.get(f"/v1/rollouts/{plan['id']}/zones")).json()["items"]
    unnamed = await operator.post(f"/v1/rollouts/{plan['id']}/start", json={})
    started = await operator.post(f"/v1/rollouts/{plan['id']}/start", json={"digest": plan["digest"]})
    done = await settled(hosted, plan["id"])

    assert (kept["name"], kept["placeholders"]) == ("parking", ["ip"])
    assert (begun.status_code, started.status_code) == (202, 202)
    assert (plan["state"], plan["create"], plan["outcomes"]) == ("planned", 2, {"planned": 1})
    assert [(step["verb"], step["subject"], step["after"]) for step in zone["steps"]] == [
        ("create", "A new.example", "192.0.2.1, proxied"),
        ("create", "www.new.example/*", "https://new.example, 301, keeps path and query"),
    ]
    assert (unnamed.status_code, unnamed.json()["code"]) == (409, "needs_confirmation")
    assert (done["state"], done["outcomes"]) == ("done", {"done": 1})
    assert (await operator.get("/v1/rollouts")).json()["items"] == [done]
    assert (await operator.post(f"/v1/rollouts/{plan['id']}/cancel")).status_code == 409
    assert (await operator.delete("/v1/templates/parking")).status_code == 204
    assert (await operator.get("/v1/templates/parking")).status_code == 404


async def test_what_is_no_template_is_refused_by_its_field(hosted: Hosted) -> None:
    operator = hosted.instance.operator
    wrong = {"records": [{"type": "A", "name": "@", "content": "nowhere"}]}

    answers = [
        await operator.put("/v1/templates/parking", json=wrong),
        await operator.put("/v1/templates/Parking", json=TEMPLATE),
        await operator.put("/v1/templates/parking", json={}),
        await operator.post("/v1/rollouts", json={"template": "nothing", "every": True}),
        await operator.get("/v1/rollouts/7"),
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 422, 404, 404]
    assert [one["field"] for one in answers[0].json()["errors"]] == ["records.content"]
