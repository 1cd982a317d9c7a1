"""A template applied to many zones as one plan: planned, reviewed, carried out, and gone on with after a kill."""

import asyncio
from typing import Any

import pytest

from keystead.access.store.audit import AuditFilter
from keystead.access.store.audit import page as audit_page
from keystead.kit.errors import Conflict, Invalid, NeedsConfirmation, NotFound
from keystead.kit.page import Page
from keystead.operations.domains.records import Action, RecordChange
from keystead.providers.redirect import Redirect
from keystead.vault.errors import ZoneNotFound
from keystead.vault.rolloutvalue import Rollout, Selection, Stage, ZoneResult
from keystead.vault.templatevalue import RecordWish, Template
from tests.support import people
from tests.support.queries import noted
from tests.support.standins.cloudflare import Cloudflare
from tests.support.standins.server import Fate
from tests.support.vaulted import Vaulted
from tests.support.work import Workplace

PARKING = Template(
    "parking",
    (RecordWish("A", "@", "{ip}", proxied=True), RecordWish("CNAME", "www", "{domain}", proxied=True)),
    (Redirect("www.{domain}", "https://{domain}", keeps_path=True),),
)
VALUES = {"ip": "192.0.2.1"}
EVERY = Selection(every=True)
ALL = Page(1000, 0)


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def remote() -> Cloudflare:
    return Cloudflare()


@pytest.fixture
def vaulted(workplace: Workplace, remote: Cloudflare) -> Vaulted:
    return Vaulted(workplace, remote)


async def prepared(vaulted: Vaulted, zones: int, template: Template = PARKING) -> None:
    """Connect an account with some zones, and keep the template."""
    vaulted.remote.add_zones(zones)
    await vaulted.connect(vaulted.remote.bootstrap().value)
    await vaulted.templates.put(vaulted.call(), template)


async def work_off(vaulted: Vaulted) -> None:
    """Carry out every job, those put off included, as time goes on, until no rollout is under way.

    A job may be out of reach for a moment: the lease of it that a process prolonged when it was gone is still written.
    """
    for _ in range(300):
        job = await vaulted.jobs.claim()
        if job is not None:
            await vaulted.jobs.carry_out(job)
        elif not await is_under_way(vaulted):
            return
        else:
            await asyncio.sleep(0.01)
        vaulted.workplace.clock.advance(20)
    raise AssertionError("a rollout never ends")


async def once(vaulted: Vaulted) -> None:
    """Carry the next job out until it ends or is put off."""
    job = await vaulted.jobs.claim()
    assert job is not None
    await vaulted.jobs.carry_out(job)


async def is_under_way(vaulted: Vaulted) -> bool:
    latest = await vaulted.templates.rollouts(vaulted.call(), Page(1, 0))
    return any(one.stage in {Stage.PLANNING, Stage.APPLYING} for one in latest)


async def planned(vaulted: Vaulted, selection: Selection = EVERY, template: str = "parking", **more: Any) -> Rollout:
    begun = await vaulted.templates.plan(vaulted.call(), template, selection, more.pop("values", VALUES))
    await work_off(vaulted)
    return await vaulted.templates.rollout(vaulted.call(), begun.number)


async def applied(vaulted: Vaulted, plan: Rollout, *forced: str) -> Rollout:
    await vaulted.templates.start(vaulted.call(), plan.number, digest=plan.digest, forced=forced)
    await work_off(vaulted)
    return await vaulted.templates.rollout(vaulted.call(), plan.number)


async def results(vaulted: Vaulted, rollout: Rollout) -> list[ZoneResult]:
    return list(await vaulted.templates.results(vaulted.call(), rollout.number, outcome=None, page=ALL))


def contents(remote: Cloudflare) -> list[list[tuple[str, str]]]:
    """Return names and contents of all records, zone by zone."""
    zones = sorted(remote.zones.values(), key=lambda zone: zone["name"])
    return [
        sorted((one["name"], one["content"]) for one in remote.records.get(zone["id"], {}).values()) for zone in zones
    ]


def parked(remote: Cloudflare) -> list[list[tuple[str, str]]]:
    names = sorted(zone["name"] for zone in remote.zones.values())
    return [sorted([(name, "192.0.2.1"), (f"www.{name}", name)]) for name in names]


