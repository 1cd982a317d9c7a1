"""Key pairs over the native API: shown, planned, rotated, turned back, retired; who may; and what a failure leaves."""

import asyncio
from typing import Any

from keystead.access.permissions import USUAL_VPN_PERMISSIONS, Permission
from keystead.access.principal import operator
from keystead.dialects.v1.pair_shapes import PairPlan, Pairs, PairUseList
from keystead.operations.calls import Call
from keystead.vpn import pairs
from keystead.vpn.links import parse_link
from keystead.vpn.pairplan import Act, Wish
from tests.support.instance import SCOPE, InProcess
from tests.support.shop import new_pair

KEYS, PAIR = "/v1/vpn/keys", "/v1/vpn/pair"


async def issue(instance: InProcess, **body: object) -> dict[str, Any]:
    key: dict[str, Any] = (await instance.operator.post(KEYS, json=body)).json()
    return key


async def linked(instance: InProcess, key: dict[str, Any]) -> str:
    """Return the public key that a key's link carries."""
    return parse_link((await instance.operator.get(f"{KEYS}/{key['id']}/link")).json()["link"]).public_key


async def planned(instance: InProcess, act: str, **more: object) -> PairPlan:
    answer = await instance.operator.post(PAIR, json={"act": act, "dry_run": True, **more})
    assert answer.status_code == 200, answer.text
    return PairPlan.model_validate_json(answer.content)


async def carry_out(instance: InProcess, act: str, **more: object) -> Pairs:
    plan = await planned(instance, act, **more)
    answer = await instance.operator.post(PAIR, json={"act": act, "digest": plan.digest, **more})
    assert answer.status_code == 200, answer.text
    return await shown(instance)


async def shown(instance: InProcess) -> Pairs:
    return Pairs.model_validate_json((await instance.operator.get(PAIR)).content)


async def test_a_rotation_is_planned_and_done_as_planned_and_turned_back(instance: InProcess) -> None:
    key, own = await issue(instance, name="anna"), await issue(instance, placement="own-port")
    old = await linked(instance, key)

    plan = await planned(instance, "rotate", keep_s=86_400)
    rotated = await carry_out(instance, "rotate", keep_s=86_400)
    links = {await linked(instance, one) for one in (key, own)}
    assert (await instance.operator.post("/v1/secrets/rotate")).status_code == 200  # both private keys go along
    reverted = await carry_out(instance, "revert", keep_s=3600)
    back = await linked(instance, key)

    assert (plan.linked, plan.second, plan.ports, plan.keys) == (old, None, 2, 2)
    assert "connect for 1 day more" in plan.text
    assert rotated.second is not None
    assert (rotated.second.public_key, rotated.second.stage) == (old, "going")
    assert links == {rotated.linked.public_key}
    assert old not in links
    assert reverted.second is not None
    assert (reverted.linked.public_key, reverted.second.public_key) == (old, rotated.linked.public_key)
    assert back == old
    assert [record.facts["kept_s"] for record in await instance.records(verb="vpn.pair.follow")] == [86_400]


async def test_a_retirement_tells_who_still_uses_the_pair_and_ends_it(instance: InProcess) -> None:
    anna, bert = await issue(instance, name="anna"), await issue(instance, name="bert")
    await carry_out(instance, "rotate")
    watching, behind = instance.engine.watching, next(tag for tag in instance.engine.users if "behind" in tag)
    watching.connect(f"k{anna['number']}-1", tag=behind)
    watching.connect(f"k{bert['number']}-1")
    watching.ago_s_by_side[True] = {f"k{anna['number']}-1": 3.0}

    used = PairUseList.model_validate_json((await instance.operator.get(f"{PAIR}/uses")).content)
    plan = await planned(instance, "retire")
    retired = await carry_out(instance, "retire")

    assert [(one.key_number, one.name, one.connections) for one in used.items] == [(anna["number"], "anna", 1)]
    assert (plan.keys_connected, plan.keys_seen) == (1, 1)
    assert "1 key now, 1 key since links turned" in plan.text
    assert retired.second is None
    assert set(instance.engine.users) == {"shared"}
    assert (await instance.operator.get(f"{PAIR}/uses")).json() == {"items": [], "next": None}


async def test_a_process_that_does_not_prove_itself_leaves_everything_as_it_was(instance: InProcess) -> None:
    key = await issue(instance)
    old, plan = await linked(instance, key), await planned(instance, "rotate")
    instance.engine.keeps_its_process = True

    answer = await instance.operator.post(PAIR, json={"act": "rotate", "digest": plan.digest})

    assert answer.status_code == 503
    assert "links stay what they are" in answer.json()["detail"]
    assert (await shown(instance)).second is None
    assert await linked(instance, key) == old
    assert len(await instance.records(verb="vpn.pair.rotate.undo")) == 1


async def test_a_plan_that_was_not_reviewed_is_not_carried_out(instance: InProcess) -> None:
    stale = await planned(instance, "rotate", keep_s=60)

    missing = await instance.operator.post(PAIR, json={"act": "rotate"})
    other = await instance.operator.post(PAIR, json={"act": "rotate", "keep_s": 61, "digest": stale.digest})
    impossible = await instance.operator.post(PAIR, json={"act": "retire", "dry_run": True})
    unreadable = await instance.operator.post(PAIR, json={"act": "replace", "keep_s": -1})

    assert [answer.status_code for answer in (missing, other, impossible, unreadable)] == [409, 409, 409, 422]
    assert (await shown(instance)).second is None


async def test_pairs_are_seen_and_changed_with_permissions_of_their_own(instance: InProcess) -> None:
    bot = await instance.caller(*USUAL_VPN_PERMISSIONS)
    reader = await instance.caller(Permission.VPN_PAIRS_READ)
    plan = await planned(instance, "rotate")
    wish = {"act": "rotate", "digest": plan.digest}

    answers = [
        await bot.get(PAIR),
        await bot.post(PAIR, json=wish),
        await reader.get(PAIR),
        await reader.get(f"{PAIR}/uses"),
        await reader.post(PAIR, json=wish),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 200, 200, 403]
    assert (await shown(instance)).second is None


async def test_a_rotation_that_another_process_began_is_finished(instance: InProcess) -> None:
    key, plan = await issue(instance), await planned(instance, "rotate")
    old, parts = await linked(instance, key), instance.parts
    who = Call(operator(parts.foundation.account_id), "test")
    wish = Wish(Act.ROTATE, plan.keep_s)
    await parts.transactions.write(who, pairs.begin, SCOPE, wish, digest=plan.digest, pair=new_pair())
    coming = await shown(instance)

    running = asyncio.create_task(parts.pairs.run(parts.clock))
    async with asyncio.timeout(20):
        while await linked(instance, key) == old:
            await asyncio.sleep(0.02)
    running.cancel()
    found = await shown(instance)

    assert coming.second is not None
    assert (coming.second.stage, coming.linked.public_key) == ("coming", old)
    assert found.second is not None
    assert (found.second.stage, found.second.public_key) == ("going", old)
