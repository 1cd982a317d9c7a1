from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.access.permissions import ALL_PERMISSIONS
from keystead.access.principal import Principal
from keystead.vault import connecting, credentials, errands, limits, zones
from keystead.vault.connecting import RESERVED_FOR
from keystead.vault.credentialvalue import Credential, Status
from keystead.vault.errors import (
    AlreadyConnected,
    ConnectedElsewhere,
    ConnectingAlready,
    ReplaceUnconfirmed,
    TooManyConnected,
)
from keystead.vault.limits import Allowance
from keystead.vault.scenario import Scenario, decide
from keystead.vault.zones import SeenZone
from tests.support import people
from tests.support.clock import ManualClock
from tests.support.work import Workplace
from tests.unit.vault.shelf import EXTERNAL, activated, added, reserved, wish

FREE, PRO = Allowance("free", 1), Allowance("pro", 10)
NOW = ManualClock().now()


def held(external_id: str, ident: int = 1, **more: Any) -> Credential:
    values = {"status": Status.ACTIVE, "expires_at": None, **more}
    return Credential(
        id=ident,
        account_id=1,
        provider="cloudflare",
        alias="a",
        external_id=external_id,
        scope={},
        last_used_at=None,
        created_at=NOW,
        **values,
    )


def test_the_same_account_is_rotated_whatever_the_plan_and_the_confirmation() -> None:
    for allowance in (FREE, PRO):
        for may_replace in (True, False):
            decision = decide([held("a")], "a", allowance, NOW, may_replace=may_replace)
            assert (decision.scenario, decision.present) == (Scenario.ROTATE, held("a"))


def test_another_account_on_the_free_plan_waits_for_a_confirmation() -> None:
    with pytest.raises(ReplaceUnconfirmed) as refusal:
        decide([held("a")], "b", FREE, NOW, may_replace=False)

    decision = decide([held("a")], "b", FREE, NOW, may_replace=True)

    assert (refusal.value.credential_id, refusal.value.existing, refusal.value.wanted) == (1, "a", "b")
    assert (decision.scenario, decision.present) == (Scenario.REPLACE, held("a"))


def test_a_paid_plan_at_its_limit_replaces_nothing() -> None:
    ten = [held(f"a{number}", number) for number in range(10)]

    with pytest.raises(TooManyConnected) as refusal:
        decide(ten, "b", PRO, NOW, may_replace=True)

    assert (refusal.value.limit, refusal.value.current, refusal.value.plan) == (10, 10, "pro")


def test_a_plan_that_shrank_below_what_is_held_replaces_nothing_by_chance() -> None:
    with pytest.raises(TooManyConnected):
        decide([held("a", 1), held("b", 2)], "c", FREE, NOW, may_replace=True)


def test_nothing_is_replaced_that_is_only_being_connected() -> None:
    with pytest.raises(ConnectingAlready):
        decide([held("a", status=Status.PENDING)], "b", FREE, NOW, may_replace=True)


def test_what_has_expired_counts_no_more() -> None:
    ended = held("a", expires_at=NOW)

    assert decide([ended], "b", FREE, NOW, may_replace=False).scenario is Scenario.CREATE
    assert decide([ended], "a", FREE, NOW, may_replace=False).scenario is Scenario.CREATE


@given(count=st.integers(0, 12), limit=st.one_of(st.none(), st.integers(1, 12)), may_replace=st.booleans())
def test_a_decision_never_leads_beyond_the_plan(count: int, limit: int | None, may_replace: bool) -> None:
    present = [held(f"a{number}", number) for number in range(count)]
    try:
        decision = decide(present, "new", Allowance("any", limit), NOW, may_replace=may_replace)
    except (ReplaceUnconfirmed, TooManyConnected):
        assert limit is not None
        assert count >= limit
        return
    after = count + (decision.scenario is Scenario.CREATE)
    assert limit is None or after <= limit


async def stranger(workplace: Workplace) -> Principal:
    account_id = (await people.account(workplace, "other")).id
    return Principal(account_id, "user:9 eve", ALL_PERMISSIONS)


async def test_a_reservation_is_not_seen_and_knows_beforehand_what_may_be_left(workplace: Workplace) -> None:
    holding = await reserved(workplace)

    waiting = await workplace.do(errands.list_)

    assert await workplace.do(credentials.list_) == []
    assert [(one.id, one.kind, one.due_at) for one in waiting] == [
        (holding.sweep, "sweep", workplace.clock.now() + RESERVED_FOR)
    ]


async def test_nobody_else_connects_what_is_reserved_until_it_runs_out(workplace: Workplace) -> None:
    await reserved(workplace)
    with pytest.raises(ConnectingAlready):
        await reserved(workplace)
    with pytest.raises(ConnectingAlready):
        await workplace.do_as(await stranger(workplace), connecting.reserve, wish(), sweep={}, bootstrap=_secret())

    workplace.clock.advance(RESERVED_FOR.total_seconds())

    assert (await reserved(workplace)).decision.scenario is Scenario.CREATE


async def test_a_reservation_that_ran_out_activates_nothing(workplace: Workplace) -> None:
    late = await reserved(workplace)
    workplace.clock.advance(RESERVED_FOR.total_seconds())
    mine = await reserved(workplace)

    with pytest.raises(ConnectingAlready):
        await activated(workplace, late, "late")
    await workplace.do(connecting.give_up, late, reason="late", is_anything_left=True)
    done = await activated(workplace, mine, "mine")

    assert (await workplace.do(credentials.reveal, done.credential.id)).reveal() == "mine"


