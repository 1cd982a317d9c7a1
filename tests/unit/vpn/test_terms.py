"""The verbs of terms and plans, and what the engine is to hold by them."""

from datetime import timedelta
from typing import Any

import pytest

from keystead.access.permissions import VPN_PERMISSIONS, Permission
from keystead.access.principal import Principal
from keystead.access.work import Work
from keystead.kit.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound
from keystead.kit.page import Page
from keystead.vpn import enforcement, keys, plans, subscriptions, terms, traffic
from keystead.vpn.accounting import Bytes
from keystead.vpn.errors import KeyNotFound, KeyStopped, NothingToGrant, UnknownPlan
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.periods import Reset
from keystead.vpn.placement import Placement
from keystead.vpn.plans import TermChanges, Wish
from keystead.vpn.terms import KeyTerms
from keystead.vpn.termvalue import AtLimit, Starts, Stop
from tests.support.shop import POOL, SCOPE, Shop, reading
from tests.support.work import Workplace

GB = 10**9


def nothing_more(label: str) -> Bytes | None:
    return None


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    return await Shop(workplace).open()


async def sold(shop: Shop, plan: str | None = None, **changes: Any) -> VpnKey:
    """Issue a key with terms."""
    wish = Wish(plan, TermChanges(**changes))
    key: VpnKey = await shop.workplace.do(keys.issue, name="anna", placement=Placement.SHARED, pool=POOL, wish=wish)
    await shop.confirm(present=[key.label])
    return key


async def shown(shop: Shop, key: VpnKey) -> KeyTerms:
    found: KeyTerms = await shop.do(terms.show, key, live=nothing_more)
    return found


async def enforce(shop: Shop, key: VpnKey, live: Bytes | None = None) -> None:
    await shop.workplace.do(enforcement.enforce, number=key.number, live=live)


async def records(shop: Shop, verb: str) -> list[dict[str, Any]]:
    from sqlalchemy import select

    from keystead.access.models import AUDIT_RECORDS

    def unit(work: Work) -> list[dict[str, Any]]:
        found = work.connection.execute(select(AUDIT_RECORDS.c.facts).where(AUDIT_RECORDS.c.verb == verb))
        return [row[0] for row in found]

    return await shop.workplace.do(unit)


async def test_a_plan_is_copied_when_a_key_is_issued(shop: Shop) -> None:
    wanted = TermChanges(quota_bytes=50 * GB, reset=Reset.MONTH, time_zone="Europe/Moscow", speed_bytes_s=2_500_000)
    await shop.workplace.do(plans.create, name="monthly", changes=wanted)

    key = await sold(shop, "monthly")
    await shop.workplace.do(plans.change, name="monthly", changes=TermChanges(quota_bytes=1))
    await shop.workplace.do(plans.remove, name="monthly")

    held = (await shown(shop, key)).held
    assert held is not None
    assert (held.terms.plan, held.terms.quota_bytes, held.terms.period.zone) == ("monthly", 50 * GB, "Europe/Moscow")


async def test_what_stands_beside_a_plan_decides(shop: Shop) -> None:
    await shop.workplace.do(plans.create, name="monthly", changes=TermChanges(quota_bytes=50, duration_s=60))

    key = await sold(shop, "monthly", quota_bytes=70)

    held = (await shown(shop, key)).held
    assert held is not None
    assert (held.terms.quota_bytes, held.terms.duration_s) == (70, 60)


async def test_an_unknown_plan_issues_nothing(shop: Shop) -> None:
    with pytest.raises(UnknownPlan, match="no plan is called 'gold'"):
        await sold(shop, "gold")

    listed = await shop.workplace.do(keys.list_, placement=Placement.SHARED, page=Page(), is_applied=lambda _: True)
    assert listed.total == 0


async def test_a_plan_of_another_account_is_unknown(shop: Shop) -> None:
    await shop.workplace.do(plans.create, name="gold", changes=TermChanges())
    stranger = Principal(shop.workplace.account_id + 1, "token:9 stranger", VPN_PERMISSIONS)

    with pytest.raises(UnknownPlan):
        await shop.workplace.do_as(
            stranger, keys.issue, name=None, placement=Placement.SHARED, pool=POOL, wish=Wish("gold")
        )
    with pytest.raises(NotFound):
        await shop.workplace.do_as(stranger, plans.find, name="gold")


