"""Live connections over the native API: whose are seen, whose addresses are shown, and what is put on record."""

from typing import Any

import pytest

from keystead.access.permissions import USUAL_VPN_PERMISSIONS, VPN_PERMISSIONS, Permission
from keystead.dialects.v1 import schemas
from keystead.dialects.v1.connection_shapes import ConnectionList
from keystead.engines.xray.state import AddressUse
from tests.support.instance import InProcess

KEYS, ALL = "/v1/vpn/keys", "/v1/vpn/connections"
HOST = "203.0.113.5"


async def issue(instance: InProcess, name: str = "anna") -> dict[str, Any]:
    key: dict[str, Any] = (await instance.operator.post(KEYS, json={"name": name})).json()
    return key


def label(key: dict[str, Any], revision: int = 1) -> str:
    return f"k{key['number']}-{revision}"


async def readings(instance: InProcess) -> list[tuple[str, object]]:
    return [(record.subject, record.facts["keys"]) for record in await instance.records(verb="vpn.addresses.read")]


async def findings(instance: InProcess) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in (await instance.operator.get("/v1/doctor")).json()["checks"]}


async def test_a_key_s_connections_are_listed_and_the_reading_of_addresses_is_on_record(instance: InProcess) -> None:
    key, other = await issue(instance), await issue(instance, "bert")
    for owner in (key, key, other):
        instance.engine.watching.connect(label(owner))

    answer = await instance.operator.get(f"{KEYS}/{key['id']}/connections")

    found = ConnectionList.model_validate_json(answer.content)
    shown = [(one.key_id, one.address, one.upload, one.download) for one in found.items]
    assert shown == [(key["id"], HOST, 1000, 2000)] * 2
    assert found.next is None
    assert await readings(instance) == [(f"vpn key {key['number']}", [key["number"]])]


async def test_refused_addresses_are_counted_for_everybody_and_shown_with_the_permission(instance: InProcess) -> None:
    key = await issue(instance)
    instance.engine.watching.use = {label(key): AddressUse(1, 1, [HOST])}
    bot = await instance.caller(*USUAL_VPN_PERMISSIONS)

    for_all = (await bot.get(f"{KEYS}/{key['id']}")).json()
    before = await readings(instance)
    for_some = (await instance.operator.get(f"{KEYS}/{key['id']}")).json()

    assert for_all["address_use"] == {"active": 1, "refused": 1, "refused_addresses": None}
    assert for_some["address_use"] == {"active": 1, "refused": 1, "refused_addresses": [HOST]}
    assert (before, len(await readings(instance))) == ([], 1)


async def test_without_the_permission_there_are_counts_and_no_addresses_and_no_record(instance: InProcess) -> None:
    key = await issue(instance)
    instance.engine.watching.connect(label(key))
    bot = await instance.caller(*USUAL_VPN_PERMISSIONS)

    [one] = (await bot.get(ALL)).json()["items"]
    shown = (await bot.get(f"{KEYS}/{key['id']}")).json()

    assert (one["address"], one["port"], one["download"]) == (None, None, 2000)
    assert (shown["online"], shown["addresses"]) == (1, None)
    assert HOST not in (await bot.get(KEYS)).text
    assert await readings(instance) == []


async def test_addresses_that_are_not_asked_for_are_not_read(instance: InProcess) -> None:
    key = await issue(instance)
    instance.engine.watching.connect(label(key))

    [one] = (await instance.operator.get(ALL, params={"addresses": "false"})).json()["items"]
    [listed] = (await instance.operator.get(KEYS, params={"addresses": "false"})).json()["items"]

    assert (one["address"], listed["addresses"], listed["online"]) == (None, None, 1)
    assert await readings(instance) == []


async def test_a_list_tells_of_every_key_with_one_question_and_one_record(instance: InProcess) -> None:
    keys = [await issue(instance, f"key {number}") for number in range(3)]
    for key in keys[:2]:
        instance.engine.watching.connect(label(key))
    instance.engine.watching.connect(label(keys[0]), "203.0.113.9")
    instance.engine.watching.asked = 0

    page = schemas.KeyList.model_validate_json((await instance.operator.get(KEYS)).content)

    assert [(key.online, key.addresses) for key in page.items] == [(2, [HOST, "203.0.113.9"]), (1, [HOST]), (0, [])]
    assert [key.last_seen_at is not None for key in page.items] == [True, True, False]
    assert instance.engine.watching.asked == 1
    assert await readings(instance) == [("vpn keys", [keys[0]["number"], keys[1]["number"]])]