async def test_activation_leaves_what_follows_and_nothing_of_the_sweep(workplace: Workplace) -> None:
    done = await activated(workplace, await reserved(workplace))

    waiting = await workplace.do(errands.list_)

    assert done.scenario is Scenario.CREATE
    assert done.credential.alias == "301st-20250110-080000"
    assert [one.kind for one in waiting] == ["retire", "sync"]
    assert tuple(one.id for one in waiting) == done.errands


async def test_a_rotation_keeps_the_id_and_the_alias_and_clears_dead_rows(workplace: Workplace) -> None:
    dead = (await activated(workplace, await reserved(workplace), "dead")).credential
    await workplace.do(credentials.revoke, dead.id)
    before = (await activated(workplace, await reserved(workplace, alias="Main"), "before")).credential
    await workplace.do(zones.record, before.id, [SeenZone("z", "example.com", "active", "free", ())])

    holding = await reserved(workplace)
    meanwhile = await workplace.do(credentials.use, before.id, "cloudflare")
    done = await activated(workplace, holding, "after")

    assert done.scenario is Scenario.ROTATE
    assert (done.credential.id, done.credential.alias) == (before.id, "Main")
    assert meanwhile.secret.reveal() == "before"
    assert (await workplace.do(credentials.reveal, before.id)).reveal() == "after"
    assert [one.id for one in await workplace.do(credentials.list_)] == [before.id]
    assert len(done.errands) == 1


async def test_a_rotation_that_is_given_up_leaves_the_credential_as_it_was(workplace: Workplace) -> None:
    before = (await activated(workplace, await reserved(workplace), "before")).credential

    holding = await reserved(workplace)
    await workplace.do(connecting.give_up, holding, reason="refused", is_anything_left=False)

    assert await workplace.do(credentials.find, before.id) == before
    assert (await workplace.do(credentials.reveal, before.id)).reveal() == "before"
    assert (await reserved(workplace)).decision.scenario is Scenario.ROTATE


async def test_a_creation_that_is_given_up_leaves_nothing_but_the_sweep(workplace: Workplace) -> None:
    clean = await reserved(workplace)
    await workplace.do(connecting.give_up, clean, reason="refused", is_anything_left=False)
    assert await workplace.do(errands.list_) == []

    unclear = await reserved(workplace)
    await workplace.do(connecting.give_up, unclear, reason="no answer", is_anything_left=True)

    waiting = await workplace.do(errands.list_)
    assert [(one.id, one.due_at) for one in waiting] == [(unclear.sweep, workplace.clock.now())]
    assert (await reserved(workplace)).decision.scenario is Scenario.CREATE


async def test_a_replacement_removes_the_former_with_its_zones_and_domains(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An account's plan is not of this subject.
    monkeypatch.setattr(limits, "cloudflare_accounts", lambda *_: FREE)
    former = (await activated(workplace, await reserved(workplace))).credential
    await workplace.do(zones.record, former.id, [SeenZone("z", "example.com", "active", "free", ())])

    with pytest.raises(ReplaceUnconfirmed):
        await reserved(workplace, "other")
    holding = await reserved(workplace, "other", may_replace=True)
    still = await workplace.do(credentials.find, former.id)
    done = await activated(workplace, holding)

    assert still == former
    assert done.scenario is Scenario.REPLACE
    assert [one.id for one in await workplace.do(credentials.list_)] == [done.credential.id]
    assert await workplace.do(zones.list_domains) == []


async def test_an_external_account_is_connected_once_in_all_accounts(workplace: Workplace) -> None:
    eve = await stranger(workplace)
    mine = await added(workplace)

    with pytest.raises(AlreadyConnected) as refusal:
        await added(workplace)
    with pytest.raises(ConnectedElsewhere):
        await workplace.do_as(eve, connecting.add, wish(provider="namecheap"), _made())

    assert refusal.value.credential_id == mine.id


async def test_what_another_account_has_connected_is_told_when_it_is_reserved_and_not_before(
    workplace: Workplace,
) -> None:
    await activated(workplace, await reserved(workplace))
    eve = await stranger(workplace)

    decision = await workplace.do_as(eve, connecting.plan, wish())

    assert decision.scenario is Scenario.CREATE
    with pytest.raises(ConnectedElsewhere) as refusal:
        await workplace.do_as(eve, connecting.reserve, wish(), sweep={}, bootstrap=_secret())
    assert (refusal.value.provider, refusal.value.external_id) == ("cloudflare", EXTERNAL)


async def test_an_expired_credential_is_connected_anew_beside_its_former_row(workplace: Workplace) -> None:
    former = await added(workplace, expires_at=workplace.clock.now() + timedelta(days=1), provider="cloudflare")
    workplace.clock.advance(86_400)

    done = await activated(workplace, await reserved(workplace))

    assert done.scenario is Scenario.CREATE
    assert done.credential.id != former.id


def _secret() -> Any:
    from keystead.kit.secret import Secret

    return Secret("b")


def _made() -> Any:
    return connecting.Made(_secret(), {})