@pytest.mark.parametrize("name", ["", "x" * 65, "a\tb", "a/b", "..", "."])
async def test_a_plan_has_a_name_by_which_it_is_reached(shop: Shop, name: str) -> None:
    with pytest.raises(Invalid, match="has 1 to 64 characters, and no slash"):
        await shop.workplace.do(plans.create, name=name, changes=TermChanges())


async def test_a_plan_s_name_is_used_once(shop: Shop) -> None:
    await shop.workplace.do(plans.create, name="gold", changes=TermChanges())

    with pytest.raises(AlreadyExists, match="plan gold exists"):
        await shop.workplace.do(plans.create, name=" gold ", changes=TermChanges())


@pytest.mark.parametrize("verb", [plans.change, plans.remove, plans.find])
async def test_a_plan_that_is_not_there_is_not_found(shop: Shop, verb: Any) -> None:
    more = {"changes": TermChanges()} if verb is plans.change else {}

    with pytest.raises(NotFound):
        await shop.workplace.do(verb, name="gold", **more)


async def test_a_key_expires_stays_listed_and_its_link_is_given(shop: Shop) -> None:
    key = await sold(shop, expires_at=shop.workplace.clock.now() + timedelta(seconds=2))
    shop.workplace.clock.advance(2)

    await enforce(shop, key)

    expired = await shown(shop, key)
    assert (expired.key.is_active, expired.key.is_enabled) == (False, True)
    assert expired.held is not None
    assert expired.held.stop is Stop.EXPIRED
    assert (await shop.do(keys.profile, key, public_host="vpn.example.com"))[1].uuid == key.uuid
    assert len(await records(shop, "vpn.terms.expire")) == 1
    assert await wanted(shop) == set()


async def wanted(shop: Shop) -> set[str]:
    desired = await shop.workplace.database.read(shop.source.desired)
    return {label for users in desired.users.values() for label in users}


async def test_an_extension_brings_an_expired_key_back_from_now(shop: Shop) -> None:
    key = await sold(shop, expires_at=shop.workplace.clock.now() + timedelta(seconds=2))
    shop.workplace.clock.advance(86_400 * 10)
    await enforce(shop, key)

    done = await shop.do(terms.extend, key, days=30, request="order-1", live=nothing_more)

    assert done.shown.key.is_active
    assert done.shown.held.terms.expires_at == shop.workplace.clock.now() + timedelta(days=30)
    assert await wanted(shop) == {key.label}


async def test_an_extension_is_done_once_under_one_id(shop: Shop) -> None:
    ends = shop.workplace.clock.now() + timedelta(days=5)
    key = await sold(shop, expires_at=ends)
    first = await shop.do(terms.extend, key, days=30, request="order-1", live=nothing_more)

    again = await shop.do(terms.extend, key, days=30, request="order-1", live=nothing_more)

    assert (first.is_repeated, again.is_repeated) == (False, True)
    assert again.shown.held.terms.expires_at == ends + timedelta(days=30)
    with pytest.raises(Conflict, match="used for 30"):
        await shop.do(terms.extend, key, days=31, request="order-1", live=nothing_more)
    assert len(await records(shop, "vpn.terms.extend")) == 1


async def test_an_extension_of_a_key_that_waits_makes_its_duration_longer(shop: Shop) -> None:
    key = await sold(shop, duration_s=86_400)

    done = await shop.do(terms.extend, key, days=1, request=None, live=nothing_more)

    assert (done.shown.held.terms.duration_s, done.shown.held.terms.expires_at) == (2 * 86_400, None)


async def test_a_key_without_an_end_or_a_quota_has_nothing_to_grant(shop: Shop) -> None:
    bare, endless = await shop.issue(), await sold(shop, speed_bytes_s=5)

    for key in (bare, endless):
        with pytest.raises(NothingToGrant, match="no end"):
            await shop.do(terms.extend, key, days=1, request=None, live=nothing_more)
        with pytest.raises(NothingToGrant, match="no quota"):
            await shop.do(terms.top_up, key, more=1, request=None, live=nothing_more)


@pytest.mark.parametrize("days", [0, -1, 10_000])
async def test_an_extension_that_cannot_be_is_refused(shop: Shop, days: int) -> None:
    key = await sold(shop, duration_s=60)

    with pytest.raises(Invalid, match="extended"):
        await shop.do(terms.extend, key, days=days, request=None, live=nothing_more)