async def test_connections_under_an_earlier_uuid_are_still_the_key_s(instance: InProcess) -> None:
    key = await issue(instance)
    instance.engine.watching.connect(label(key))
    await instance.operator.post(f"{KEYS}/{key['id']}/reissue")
    instance.engine.watching.connect(label(key, 2))

    assert len((await instance.operator.get(f"{KEYS}/{key['id']}/connections")).json()["items"]) == 2
    assert len((await instance.operator.get(ALL)).json()["items"]) == 2


async def test_a_confined_token_sees_the_connections_of_its_own_keys_only(instance: InProcess) -> None:
    theirs = await issue(instance)
    bot = instance.bearer((await instance.token(*VPN_PERMISSIONS, is_confined=True)).secret.reveal())
    own = (await bot.post(KEYS, json={})).json()
    for key in (theirs, own):
        instance.engine.watching.connect(label(key))
    instance.engine.watching.connect(None)

    found = (await bot.get(ALL)).json()["items"]

    assert [(one["key_id"], one["address"]) for one in found] == [(own["id"], HOST)]
    assert (await bot.get(f"{KEYS}/{theirs['id']}/connections")).status_code == 404


async def test_a_key_whose_only_connection_has_just_ended_was_last_seen_then(instance: InProcess) -> None:
    key, other = await issue(instance), await issue(instance)
    instance.engine.watching.ago_s = {label(key): 5.0}

    shown = (await instance.operator.get(f"{KEYS}/{key['id']}")).json()
    never = (await instance.operator.get(f"{KEYS}/{other['id']}")).json()

    assert (shown["online"], shown["last_seen_at"] is not None) == (0, True)
    assert (never["online"], never["last_seen_at"]) == (0, None)


async def test_pages_follow_each_other_without_a_gap(instance: InProcess) -> None:
    keys = [await issue(instance), await issue(instance)]
    made = [instance.engine.watching.connect(label(keys[number % 2])).id for number in range(5)]
    seen: list[int] = []
    after: int | None = 0

    while after is not None:
        page = (await instance.operator.get(ALL, params={"limit": 2, "after": after})).json()
        seen += [one["id"] for one in page["items"]]
        after = page["next"]

    assert seen == made


@pytest.mark.parametrize("path", [ALL, f"{KEYS}/1/connections"])
async def test_where_nobody_knows_connections_it_is_said(instance: InProcess, path: str) -> None:
    key = await issue(instance)
    instance.engine.watching.reason = "this Xray is run by somebody else"

    answer = await instance.operator.get(path)
    shown = (await instance.operator.get(f"{KEYS}/{key['id']}")).json()

    assert (answer.status_code, answer.json()["code"]) == (501, "unsupported")
    assert "somebody else" in answer.json()["detail"]
    assert (shown["online"], shown["last_seen_at"], shown["addresses"]) == (None, None, None)


async def test_who_may_not_see_usage_may_not_see_connections(instance: InProcess) -> None:
    bot = await instance.caller(Permission.VPN_KEYS_READ, Permission.VPN_ADDRESSES_READ)

    assert (await bot.get(ALL)).status_code == 403


async def test_metrics_and_doctor_tell_what_works(instance: InProcess) -> None:
    instance.engine.watching.connect(None)

    page = (await instance.operator.get("/metrics")).text
    found = await findings(instance)

    assert 'keystead_connections{scope="xray/main"} 1.0' in page
    assert 'keystead_connections_ownerless_share{scope="xray/main"} 0.25' in page
    assert 'keystead_cut_doubtful_keys{scope="xray/main"} 0.0' in page
    assert 'keystead_trick_works{scope="xray/main",trick="lines"} 1.0' in page
    assert 'keystead_trick_works{scope="xray/main",trick="pace"} 1.0' in page
    assert 'keystead_cut_way{scope="xray/main",way="destroy"} 1.0' in page
    assert 'keystead_cut_way{scope="xray/main",way="none"} 0.0' in page
    assert found["xray/main cut"]["status"] == "ok"


async def test_for_somebody_else_s_core_metrics_are_absent_and_the_doctor_says_what_is_left(
    instance: InProcess,
) -> None:
    await instance.operator.get("/metrics")
    instance.engine.watching.reason = "this Xray is run by somebody else"

    page = (await instance.operator.get("/metrics")).text
    found = (await findings(instance))["xray/main connections"]

    assert "keystead_connections{" not in page
    assert 'keystead_trick_works{scope="xray/main",trick="dump"} 0.0' in page
    assert 'keystead_cut_way{scope="xray/main",way="none"} 1.0' in page
    assert found["status"] == "warn"
    assert "live ones go on" in found["message"]