async def test_a_template_is_planned_for_every_zone_and_changes_nothing_until_it_is_started(
    vaulted: Vaulted, remote: Cloudflare
) -> None:
    await prepared(vaulted, 6)

    plan = await planned(vaulted)

    assert (plan.stage, plan.done, plan.total, plan.unsafe) == (Stage.PLANNED, 6, 6, ())
    assert (plan.totals.creates, plan.totals.changes, plan.totals.deletes) == (18, 0, 0)
    assert contents(remote) == [[]] * 6
    assert {came.method for came in remote.came if "/zones/" in came.path} == {"GET"}
    done = await applied(vaulted, plan)
    assert (done.stage, done.totals.outcomes) == (Stage.DONE, {"done": 6})
    assert contents(remote) == parked(remote)
    assert [len(remote.rules(zone)) for zone in remote.zones] == [1] * 6
    assert len(remote.asked("POST", "/batch")) == 6


async def test_applied_again_it_finds_nothing_to_do(vaulted: Vaulted) -> None:
    await prepared(vaulted, 2)
    await applied(vaulted, await planned(vaulted))

    again = await planned(vaulted)

    assert again.totals.outcomes == {"same": 2}
    with pytest.raises(Conflict):
        await vaulted.templates.start(vaulted.call(), again.number, digest=again.digest, forced=())


async def test_what_is_others_is_left_and_counted_and_what_the_template_said_before_is_deleted(
    vaulted: Vaulted, remote: Cloudflare
) -> None:
    await prepared(vaulted, 1)
    [zone] = remote.zones
    remote.add_records(zone, 3)
    foreign = dict(remote.add_foreign_rule(zone))
    await applied(vaulted, await planned(vaulted))
    await vaulted.templates.put(vaulted.call(), Template("parking", PARKING.records[:1]))

    plan = await planned(vaulted)
    [found] = await results(vaulted, plan)
    await applied(vaulted, plan)

    assert (found.creates, found.changes, found.deletes, found.left) == (0, 0, 2, 4)
    assert {step.reason for step in found.steps} == {"the template says it no more"}
    assert remote.rules(zone) == [foreign]
    name = remote.zones[zone]["name"]
    assert (name, "192.0.2.1") in contents(remote)[0]
    assert len(contents(remote)[0]) == 4


async def test_a_plan_that_deletes_too_much_needs_its_zones_or_itself_to_be_named(
    vaulted: Vaulted, remote: Cloudflare
) -> None:
    template = Template("one-mx", (RecordWish("MX", "@", "mx.example.net"),))
    await prepared(vaulted, 2, template)
    for zone in remote.zones:
        for number in range(3):
            record = {"type": "MX", "name": "@", "content": f"mx{number}.example.org", "priority": 10, "ttl": 1}
            remote._add(zone, record)
    names = [zone["name"] for zone in remote.zones.values()]

    plan = await planned(vaulted, template="one-mx")
    with pytest.raises(NeedsConfirmation) as refusal:
        await applied(vaulted, plan, names[0])

    assert len(plan.unsafe) == 2
    assert refusal.value.context["problems"] == [
        f"{names[1]}: 2 of 3 records would be deleted, more than 30 %",
    ]
    assert (await applied(vaulted, plan, *names)).stage is Stage.DONE
    assert [len(one) for one in contents(remote)] == [1, 1]


async def test_the_plan_is_forced_by_its_digest(vaulted: Vaulted, remote: Cloudflare) -> None:
    await prepared(vaulted, 1, Template("one-mx", (RecordWish("MX", "@", "mx.example.net"),)))
    [zone] = remote.zones
    for number in range(2):
        remote._add(zone, {"type": "MX", "name": "@", "content": f"mx{number}.example.org", "priority": 10, "ttl": 1})
    plan = await planned(vaulted, template="one-mx")

    assert plan.digest is not None
    assert (await applied(vaulted, plan, plan.digest)).stage is Stage.DONE


@pytest.mark.parametrize("digest", [None, "0123456789abcdef"])
async def test_only_the_plan_that_was_reviewed_is_started(vaulted: Vaulted, digest: str | None) -> None:
    await prepared(vaulted, 1)
    plan = await planned(vaulted)

    with pytest.raises(Conflict):
        await vaulted.templates.start(vaulted.call(), plan.number, digest=digest, forced=())