async def test_a_top_up_lifts_a_cut_and_is_done_once(shop: Shop) -> None:
    key = await sold(shop, quota_bytes=100)
    await enforce(shop, key, Bytes(0, 100))
    assert (await shown(shop, key)).key.is_active is False

    for _ in range(2):
        done = await shop.do(terms.top_up, key, more=50, request="order-2", live=lambda _: Bytes(0, 100))

    assert done.shown.key.is_active
    assert done.shown.held.allowance == 150
    assert await wanted(shop) == {key.label}


async def test_a_top_up_that_is_not_enough_leaves_the_cut(shop: Shop) -> None:
    key = await sold(shop, quota_bytes=100)
    await enforce(shop, key, Bytes(0, 200))

    done = await shop.do(terms.top_up, key, more=50, request=None, live=lambda _: Bytes(0, 200))

    assert done.shown.key.is_active is False


async def test_a_cut_is_recorded_with_its_figure(shop: Shop) -> None:
    key = await sold(shop, quota_bytes=100)

    await enforce(shop, key, Bytes(30, 90))

    assert await records(shop, "vpn.terms.limit") == [
        {"used": 120, "quota_bytes": 100, "topped_up_bytes": 0, "at_limit": "cut"}
    ]


async def test_a_reset_lifts_a_cut_and_starts_the_quota_at_zero(shop: Shop) -> None:
    key = await sold(shop, quota_bytes=100)
    booked = reading("p1", k1_1=(0, 100))
    await shop.workplace.do(traffic.sync, scope=SCOPE, placement=Placement.SHARED, readings=[booked])
    await enforce(shop, key)

    await shop.do(traffic.reset, key, readings=[booked])

    after = await shown(shop, key)
    assert after.key.is_active
    assert after.used == Bytes()


async def test_a_reset_lifts_neither_an_expiry_nor_a_disabling_by_hand(shop: Shop) -> None:
    expired = await sold(shop, quota_bytes=100, expires_at=shop.workplace.clock.now() + timedelta(seconds=1))
    disabled = await sold(shop, quota_bytes=100)
    await shop.do(keys.disable, disabled)
    shop.workplace.clock.advance(5)
    for key in (expired, disabled):
        await enforce(shop, key, Bytes(0, 100))

    for key in (expired, disabled):
        await shop.do(traffic.reset, key, readings=[])

    assert [(await shown(shop, key)).key.is_active for key in (expired, disabled)] == [False, False]


async def test_a_disabling_by_hand_and_a_cut_are_two_facts(shop: Shop) -> None:
    key = await sold(shop, quota_bytes=100)
    await enforce(shop, key, Bytes(0, 100))
    await shop.do(keys.disable, key)

    await shop.do(terms.top_up, key, more=100, request=None, live=nothing_more)

    after = (await shown(shop, key)).key
    assert (after.is_active, after.is_enabled) == (False, False)
    assert (await shop.do(keys.enable, key)).key.is_active


@pytest.mark.parametrize("stopped_by", ["quota", "end"])
async def test_enabling_a_key_that_its_terms_stop_is_refused_with_the_remedy(shop: Shop, stopped_by: str) -> None:
    key = await sold(shop, quota_bytes=100, expires_at=shop.workplace.clock.now() + timedelta(seconds=10))
    shop.workplace.clock.advance(20 if stopped_by == "end" else 1)
    await enforce(shop, key, Bytes(0, 100))

    with pytest.raises(KeyStopped, match="extend it" if stopped_by == "end" else "top it up"):
        await shop.do(keys.enable, key)


async def test_a_duration_begins_with_the_first_bytes(shop: Shop) -> None:
    key = await sold(shop, duration_s=60)
    shop.workplace.clock.advance(1000)
    await enforce(shop, key)
    assert (await shown(shop, key)).held.is_waiting  # type: ignore[union-attr]

    await enforce(shop, key, Bytes(1, 0))

    held = (await shown(shop, key)).held
    assert held is not None
    assert held.terms.expires_at == shop.workplace.clock.now() + timedelta(seconds=60)


async def test_a_duration_can_begin_with_the_issue(shop: Shop) -> None:
    key = await sold(shop, duration_s=60, starts=Starts.ISSUE)

    held = (await shown(shop, key)).held
    assert held is not None
    assert held.terms.expires_at == shop.workplace.clock.now() + timedelta(seconds=60)


