"""Bulks over the native API."""

import asyncio
import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from keystead.access.permissions import USUAL_VPN_PERMISSIONS, Permission
from keystead.access.principal import operator
from keystead.access.work import Work
from keystead.dialects.v1 import bulk_shapes as shapes
from keystead.jobs import store
from keystead.kit.ids import RandomIds
from keystead.vpn import bulkparts, bulks
from keystead.vpn.bulkparts import Means
from keystead.vpn.bulkvalue import Action, Order, Where
from keystead.vpn.links import parse_link
from tests.support.instance import InProcess
from tests.support.shop import POOL

BULK, KEYS, PLANS = "/v1/vpn/bulk", "/v1/vpn/keys", "/v1/vpn/plans"


async def carried_out(instance: InProcess, **order: object) -> shapes.Bulk:
    """Plan an order, start it by its digest and wait until it has ended."""
    planned = (await instance.operator.post(BULK, json={**order, "dry_run": True})).json()
    answer = await instance.operator.post(BULK, json={**order, "digest": planned["digest"]})
    assert answer.status_code == 202, answer.text
    return await ended(instance, answer.json()["id"])


async def ended(instance: InProcess, number: int) -> shapes.Bulk:
    async with asyncio.timeout(30):
        while True:
            answer = await instance.operator.get(f"{BULK}/{number}")
            bulk = shapes.Bulk.model_validate_json(answer.content)
            if bulk.state not in {"waiting", "running", "paused"}:
                return bulk
            await asyncio.sleep(0.02)


async def created(instance: InProcess, **create: object) -> shapes.Bulk:
    return await carried_out(instance, action="create", create=create)


async def listed(instance: InProcess, **query: str) -> list[dict[str, Any]]:
    return (await instance.operator.get(KEYS, params={"limit": "500", **query})).json()["items"]  # type: ignore[no-any-return]


async def test_keys_are_created_alike_and_their_links_handed_over(instance: InProcess) -> None:
    await instance.operator.post(PLANS, json={"name": "gold", "quota_bytes": 50})

    bulk = await created(instance, count=1200, name="batch-{n}", plan="gold")
    links = await instance.operator.get(f"{BULK}/{bulk.id}/links", params={"format": "csv"})

    assert (bulk.state, bulk.done, bulk.outcomes) == ("done", 1200, {"done": 1200})
    rows = list(csv.DictReader(io.StringIO(links.text)))
    assert [row["name"] for row in rows] == [f"batch-{number}" for number in range(1, 1201)]
    assert all(parse_link(row["link"]).uuid == row["uuid"] for row in rows)
    keys = await listed(instance)
    assert {key["terms"]["plan"] for key in keys} == {"gold"}


async def test_a_plan_changes_nothing_and_says_what_it_would(instance: InProcess) -> None:
    for name, terms in (("anna", {"quota_bytes": 5}), ("berta", None), ("carla", {"quota_bytes": 5})):
        await instance.operator.post(KEYS, json={"name": name, "terms": terms})
    order = {"action": "top-up", "bytes": 7, "where": {"keys": ["1", "2", "9"], "every": False}}

    answer = await instance.operator.post(BULK, json={**order, "dry_run": True})

    plan = shapes.BulkPlanned.model_validate_json(answer.content)
    assert (plan.change, plan.same, plan.refused) == (1, 0, 2)
    assert [(key.number, key.name) for key in plan.sample] == [(1, "anna")]
    refusals = [(one.number, one.key, one.reason) for one in plan.refusals]
    assert refusals == [
        (2, None, "VPN key 2 has no quota to top up; give it one with its terms"),
        (None, "9", "no such key"),
    ]
    assert [key["terms"] and key["terms"]["topped_up_bytes"] for key in await listed(instance)] == [0, None, 0]
    assert (await instance.operator.get(BULK)).json()["items"] == []


async def test_only_the_plan_that_was_reviewed_runs(instance: InProcess) -> None:
    await created(instance, count=3)
    order = {"action": "disable", "where": {"every": True}}
    digest = (await instance.operator.post(BULK, json={**order, "dry_run": True})).json()["digest"]
    await instance.operator.post(KEYS, json={})

    without = await instance.operator.post(BULK, json=order)
    outdated = await instance.operator.post(BULK, json={**order, "digest": digest})

    assert (without.status_code, without.json()["code"]) == (409, "needs_confirmation")
    assert (outdated.status_code, outdated.json()["code"]) == (409, "conflict")
    assert {key["is_active"] for key in await listed(instance)} == {True}