async def test_a_zone_that_changed_since_it_was_planned_is_left_alone(vaulted: Vaulted, remote: Cloudflare) -> None:
    await prepared(vaulted, 2)
    plan = await planned(vaulted)
    first, second = remote.zones
    remote._add(first, {"type": "A", "name": "@", "content": "198.51.100.1", "ttl": 1})

    done = await applied(vaulted, plan)

    assert done.totals.outcomes == {"done": 1, "refused": 1}
    assert [one["content"] for one in remote.records[first].values()] == ["198.51.100.1"]
    assert len(remote.records[second]) == 2


async def test_what_one_zone_cannot_be_planned_for_does_not_keep_the_others(
    vaulted: Vaulted, remote: Cloudflare
) -> None:
    await prepared(vaulted, 3)
    gone = next(iter(remote.zones))
    del remote.zones[gone]

    plan = await planned(vaulted)

    assert plan.totals.outcomes == {"planned": 2, "refused": 1}
    [refused] = [one for one in await results(vaulted, plan) if one.outcome == "refused"]
    assert "Could not route" in (refused.reason or "")


async def test_what_the_provider_refuses_fails_one_zone_and_changes_nothing_of_it(
    vaulted: Vaulted, remote: Cloudflare
) -> None:
    await prepared(vaulted, 2)
    plan = await planned(vaulted)
    remote.batch_max = 1

    done = await applied(vaulted, plan)

    assert done.totals.outcomes == {"failed": 2}
    assert {one.reason for one in await results(vaulted, done)} == {
        "Cloudflare refused: 81400: The number of changes is above the limit of the zone."
    }
    assert contents(remote) == [[], []]


async def test_a_lost_answer_is_gone_on_with_and_makes_nothing_twice(vaulted: Vaulted, remote: Cloudflare) -> None:
    await prepared(vaulted, 5)
    plan = await planned(vaulted)
    remote.fault("POST", "/batch", Fate.LOSE_ANSWER)
    remote.fault("POST", "/rulesets", Fate.ACT_AND_FAIL, status=502)

    done = await applied(vaulted, plan)

    assert done.totals.outcomes == {"done": 5}
    assert contents(remote) == parked(remote)
    assert [len(remote.rules(zone)) for zone in remote.zones] == [1] * 5


async def test_a_limit_puts_the_job_off_until_it_is_over(vaulted: Vaulted, remote: Cloudflare) -> None:
    await prepared(vaulted, 2)
    plan = await planned(vaulted)
    remote.fault("POST", "/batch", Fate.REFUSE, status=429, headers={"Retry-After": "60"})

    done = await applied(vaulted, plan)

    assert done.totals.outcomes == {"done": 2}
    assert contents(remote) == parked(remote)


async def test_a_zone_that_cannot_be_reached_keeps_no_other_waiting_and_is_given_up_in_the_end(
    vaulted: Vaulted, remote: Cloudflare
) -> None:
    await prepared(vaulted, 6)
    plan = await planned(vaulted)
    for zone in sorted(remote.zones.values(), key=lambda zone: zone["name"])[:4]:
        remote.fault("GET", f"{zone['id']}/dns_records", Fate.REFUSE, status=502, times=1000)
    await vaulted.templates.start(vaulted.call(), plan.number, digest=plan.digest, forced=())

    await once(vaulted)
    meanwhile = await vaulted.templates.rollout(vaulted.call(), plan.number)
    await work_off(vaulted)
    done = await vaulted.templates.rollout(vaulted.call(), plan.number)

    assert (meanwhile.stage, meanwhile.totals.outcomes) == (Stage.APPLYING, {"applying": 4, "done": 2})
    assert "502" in (meanwhile.message or "")
    assert (done.stage, done.totals.outcomes) == (Stage.DONE, {"failed": 4, "done": 2})
    assert [one.reason for one in await results(vaulted, done) if one.outcome == "failed"] == [meanwhile.message] * 4


async def test_what_cannot_be_looked_at_is_refused_by_the_plan_in_the_end(vaulted: Vaulted, remote: Cloudflare) -> None:
    await prepared(vaulted, 2)
    remote.fault("GET", f"{next(iter(remote.zones))}/dns_records", Fate.REFUSE, status=502, times=1000)

    plan = await planned(vaulted)

    assert plan.totals.outcomes == {"planned": 1, "refused": 1}
    assert (await applied(vaulted, plan)).totals.outcomes == {"done": 1, "refused": 1}