async def test_speed_limits_are_in_what_the_engine_is_to_hold(shop: Shop) -> None:
    fast = await sold(shop, speed_bytes_s=1000)
    slowed = await sold(shop, quota_bytes=10, at_limit=AtLimit.SLOW, slow_to_bytes_s=125)
    await shop.issue()
    await enforce(shop, slowed, Bytes(0, 10))

    whole = await shop.workplace.database.read(shop.source.desired)
    part = await shop.workplace.database.read(lambda c: shop.source.desired_part(c, [slowed.label, "k99-1"]))

    assert whole.limits == {fast.label: 1000, slowed.label: 125}
    assert (part.limits, part.absent) == ({slowed.label: 125}, {"k99-1"})


async def test_a_change_leaves_what_it_does_not_say(shop: Shop) -> None:
    key = await sold(shop, quota_bytes=100, speed_bytes_s=5, duration_s=60)

    after = await change(shop, key, speed_bytes_s=None)

    assert after.held is not None
    assert (after.held.terms.quota_bytes, after.held.terms.speed_bytes_s, after.held.terms.duration_s) == (
        100,
        None,
        60,
    )


async def change(shop: Shop, key: VpnKey, plan: str | None = None, **changes: Any) -> KeyTerms:
    changed: KeyTerms = await shop.do(terms.change, key, wish=Wish(plan, TermChanges(**changes)), live=nothing_more)
    return changed


async def test_a_smaller_quota_cuts_at_once_and_a_larger_one_lifts(shop: Shop) -> None:
    key = await sold(shop, quota_bytes=100)
    booked = reading("p1", k1_1=(0, 50))
    await shop.workplace.do(traffic.sync, scope=SCOPE, placement=Placement.SHARED, readings=[booked])

    smaller = await change(shop, key, quota_bytes=20)
    larger = await change(shop, key, quota_bytes=60)

    assert (smaller.key.is_active, larger.key.is_active) == (False, True)
    assert await wanted(shop) == {key.label}


async def test_terms_can_be_given_to_a_key_that_has_none(shop: Shop) -> None:
    key = await shop.issue()
    booked = reading("p1", k1_1=(0, 50))
    await shop.workplace.do(traffic.sync, scope=SCOPE, placement=Placement.SHARED, readings=[booked])

    after = await change(shop, key, quota_bytes=20)

    assert after.used == Bytes()
    assert after.key.is_active


async def test_a_plan_takes_the_place_of_all_terms_and_begins_anew(shop: Shop) -> None:
    await shop.workplace.do(plans.create, name="gold", changes=TermChanges(quota_bytes=1000))
    key = await sold(shop, quota_bytes=100, duration_s=60, speed_bytes_s=5)
    await enforce(shop, key, Bytes(0, 100))

    after = await change(shop, key, "gold")

    assert after.held is not None
    assert after.key.is_active
    assert (after.held.terms.duration_s, after.held.terms.speed_bytes_s, after.used) == (None, None, Bytes())


async def test_an_end_that_has_passed_is_refused(shop: Shop) -> None:
    key = await sold(shop, quota_bytes=100)

    with pytest.raises(Invalid, match="has passed"):
        await change(shop, key, expires_at=shop.workplace.clock.now())


async def test_a_new_end_revives_an_expired_key(shop: Shop) -> None:
    key = await sold(shop, expires_at=shop.workplace.clock.now() + timedelta(seconds=1))
    shop.workplace.clock.advance(1)
    await enforce(shop, key)

    after = await change(shop, key, expires_at=None)

    assert after.key.is_active


async def test_an_end_and_a_duration_at_once_are_refused(shop: Shop) -> None:
    with pytest.raises(Invalid, match="either"):
        await sold(shop, duration_s=5, expires_at=shop.workplace.clock.now() + timedelta(days=1))


async def test_a_reissued_key_keeps_its_terms_and_what_it_used(shop: Shop) -> None:
    key = await sold(shop, quota_bytes=100)
    booked = reading("p1", k1_1=(0, 60))
    await shop.workplace.do(traffic.sync, scope=SCOPE, placement=Placement.SHARED, readings=[booked])
    again = (await shop.do(keys.reissue, key)).key
    await shop.confirm(present=[again.label])

    await enforce(shop, again, Bytes(0, 100))

    after = await shown(shop, again)
    assert after.key.is_active is False