async def test_keys_are_disabled_enabled_and_deleted_by_filters(instance: InProcess) -> None:
    await created(instance, count=150, name="old-{n}")
    await created(instance, count=10, name="new-{n}")

    disabled = await carried_out(instance, action="disable", where={"name": "old-*"})
    again = await carried_out(instance, action="disable", where={"every": True})
    enabled = await carried_out(instance, action="enable", where={"state": "disabled", "keys": ["1", "2", "155"]})
    deleted = await carried_out(instance, action="delete", where={"name": "old-?"})

    assert disabled.outcomes == {"done": 150}
    assert again.outcomes == {"done": 10, "same": 150}
    assert enabled.outcomes == {"done": 3}
    assert deleted.outcomes == {"done": 9}
    left = await listed(instance)
    assert len(left) == 151
    assert [key["number"] for key in left if key["is_active"]] == [155]


async def test_ends_are_moved_and_bytes_given(instance: InProcess) -> None:
    await instance.operator.post(PLANS, json={"name": "gold", "quota_bytes": 50, "duration_s": 3600, "starts": "issue"})
    await created(instance, count=5, plan="gold")
    before = [key["terms"]["expires_at"] for key in await listed(instance)]

    extended = await carried_out(instance, action="extend", days=30, where={"plan": "gold"})
    topped = await carried_out(instance, action="top-up", bytes=7, where={"expires_after": before[0]})

    assert (extended.outcomes, topped.outcomes) == ({"done": 5}, {"done": 5})
    terms = [key["terms"] for key in await listed(instance)]
    assert {one["topped_up_bytes"] for one in terms} == {7}
    assert all(one["expires_at"] > ends for one, ends in zip(terms, before, strict=True))


async def test_keys_move_to_ports_of_their_own_and_back_and_keep_their_uuids(instance: InProcess) -> None:
    await created(instance, count=4)
    before = await listed(instance)
    uuids = [key["uuid"] for key in before]

    moved = await carried_out(instance, action="move", placement="own-port", where={"placement": "shared"})
    there = await listed(instance)
    users = {tag: set(held) for tag, held in instance.engine.users.items()}
    back = await carried_out(instance, action="move", placement="shared", where={"every": True})

    assert (moved.outcomes, back.outcomes) == ({"done": 4}, {"done": 4})
    assert [key["uuid"] for key in there] == uuids
    assert {key["placement"] for key in there} == {"own-port"}
    assert len({key["port"] for key in there}) == 4
    # Where they were goes on for a while.
    assert users["shared"] == {f"k{number}-1" for number in range(1, 5)}
    assert sorted(len(held) for tag, held in users.items() if tag != "shared") == [1, 1, 1, 1]
    assert [(key["uuid"], key["port"]) for key in await listed(instance)] == [
        (key["uuid"], key["port"]) for key in before
    ]


async def test_ports_that_are_not_there_refuse_a_plan(instance: InProcess) -> None:
    many = {"action": "create", "create": {"count": 101, "placement": "own-port"}, "dry_run": True}

    refused = await instance.operator.post(BULK, json=many)
    bulk = await created(instance, count=100, placement="own-port")
    await instance.operator.post(KEYS, json={})
    lacking = {"action": "move", "placement": "own-port", "where": {"placement": "shared"}, "dry_run": True}
    plan = (await instance.operator.post(BULK, json=lacking)).json()

    assert (refused.status_code, refused.json()["code"]) == (409, "ports_exhausted")
    assert bulk.outcomes == {"done": 100}
    assert (plan["change"], plan["refusals"][0]["reason"]) == (0, "no port is left; widen KEYSTEAD_VPN_PORTS")


