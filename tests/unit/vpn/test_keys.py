"""The verbs of keys: what they change, what they refuse, and what stays invisible."""

import asyncio

import pytest
from sqlalchemy import select

from keystead.access.models import AUDIT_RECORDS
from keystead.access.permissions import VPN_PERMISSIONS, Permission
from keystead.access.principal import Principal
from keystead.engines.xray.state import masked
from keystead.kit.errors import Forbidden, Invalid
from keystead.kit.page import Page
from keystead.reconcile import store as scopes
from keystead.vpn import keys, subscriptions
from keystead.vpn.errors import KeyNotFound, NoValidTarget
from keystead.vpn.keyvalue import KeyState, parse_ident
from keystead.vpn.placement import Placement
from tests.support.shop import POOL, SCOPE, Shop
from tests.support.work import Workplace


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    return await Shop(workplace).open()


async def test_a_key_is_invisible_until_the_engine_holds_it(shop: Shop) -> None:
    key = await shop.workplace.do(keys.issue, name="anna", placement=Placement.SHARED, pool=POOL)

    with pytest.raises(KeyNotFound):
        await shop.do(keys.find, key)
    shop.applied.add(key.label)
    assert (await shop.do(keys.find, key)).name == "anna"
    shop.applied.clear()
    await shop.confirm(present=[key.label])
    assert (await shop.do(keys.find, key)).state is KeyState.LIVE


@pytest.mark.parametrize("of", ["number", "public_id", "uuid"])
async def test_a_key_is_found_by_number_own_id_and_uuid(shop: Shop, of: str) -> None:
    key = await shop.issue("anna")

    found = await shop.do(keys.find, str(getattr(key, of)))

    assert found.number == key.number


@pytest.mark.parametrize("ident", ["0", "-1", "999", "9" * 30, "abc", "", "1.0", "¹", "١", "not-a-uuid"])
async def test_what_names_no_key_is_not_found(shop: Shop, ident: str) -> None:
    await shop.issue()

    with pytest.raises(KeyNotFound, match="Key with id"):
        await shop.do(keys.find, ident)


async def test_numbers_and_labels_are_never_used_again(shop: Shop) -> None:
    first = await shop.issue()
    await shop.revoke(first)
    await shop.confirm(absent=[first.label])

    second = await shop.issue()

    assert second.number > first.number
    assert second.label != first.label


async def test_a_revoked_key_is_hidden_at_once_and_its_revocation_can_be_repeated(shop: Shop) -> None:
    key = await shop.issue()
    await shop.revoke(key)

    again = await shop.revoke(key)

    assert again.state is KeyState.REMOVING
    with pytest.raises(KeyNotFound):
        await shop.do(keys.find, key)


async def test_a_buried_key_is_not_found_by_its_revocation(shop: Shop) -> None:
    key = await shop.issue()
    await shop.revoke(key)
    await shop.confirm(absent=[key.label])

    with pytest.raises(KeyNotFound):
        await shop.revoke(key)


async def test_a_key_the_engine_is_known_to_lack_is_not_found_by_its_revocation(shop: Shop) -> None:
    key = await shop.issue()
    await shop.revoke(key)
    shop.gone.add(key.label)

    with pytest.raises(KeyNotFound):
        await shop.revoke(key)


async def test_a_disabled_key_can_be_revoked_although_the_engine_lacks_it(shop: Shop) -> None:
    key = await shop.issue()
    await shop.do(keys.disable, key)
    shop.gone.add(key.label)

    assert (await shop.revoke(key)).number == key.number


async def test_the_list_holds_only_visible_keys_and_counts_them(shop: Shop) -> None:
    await shop.issue("a")
    gone = await shop.issue("b")
    await shop.revoke(gone)
    await shop.workplace.do(keys.issue, name="c", placement=Placement.SHARED, pool=POOL)

    listed = await shop.workplace.do(keys.list_, placement=Placement.SHARED, page=Page(), is_applied=shop.is_applied)

    assert [key.name for key in listed.keys] == ["a"]
    assert listed.total == 1


async def test_a_confined_token_sees_only_what_it_issued(shop: Shop) -> None:
    await shop.issue("foreign")
    token = Principal(shop.workplace.account_id, "token:7 shop", VPN_PERMISSIONS, token_id=None, confined_to_token=7)

    with pytest.raises(KeyNotFound):
        await shop.workplace.do_as(token, keys.find, ident=parse_ident("1"), is_applied=shop.is_applied)


async def test_another_account_sees_nothing(shop: Shop) -> None:
    await shop.issue("anna")
    stranger = Principal(shop.workplace.account_id + 1, "token:9 stranger", VPN_PERMISSIONS)

    with pytest.raises(KeyNotFound):
        await shop.workplace.do_as(stranger, keys.find, ident=parse_ident("1"), is_applied=shop.is_applied)