async def test_a_list_shows_terms_and_what_was_used(shop: Shop) -> None:
    await shop.issue("bare")
    await sold(shop, quota_bytes=100)
    booked = reading("p1", k2_1=(10, 60))
    await shop.workplace.do(traffic.sync, scope=SCOPE, placement=Placement.SHARED, readings=[booked])

    page = await listed(shop)

    assert [(item.held is None, item.used) for item in page.items] == [(True, None), (False, Bytes(10, 60))]
    assert page.total == 2


async def listed(shop: Shop, principal: Principal | None = None) -> Any:
    arguments: dict[str, Any] = {"placement": Placement.SHARED, "page": Page(), "is_applied": shop.is_applied}
    if principal is None:
        return await shop.workplace.do(terms.list_, **arguments, live=nothing_more)
    return await shop.workplace.do_as(principal, terms.list_, **arguments, live=nothing_more)


async def test_who_may_not_see_traffic_sees_no_usage(shop: Shop) -> None:
    key = await sold(shop, quota_bytes=100)
    reader = Principal(shop.workplace.account_id, "token:8 reader", frozenset({Permission.VPN_KEYS_READ}))

    page = await listed(shop, reader)

    assert [item.used for item in page.items] == [None]
    with pytest.raises(Forbidden, match=r"vpn\.terms\.change"):
        await shop.workplace.do_as(
            reader,
            terms.extend,
            ident=None,  # type: ignore[arg-type]  # it is not looked at
            days=1,
            request=None,
            is_applied=shop.is_applied,
            live=nothing_more,
        )
    assert key.number == 1


async def test_terms_go_with_their_key(shop: Shop) -> None:
    key = await sold(shop, quota_bytes=100)
    await shop.do(terms.top_up, key, more=5, request="order-3", live=nothing_more)
    await shop.revoke(key)
    await enforce(shop, key, Bytes(0, 1000))
    await shop.confirm(absent=[key.label])

    await enforce(shop, key)

    with pytest.raises(KeyNotFound):
        await shop.do(terms.show, key, live=nothing_more)


async def test_a_subscription_tells_quota_and_end(shop: Shop) -> None:
    ends = shop.workplace.clock.now() + timedelta(days=3)
    key = await sold(shop, quota_bytes=100, expires_at=ends)
    booked = reading("p1", k1_1=(10, 60))
    await shop.workplace.do(traffic.sync, scope=SCOPE, placement=Placement.SHARED, readings=[booked])
    await shop.do(terms.top_up, key, more=20, request=None, live=nothing_more)
    token = await shop.do(subscriptions.token, key)

    found = await shop.workplace.database.read(
        lambda connection: subscriptions.find_by_token(
            connection, token.reveal(), public_host="vpn.example.com", is_applied=shop.is_applied
        )
    )

    usage = found.usage
    assert (usage.upload, usage.download, usage.total_quota, usage.expires_at) == (10, 60, 120, ends)


async def test_a_change_of_nothing_gives_no_terms(shop: Shop) -> None:
    key = await shop.issue()

    after = await change(shop, key)

    assert after.held is None
    assert await records(shop, "vpn.terms.change") == []


async def test_when_a_duration_starts_is_said_with_the_duration(shop: Shop) -> None:
    key = await sold(shop, duration_s=60)

    with pytest.raises(Invalid, match="goes with"):
        await change(shop, key, starts=Starts.ISSUE)


async def test_what_was_sold_is_recorded_with_the_issue(shop: Shop) -> None:
    await sold(shop, quota_bytes=100, reset=Reset.DAY)

    facts = await records(shop, "vpn.key.issue")

    assert facts == [{"name": "anna", "placement": "shared", "quota_bytes": 100, "reset": "day"}]


async def test_a_zone_this_machine_lost_goes_by_utc(shop: Shop) -> None:
    key = await sold(shop, quota_bytes=100, reset=Reset.DAY, time_zone="Asia/Tokyo")
    await shop.workplace.database.write(
        lambda connection: connection.exec_driver_sql("UPDATE vpn_terms SET time_zone = 'Gone/Away'")
    )

    held = (await shown(shop, key)).held

    assert held is not None
    assert held.terms.period.zone == "UTC"