async def test_a_limit_is_waited_for_as_long_as_the_provider_says(vaulted: Vaulted, remote: Cloudflare) -> None:
    await prepared(vaulted, 1)
    plan = await planned(vaulted)
    remote.fault("POST", "/batch", Fate.REFUSE, status=429, headers={"Retry-After": "30000"})
    await vaulted.templates.start(vaulted.call(), plan.number, digest=plan.digest, forced=())

    await once(vaulted)
    vaulted.workplace.clock.advance(20_000)
    early = await vaulted.jobs.claim()
    vaulted.workplace.clock.advance(10_000)
    await work_off(vaulted)

    assert early is None
    assert contents(remote) == parked(remote)


async def test_killed_anywhere_it_goes_on_and_ends_as_if_it_had_not_been(
    workplace: Workplace, remote: Cloudflare
) -> None:
    first = Vaulted(workplace, remote)
    await prepared(first, 2)
    kills = 0
    for step in range(200):
        template = Template("parking", (RecordWish("A", "@", "{ip}"),), PARKING.redirects)
        await first.templates.put(first.call(), template)
        values = {"ip": f"192.0.2.{step + 1}"}
        process = Vaulted(workplace, remote)
        was_killed = await killed_after(process, step, values)
        after = Vaulted(workplace, remote)
        workplace.clock.advance(60)
        await work_off(after)
        [latest] = await after.templates.rollouts(after.call(), Page(1, 0))
        if latest.stage is Stage.PLANNED:
            latest = await applied(after, latest)

        assert latest.stage is Stage.DONE
        assert [[content for _, content in zone] for zone in contents(remote)] == [[values["ip"]]] * 2
        assert [len(remote.rules(zone)) for zone in remote.zones] == [1] * 2
        if not was_killed:
            break
        kills += 1
    assert kills > 20


async def killed_after(process: Vaulted, events: int, values: dict[str, str]) -> bool:
    """Plan and carry out in a process that is gone after so many requests and transactions; tell whether it was."""
    begun = await process.templates.plan(process.call(), "parking", EVERY, values)
    left = [events]

    def happen() -> None:
        if left[0] <= 0:
            raise Killed
        left[0] -= 1

    process.sender.before = process.sender.after = happen
    process.transactions.before = process.transactions.after = happen
    try:
        await work_off(process)
        plan = await process.templates.rollout(process.call(), begun.number)
        await applied(process, plan)
    except Killed:
        return True
    return False


async def test_a_cancelled_rollout_stays_where_it_is(vaulted: Vaulted, remote: Cloudflare) -> None:
    await prepared(vaulted, 2)
    plan = await planned(vaulted)
    await vaulted.templates.start(vaulted.call(), plan.number, digest=plan.digest, forced=())

    cancelled = await vaulted.templates.cancel(vaulted.call(), plan.number)
    await work_off(vaulted)

    assert cancelled.stage is Stage.CANCELLED
    assert contents(remote) == [[], []]
    with pytest.raises(Conflict):
        await vaulted.templates.cancel(vaulted.call(), plan.number)


async def test_zones_are_chosen_by_name_or_id_and_only_the_accounts_own(vaulted: Vaulted) -> None:
    await prepared(vaulted, 3)
    call = vaulted.call()
    [one, two, _] = await results(vaulted, await planned(vaulted))

    plan = await planned(vaulted, Selection((one.zone.upper(), str(two.zone_id), one.zone)))

    assert [found.zone for found in await results(vaulted, plan)] == [one.zone, two.zone]
    with pytest.raises(ZoneNotFound):
        await vaulted.templates.plan(call, "parking", Selection(("nobody.example",)), VALUES)
    with pytest.raises(NotFound):
        await vaulted.templates.plan(call, "nothing", EVERY, VALUES)
    with pytest.raises(Invalid):
        await vaulted.templates.plan(call, "parking", Selection(), VALUES)
    with pytest.raises(Invalid, match="no value for ip"):
        await vaulted.templates.plan(call, "parking", EVERY, {})