async def test_an_issue_without_the_permission_changes_nothing(shop: Shop) -> None:
    reader = Principal(shop.workplace.account_id, "token:8 reader", frozenset({Permission.VPN_KEYS_READ}))

    with pytest.raises(Forbidden, match=r"vpn\.keys\.issue"):
        await shop.workplace.do_as(reader, keys.issue, name="x", placement=Placement.SHARED, pool=POOL)

    assert await shop.workplace.database.read(lambda c: scopes.generation(c, SCOPE)) == 0


@pytest.mark.parametrize("name", ["x" * 256, "zero\0zero"])
async def test_a_bad_name_is_refused_by_field(shop: Shop, name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await shop.workplace.do(keys.issue, name=name, placement=Placement.SHARED, pool=POOL)

    assert "name" in refusal.value.fields


async def test_no_key_is_issued_while_the_target_has_a_problem(shop: Shop) -> None:
    with pytest.raises(NoValidTarget, match=r"site\.test"):
        await shop.workplace.do(
            keys.issue,
            name=None,
            placement=Placement.SHARED,
            pool=POOL,
            target_problem="REALITY target site.test:443: closed",
        )


async def test_a_reissue_gives_a_new_uuid_and_label_and_can_be_undone(shop: Shop) -> None:
    key = await shop.issue("anna")

    done = await shop.do(keys.reissue, key)
    await shop.workplace.do(keys.undo_reissue, done=done)
    back = await shop.do(keys.find, key)

    assert (done.key.number, done.key.name) == (key.number, "anna")
    assert (done.key.uuid, done.key.label) != (key.uuid, key.label)
    assert back._replace(state=key.state) == key


async def test_a_reissue_after_an_undone_one_takes_a_label_of_its_own(shop: Shop) -> None:
    key = await shop.issue("anna")
    undone = await shop.do(keys.reissue, key)
    await shop.workplace.do(keys.undo_reissue, done=undone)

    again = await shop.do(keys.reissue, key)

    assert again.key.label not in {key.label, undone.key.label}


async def test_a_disabled_key_stays_listed_and_is_not_wanted_in_the_engine(shop: Shop) -> None:
    key = await shop.issue()

    disabled = await shop.do(keys.disable, key)
    desired = await shop.workplace.database.read(shop.source.desired)

    assert disabled.is_active is False
    assert desired.users == {}
    assert (await shop.do(keys.find, key)).is_active is False


async def test_each_mutation_leaves_one_audit_record_and_marks_its_label(shop: Shop) -> None:
    key = await shop.issue("anna")
    for verb in (keys.disable, keys.enable, keys.reissue):
        await shop.do(verb, key)
    await shop.revoke(key)

    def verbs(connection):  # type: ignore[no-untyped-def]  # a unit in place
        return list(connection.execute(select(AUDIT_RECORDS.c.verb).order_by(AUDIT_RECORDS.c.number)).scalars())

    assert (await shop.workplace.database.read(verbs))[1:] == [
        "vpn.key.issue",
        "vpn.key.disable",
        "vpn.key.enable",
        "vpn.key.reissue",
        "vpn.key.revoke",
    ]


def test_a_masked_uuid_is_the_one_xray_compares() -> None:
    assert masked("123e4567-e89b-12d3-a456-426614174000") == "123e4567-e89b-0000-a456-426614174000"


async def test_a_key_disabled_before_it_was_confirmed_stays_a_key(shop: Shop) -> None:
    key = await shop.workplace.do(keys.issue, name="anna", placement=Placement.SHARED, pool=POOL)
    shop.applied.add(key.label)
    await shop.do(keys.disable, key)
    shop.applied.clear()

    await shop.confirm(absent=[key.label])

    found = await shop.do(keys.find, key)
    assert (found.state, found.is_active) == (KeyState.LIVE, False)


async def test_reissues_at_the_same_time_follow_each_other(shop: Shop) -> None:
    key = await shop.issue()

    done = await asyncio.gather(*(shop.do(keys.reissue, key) for _ in range(4)))

    assert sorted(one.key.label for one in done) == ["k1-2", "k1-3", "k1-4", "k1-5"]
    assert len({one.key.uuid for one in done}) == 4


async def test_first_questions_for_a_subscription_at_the_same_time_get_one_address(shop: Shop) -> None:
    key = await shop.issue()

    tokens = await asyncio.gather(*(shop.do(subscriptions.token, key) for _ in range(4)))

    assert len({token.reveal() for token in tokens}) == 1
