"""Customers' programs and devices: what polls leave behind, who connects, and whom an upgrade would lock out."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from keystead.access.permissions import Permission
from keystead.db.session import Database
from keystead.dialects.v1 import client_shapes, engine_shapes
from tests.support.instance import InProcess, in_process

KEYS, REPLACEMENT = "/v1/vpn/keys", "/v1/engines/xray/main/replacement"
PINNED = "26.7.28"
HAPP, SING_BOX = "Happ/3.1.0/ios", "SFA/1.12.0 (466; sing-box 1.12.0)"
FULL, UNNAMED = "x-hwid-max-devices-reached", "x-hwid-not-supported"


class Customer:
    """A key with its subscription, polled from outside."""

    def __init__(self, instance: InProcess, key: dict[str, Any], path: str) -> None:
        self.instance, self.key, self._path = instance, key, path
        self.place = f"{KEYS}/{key['id']}"

    async def poll(self, agent: str = HAPP, hwid: str | None = None, form: str = "", **more: str) -> httpx2.Response:
        device = {} if hwid is None else {"x-hwid": hwid, "x-device-os": "iOS", "x-ver-os": "18", "x-device-model": "7"}
        return await self.instance.stranger().get(
            f"{self._path}{form}", headers={"user-agent": agent, **device, **more}
        )

    async def devices(self) -> client_shapes.DeviceList:
        answer = await self.instance.operator.get(f"{self.place}/devices")
        return client_shapes.DeviceList.model_validate_json(answer.content)


async def customer(instance: InProcess, **terms: object) -> Customer:
    key = (await instance.operator.post(KEYS, json={"terms": terms} if terms else {})).json()
    url = (await instance.operator.get(f"{KEYS}/{key['id']}/subscription")).json()["url"]
    return Customer(instance, key, urlsplit(url).path)


async def pin(instance: InProcess) -> None:
    """Let the core be one whose version is known."""
    instance.engine.version = instance.engine.available = PINNED


def outcomes(found: client_shapes.Compatibility, form: str) -> dict[str, list[str]]:
    [readers] = [one for one in found.forms if one.form == form]
    return readers.model_dump(mode="json", exclude={"form"})


async def test_a_key_s_compatibility_tells_families_forms_and_who_polled(instance: InProcess) -> None:
    await pin(instance)
    anna = await customer(instance)
    await anna.poll(SING_BOX)

    answer = await instance.operator.get(f"{anna.place}/compatibility")

    found = client_shapes.KeyCompatibility.model_validate_json(answer.content)
    assert (found.core, found.client_versions, found.is_active) == (PINNED, "compatible", True)
    assert outcomes(found, "sing-box") == {
        "connects": ["hiddify", "karing", "sing-box"],
        **{outcome: [] for outcome in ("depends", "refused", "unknown")},
    }
    used = {one.family: one.last_used_at for one in found.families if one.last_used_at is not None}
    assert list(used) == ["sing-box"]
    clash = next(one for one in found.families if one.family == "clash")
    assert (clash.outcome, clash.reason, clash.reads) == ("refused", "it does not speak VLESS", [])


async def test_customers_are_counted_by_family_once_a_key_and_people_are_not(instance: InProcess) -> None:
    await pin(instance)
    anna, bert = await customer(instance), await customer(instance)
    for _ in range(2):
        await anna.poll(HAPP)
    await anna.poll(SING_BOX)
    await bert.poll(HAPP)
    await bert.poll("Some thing/1.0")
    await bert.poll("Mozilla/5.0", form="/page")

    answer = await instance.operator.get("/v1/vpn/compatibility")

    found = client_shapes.AccountCompatibility.model_validate_json(answer.content)
    counted = {one.family: one.customers for one in found.families if one.customers}
    assert (counted, found.other_customers) == ({"happ": 2, "sing-box": 1}, 1)


async def test_a_confined_token_is_told_of_its_own_customers_only(instance: InProcess) -> None:
    await pin(instance)
    await (await customer(instance)).poll(HAPP)
    token = await instance.token(Permission.VPN_KEYS_READ, is_confined=True)

    found = (await instance.bearer(token.secret.reveal()).get("/v1/vpn/compatibility")).json()

    assert sum(one["customers"] for one in found["families"]) == 0


async def test_devices_up_to_the_limit_fetch_and_the_next_is_refused_until_one_is_forgotten(
    instance: InProcess,
) -> None:
    anna = await customer(instance, device_limit=2)

    first, again, second, third = [await anna.poll(hwid=name) for name in ("a", "a", "b", "c")]
    listed = await anna.devices()
    gone = await instance.operator.delete(f"{anna.place}/devices/{listed.items[0].id}")
    fourth, back = await anna.poll(hwid="c"), await anna.poll(hwid="a")

    assert [one.status_code for one in (first, again, second, third)] == [200, 200, 200, 404]
    assert (third.headers[FULL], first.headers["x-hwid-active"]) == ("true", "true")
    assert [(one.system, one.model) for one in listed.items] == [("iOS 18", "7")] * 2
    assert listed.device_limit == 2
    assert gone.status_code == 204
    assert (fourth.status_code, back.status_code) == (200, 404)


async def test_a_program_that_names_no_device_is_refused_only_where_a_limit_was_sold(instance: InProcess) -> None:
    limited, free = await customer(instance, device_limit=1), await customer(instance)

    refused, served = await limited.poll(), await free.poll(hwid="a")
    page = await limited.poll("Mozilla/5.0", form="/page")

    assert (refused.status_code, refused.headers[UNNAMED], served.status_code) == (404, "true", 200)
    assert (await free.devices()).items == []
    assert (page.status_code, "0 / 1" in page.text, "vless://" in page.text) == (200, True, False)


async def test_a_refusal_is_told_once_a_day_in_the_trail_and_to_webhooks(instance: InProcess) -> None:
    wanted = {"url": "http://127.0.0.1:9/hook", "events": ["vpn.key.device_refused"]}
    hook = (await instance.operator.post("/v1/webhooks", json=wanted)).json()
    anna = await customer(instance, device_limit=1)
    for name in ("a", "b", "c"):
        await anna.poll(hwid=name)
    await anna.poll()

    records = [
        (record.verb, record.facts) for record in await instance.records(subject=f"vpn key {anna.key['number']}")
    ]
    told = (await instance.operator.get(f"/v1/webhooks/{hook['id']}/deliveries")).json()["items"]

    refusals = [facts for verb, facts in records if verb == "vpn.device.refuse"]
    assert refusals == [{"reason": "full", "device_limit": 1, "system": "iOS 18", "model": "7"}]
    assert [verb for verb, _ in records].count("vpn.device.add") == 1
    assert [one["event"] for one in told] == ["vpn.key.device_refused"]


async def test_a_new_address_of_the_subscription_forgets_devices(instance: InProcess) -> None:
    anna = await customer(instance, device_limit=1)
    await anna.poll(hwid="a")

    await instance.operator.post(f"{anna.place}/subscription/replace")

    assert (await anna.devices()).items == []


async def test_all_devices_are_forgotten_at_once_and_an_unknown_one_is_404(instance: InProcess) -> None:
    anna = await customer(instance, device_limit=2)
    for name in ("a", "b"):
        await anna.poll(hwid=name)

    gone = await instance.operator.delete(f"{anna.place}/devices")
    again = await instance.operator.delete(f"{anna.place}/devices/1")

    assert (gone.json(), again.status_code) == ({"forgotten": 2}, 404)
    assert (await anna.devices()).items == []


@pytest.fixture
async def strict(database: Database, tmp_path: Path) -> Any:
    """Return an instance whose settings became strict after customers had come."""
    async with in_process(database, tmp_path) as before:
        for agent in (HAPP, SING_BOX, SING_BOX):
            await (await customer(before)).poll(agent)
    async with in_process(database, tmp_path, versions="strict") as made:
        made.engine.version = made.engine.available = PINNED
        yield made


async def test_a_stricter_setting_waits_for_an_upgrade_whose_plan_says_whom_it_locks_out(strict: InProcess) -> None:
    before = (await strict.operator.get("/v1/vpn/compatibility")).json()
    doctor = {one["name"]: one for one in (await strict.operator.get("/v1/doctor")).json()["checks"]}

    answer = await strict.operator.post(REPLACEMENT, json={"kind": "upgrade", "dry_run": True})

    plan = engine_shapes.Replacement.model_validate_json(answer.content)
    losses = {one.programs.partition(" ")[0]: one for one in plan.losses}
    assert (before["client_versions"], before["client_versions_wanted"]) == ("compatible", "strict")
    assert (doctor["client versions"]["status"], plan.is_needed) == ("warn", True)
    assert plan.alterations == ["client versions: compatible to strict"]
    assert (losses["sing-box"].customers, losses["sing-box"].is_whole) == (2, True)
    assert (losses["Happ"].customers, losses["Happ"].is_whole) == (1, False)
    assert "locked out     sing-box (SFA, SFI, SFM, SFT): 2 customers in the last 30 days" in plan.text


async def test_the_stricter_rule_is_in_force_only_once_its_plan_is_approved_by_digest(strict: InProcess) -> None:
    restart = (await strict.operator.post(REPLACEMENT, json={"kind": "restart", "dry_run": True})).json()
    await strict.operator.post(REPLACEMENT, json={"kind": "restart", "digest": restart["digest"]})
    unapproved = await strict.operator.post(REPLACEMENT, json={"kind": "upgrade", "digest": "0"})
    between = (await strict.operator.get("/v1/vpn/compatibility")).json()["client_versions"]

    plan = (await strict.operator.post(REPLACEMENT, json={"kind": "upgrade", "dry_run": True})).json()
    done = await strict.operator.post(REPLACEMENT, json={"kind": "upgrade", "digest": plan["digest"]})
    after = (await strict.operator.get("/v1/vpn/compatibility")).json()
    nothing = (await strict.operator.post(REPLACEMENT, json={"kind": "upgrade", "dry_run": True})).json()
    drift = (await strict.operator.get("/v1/engines/xray/main/plan")).json()

    assert (restart["losses"], unapproved.status_code, between) == ([], 409, "compatible")
    assert (done.status_code, after["client_versions"], nothing["is_needed"]) == (200, "strict", False)
    assert drift["steps"] == []
    assert [record.facts for record in await strict.records(verb="vpn.clients.allow")] == [{"versions": "strict"}]
    assert next(one["outcome"] for one in after["families"] if one["family"] == "mihomo") == "refused"


async def test_a_core_that_refuses_clients_says_so_in_its_plan_which_few_customers_more_do_not_change(
    instance: InProcess,
) -> None:
    instance.engine.version, instance.engine.available = PINNED, "26.9.8"
    counted, digests, text = [], [], ""

    for _ in range(4):
        await (await customer(instance)).poll(SING_BOX)
        plan = (await instance.operator.post(REPLACEMENT, json={"kind": "upgrade", "dry_run": True})).json()
        counted += [one["customers"] for one in plan["losses"] if one["programs"].startswith("sing-box")]
        digests.append(plan["digest"])
        text = plan["text"]

    one, two, three, four = digests
    assert counted == [1, 2, 3, 4]
    assert "X25519MLKEM768" in text
    assert two == three
    assert len({one, two, four}) == 3
