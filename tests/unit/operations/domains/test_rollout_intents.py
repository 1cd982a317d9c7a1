"""What a rollout changes is on record before its provider is asked, and so is whether it may have been made."""

from typing import Any

import pytest

from keystead.access.store.audit import AuditFilter
from keystead.access.store.audit import page as audit_page
from keystead.kit.page import Page
from keystead.vault import intents
from tests.support.standins.cloudflare import Cloudflare
from tests.support.standins.server import Fate
from tests.support.vaulted import Vaulted
from tests.support.work import Workplace
from tests.unit.operations.domains.test_rollouts import Killed, applied, planned, prepared, work_off

CHANGES = ["records.change", "redirects.change"]


@pytest.fixture
async def vaulted(workplace: Workplace) -> Vaulted:
    """Return a vault with one zone, and a template of records and a redirect."""
    made = Vaulted(workplace, Cloudflare())
    await prepared(made, 1)
    return made


async def audited(vaulted: Vaulted, verb: str) -> list[Any]:
    place = vaulted.workplace
    return await place.database.read(
        lambda c: audit_page(c, place.account_id, Page(limit=1000), AuditFilter(verb=verb))  # type: ignore[call-arg]
    )


def changes(vaulted: Vaulted) -> int:
    """Count the changes that the provider was asked for."""
    asked = [came for came in vaulted.remote.came if came.method != "GET" and "/zones/" in came.path]
    return len(asked)


async def test_records_and_redirects_are_on_record_before_they_are_changed(vaulted: Vaulted) -> None:
    plan, before = await planned(vaulted), changes(vaulted)
    write, made = vaulted.transactions.write, []

    async def writing(call: Any, verb: Any, /, *args: Any, **more: Any) -> Any:
        committed = await write(call, verb, *args, **more)
        if verb is intents.put:
            made.append((args[0].value, changes(vaulted) - before))
        return committed

    vaulted.transactions.write = writing  # type: ignore[method-assign]
    await applied(vaulted, plan)

    [records, redirects] = await audited(vaulted, "vault.intent")
    name = next(iter(vaulted.remote.zones.values()))["name"]
    assert made == [("records.change", 0), ("redirects.change", 1)]
    assert changes(vaulted) - before == len(made)
    assert (records.subject, [one["action"] for one in records.facts["changes"]]) == (f"zone {name}", ["create"] * 2)
    assert [one["action"] for one in redirects.facts["changes"]] == ["create"]
    assert "192.0.2.1" not in str(records.facts)


@pytest.mark.parametrize("change", CHANGES)
async def test_killed_behind_an_intent_it_goes_on_and_changes_once(vaulted: Vaulted, change: str) -> None:
    plan, before = await planned(vaulted), changes(vaulted)
    await vaulted.templates.start(vaulted.call(), plan.number, digest=plan.digest, forced=())
    write = vaulted.transactions.write

    async def dying(call: Any, verb: Any, /, *args: Any, **more: Any) -> Any:
        committed = await write(call, verb, *args, **more)
        if verb is intents.put and args[0].value == change:
            raise Killed
        return committed

    vaulted.transactions.write = dying  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await work_off(vaulted)
    after = Vaulted(vaulted.workplace, vaulted.remote)
    vaulted.workplace.clock.advance(60)
    await work_off(after)

    told = [one.facts["change"] for one in await audited(after, "vault.intent")]
    [zone] = vaulted.remote.zones
    assert (sorted(told), changes(after) - before) == (sorted([*CHANGES, change]), 2)
    assert (len(vaulted.remote.records[zone]), len(vaulted.remote.rules(zone))) == (2, 1)


async def test_a_change_whose_answer_was_lost_says_that_it_may_have_been_made(vaulted: Vaulted) -> None:
    plan = await planned(vaulted)
    vaulted.remote.fault("POST", "/batch", Fate.LOSE_ANSWER)

    await applied(vaulted, plan)

    [failed] = await audited(vaulted, "vault.intent.fail")
    assert (failed.facts["change"], failed.facts["may_have_landed"]) == ("records.change", True)