async def test_a_list_says_the_same_as_each_and_asks_no_more_for_many_than_for_one(
    vaulted: Vaulted, remote: Cloudflare
) -> None:
    await prepared(vaulted, 2, Template("one-mx", (RecordWish("MX", "@", "mx.example.net"),)))
    for zone in remote.zones:
        for number in range(3):
            record = {"type": "MX", "name": "@", "content": f"mx{number}.example.org", "priority": 10, "ttl": 1}
            remote._add(zone, record)
    plans = [await planned(vaulted, template="one-mx") for _ in range(3)]
    call = vaulted.call()

    with noted(vaulted.workplace.database) as for_one:
        await vaulted.templates.rollouts(call, Page(1, 0))
    with noted(vaulted.workplace.database) as for_all:
        listed = await vaulted.templates.rollouts(call, ALL)

    assert list(listed) == plans[::-1]
    assert all(len(plan.unsafe) == 2 for plan in listed)
    assert len(for_all) == len(for_one)


async def test_another_account_sees_neither_template_nor_rollout_nor_zones(
    vaulted: Vaulted, workplace: Workplace
) -> None:
    await prepared(vaulted, 1)
    plan = await planned(vaulted)
    [zone] = await results(vaulted, plan)
    north = await people.account(workplace, "north")
    call = vaulted.call(people.of(workplace, north.id).principal)

    assert await vaulted.templates.list_(call) == []
    assert await vaulted.templates.rollouts(call, ALL) == []
    for attempt in (
        vaulted.templates.find(call, "parking"),
        vaulted.templates.remove(call, "parking"),
        vaulted.templates.rollout(call, plan.number),
        vaulted.templates.results(call, plan.number, outcome=None, page=ALL),
        vaulted.templates.start(call, plan.number, digest=plan.digest, forced=()),
        vaulted.templates.cancel(call, plan.number),
    ):
        with pytest.raises(NotFound):
            await attempt
    await vaulted.templates.put(call, PARKING)
    with pytest.raises(ZoneNotFound):
        await vaulted.templates.plan(call, "parking", Selection((str(zone.zone_id),)), VALUES)
    with pytest.raises(ZoneNotFound):
        await vaulted.templates.plan(call, "parking", Selection((zone.zone,)), VALUES)


async def test_an_old_plan_is_planned_again(vaulted: Vaulted) -> None:
    await prepared(vaulted, 1)
    plan = await planned(vaulted)

    vaulted.workplace.clock.advance(8 * 86_400)

    with pytest.raises(Conflict, match="older than 7 days"):
        await vaulted.templates.start(vaulted.call(), plan.number, digest=plan.digest, forced=())


async def test_every_change_of_a_zone_is_on_record(vaulted: Vaulted, workplace: Workplace) -> None:
    await prepared(vaulted, 1)
    await applied(vaulted, await planned(vaulted))

    def read(connection: Any) -> Any:
        return audit_page(connection, workplace.account_id, ALL, AuditFilter())

    records = {record.verb: record for record in await workplace.database.read(read)}
    assert records["vault.rollout.zone"].facts | {"rollout": 1} == {
        "rollout": 1,
        "template": "parking",
        "outcome": "done",
        "reason": None,
        "create": 3,
        "change": 0,
        "delete": 0,
    }
    assert {"vault.template.set", "vault.rollout.plan", "vault.rollout.start"} <= set(records)


async def test_what_a_template_left_is_right_and_what_is_changed_behind_it_is_drift(
    vaulted: Vaulted, remote: Cloudflare
) -> None:
    await prepared(vaulted, 1)
    [zone] = remote.zones.values()
    await vaulted.content_watch.round()
    await vaulted.records.change(
        vaulted.call(), 1, RecordChange(Action.CREATE, record={"type": "A", "name": "@", "content": "203.0.113.9"})
    )
    # Somebody puts there what the template says, and something beside it.
    [there] = remote.records[zone["id"]].values()
    there.update(content="192.0.2.1", proxied=True)

    await applied(vaulted, await planned(vaulted), zone["name"])
    after = await vaulted.contents.compare(vaulted.call(), 1)
    there.update(content="198.51.100.7")
    remote.rules(zone["id"])[0]["enabled"] = False
    drifted = await vaulted.contents.compare(vaulted.call(), 1)

    assert (after.records, after.redirects) == (None, None)
    assert drifted.records is not None
    assert drifted.records.seen == (f"changed: A {zone['name']}: 198.51.100.7, proxied",)
    assert drifted.redirects is not None