async def test_a_subscription_comes_along_where_it_is_asked_for(instance: InProcess) -> None:
    bulk = await created(instance, names=["anna", "berta"], subscriptions=True)
    links = (await instance.operator.get(f"{BULK}/{bulk.id}/links")).json()["items"]

    shapes.BulkLinks.model_validate({"items": links})
    assert [one["name"] for one in links] == ["anna", "berta"]
    for one in links:
        shown = (await instance.operator.get(f"{KEYS}/{one['id']}/subscription")).json()
        assert one["subscription"] == shown["url"]


async def test_every_key_has_its_record_with_the_bulk_in_it(instance: InProcess) -> None:
    await created(instance, count=3, name="x{n}")
    bulk = await carried_out(instance, action="disable", where={"every": True})

    records = await instance.records()

    changed = [record for record in records if record.verb in {"vpn.key.issue", "vpn.key.disable"}]
    assert [(record.verb, record.subject, record.request_id) for record in changed] == [
        *(("vpn.key.issue", f"vpn key {number}", f"bulk-{bulk.id - 1}") for number in (1, 2, 3)),
        *(("vpn.key.disable", f"vpn key {number}", f"bulk-{bulk.id}") for number in (1, 2, 3)),
    ]
    assert {record.actor for record in changed} == {"operator"}
    starts = [record.facts for record in records if record.verb == "vpn.bulk.start"]
    assert [(facts["action"], facts["change"]) for facts in starts] == [("create", 3), ("disable", 3)]


async def test_a_bulk_that_is_cancelled_leaves_what_is_done(instance: InProcess) -> None:
    instance.engine.is_down = True
    answer = await instance.operator.post(BULK, json={"action": "create", "create": {"count": 700}})
    number = answer.json()["id"]
    async with asyncio.timeout(30):
        while (await instance.operator.get(f"{BULK}/{number}")).json()["done"] < 700:
            await asyncio.sleep(0.02)

    cancelled = await instance.operator.post(f"{BULK}/{number}/cancel")
    again = await instance.operator.post(f"{BULK}/{number}/cancel")
    instance.engine.is_down = False

    assert cancelled.json()["state"] == "cancelled"
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    async with asyncio.timeout(30):
        while (await instance.operator.get(KEYS)).json()["total"] < 700:
            await asyncio.sleep(0.05)


async def test_a_bulk_that_is_paused_goes_on_where_it_was(instance: InProcess) -> None:
    instance.engine.is_down = True
    answer = await instance.operator.post(BULK, json={"action": "create", "create": {"count": 700}})
    path = f"{BULK}/{answer.json()['id']}"

    paused = await instance.operator.post(f"{path}/pause")
    again = await instance.operator.post(f"{path}/pause")
    instance.engine.is_down = False
    continued = await instance.operator.post(f"{path}/continue")
    done = await ended(instance, answer.json()["id"])

    assert (paused.json()["state"], again.json()["state"], continued.json()["state"]) == ("paused", "paused", "waiting")
    assert (done.state, done.outcomes) == ("done", {"done": 700})
    for act in ("pause", "continue"):
        assert (await instance.operator.post(f"{path}/{act}")).json()["code"] == "conflict"


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"action": "disable"}, "where"),
        ({"action": "disable", "where": {"every": True}, "days": 3}, "days"),
        ({"action": "extend", "where": {"every": True}}, "days"),
        ({"action": "move", "where": {"every": True}}, "placement"),
        ({"action": "create"}, "create"),
        ({"action": "create", "create": {}}, "create.count"),
        ({"action": "create", "create": {"count": 100_001}}, "create.count"),
        ({"action": "create", "create": {"count": 1, "plan": "nobody's"}}, "plan"),
        ({"action": "create", "create": {"count": 2, "name": "x" * 250 + "{n}", "first": 99_999}}, "name"),
        ({"action": "delete", "where": {"every": True}, "create": {"count": 1}}, "create"),
        ({"action": "explode"}, "action"),
        ({"action": "delete", "where": {"state": "gone"}}, "where.state"),
    ],
)
async def test_an_order_that_cannot_be_is_refused(instance: InProcess, order: dict[str, object], field: str) -> None:
    answer = await instance.operator.post(BULK, json={**order, "dry_run": True})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"action": "move", "where": {"every": True}}, "placement: is needed for move"),
        ({"action": "create"}, "create: is needed for create"),
        ({"action": "disable", "where": {"every": True}, "days": 3}, "days: does not go with disable"),
    ],
)
async def test_an_order_with_too_little_or_too_much_is_told_which(
    instance: InProcess, order: dict[str, object], told: str
) -> None:
    answer = await instance.operator.post(BULK, json={**order, "dry_run": True})

    assert answer.json()["detail"] == told


async def test_who_may_not_change_keys_starts_no_bulk_of_it(instance: InProcess) -> None:
    await created(instance, count=2)
    reader = await instance.caller(Permission.VPN_KEYS_READ)
    order = {"action": "delete", "where": {"every": True}}

    plan = (await reader.post(BULK, json={**order, "dry_run": True})).json()
    refused = await reader.post(BULK, json={**order, "digest": plan["digest"]})
    links = await reader.get(f"{BULK}/1/links")

    assert plan["change"] == 2
    assert (refused.status_code, links.status_code) == (403, 403)
    assert len(await listed(instance)) == 2


async def test_a_confined_token_sees_and_changes_its_own_keys_only(instance: InProcess) -> None:
    await created(instance, count=2)
    made = await instance.token(*USUAL_VPN_PERMISSIONS, is_confined=True)
    bot = instance.bearer(made.secret.reveal())
    started = await bot.post(BULK, json={"action": "create", "create": {"count": 3}})
    await ended(instance, started.json()["id"])

    plan = (await bot.post(BULK, json={"action": "delete", "where": {"every": True}, "dry_run": True})).json()
    bulks = (await bot.get(BULK)).json()["items"]
    others = await bot.get(f"{BULK}/1")

    assert plan["change"] == 3
    assert [bulk["id"] for bulk in bulks] == [started.json()["id"]]
    assert others.status_code == 404


async def test_a_repeated_create_is_done_once(instance: InProcess) -> None:
    body, headers = {"action": "create", "create": {"count": 2}}, {"idempotency-key": "order-1"}

    first = await instance.operator.post(BULK, json=body, headers=headers)
    await ended(instance, first.json()["id"])
    again = await instance.operator.post(BULK, json=body, headers=headers)

    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert again.headers["idempotency-replayed"] == "true"
    assert len(await listed(instance)) == 2


async def test_results_say_what_became_of_each(instance: InProcess) -> None:
    await created(instance, names=["anna", "berta"])
    bulk = await carried_out(instance, action="delete", where={"keys": ["2", "7"]})

    page = await instance.operator.get(f"{BULK}/{bulk.id}/results", params={"limit": "1"})
    rest = await instance.operator.get(f"{BULK}/{bulk.id}/results", params={"after": str(page.json()["next"])})
    refused = await instance.operator.get(f"{BULK}/{bulk.id}/results", params={"outcome": "refused"})

    first = shapes.BulkResults.model_validate_json(page.content).items[0]
    assert (first.number, first.outcome) == (2, "done")
    assert rest.json()["items"] == refused.json()["items"]
    assert [(item["key"], item["reason"]) for item in refused.json()["items"]] == [("7", "no such key")]


async def test_what_a_bulk_stopped_is_explained_also_when_its_marks_are_lost(instance: InProcess) -> None:
    await created(instance, count=60)
    order = Order(Action.DISABLE, Where(every=True))
    parts = instance.parts

    def stopped(connection: Connection) -> None:
        """Do what a process does that is killed between a commit and the engine."""
        work = Work(connection, operator(1), parts.clock, RandomIds(), parts.keys.ring, "test")
        plan = bulks.plan(work, order=order, pool=POOL, is_applied=lambda _: True)
        bulks.start(work, order=order, digest=plan.digest, pool=POOL, is_applied=lambda _: True)
        until = work.now + timedelta(hours=1)
        job = store.claim(connection, [bulks.KIND], at=work.now, until=until, claim="gone")
        assert job is not None
        nobody = Means(POOL, 0, is_applied=lambda _: True, is_gone=lambda _: False, live=lambda _: None)
        bulkparts.go_on(work, job=job, means=nobody)

    await parts.database.write(stopped)
    await parts.reconciler.reconcile_now("xray/main", 10)

    [scope] = await parts.reconciler.statuses()
    assert (scope.state, instance.engine.users["shared"]) == ("ok", {})
