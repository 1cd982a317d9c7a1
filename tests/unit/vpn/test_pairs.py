"""Key pairs: what the engine is to serve at each step of a rotation, what links carry meanwhile, and the way back."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from keystead.access.models import AUDIT_RECORDS
from keystead.access.permissions import USUAL_VPN_PERMISSIONS
from keystead.access.principal import Principal
from keystead.engines.xray import config
from keystead.engines.xray.keys import public_of
from keystead.engines.xray.state import XrayDesired, XrayInbound, XraySettings
from keystead.kit.errors import Conflict, Forbidden
from keystead.sealing import SEALED_COLUMNS
from keystead.vpn import founding, keys, pairs, renumbering
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.pairplan import Act, Wish
from keystead.vpn.pairs import Pairs
from keystead.vpn.placement import Placement
from keystead.vpn.ports import tag_of
from keystead.vpn.secondpair import SecondPair, Stage
from tests.support.shop import POOL, SCOPE, WISH, Shop, new_pair
from tests.support.work import Workplace

KEEP_S = 3600
HIGHER = replace(POOL, first=11001, last=11100)


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    return await Shop(workplace).open()


async def look(shop: Shop) -> Pairs:
    found: Pairs = await shop.workplace.do(pairs.look, SCOPE)
    return found


async def digest_of(shop: Shop, wish: Wish) -> str:
    return (await shop.workplace.do(pairs.plan, SCOPE, wish)).digest


async def begin(shop: Shop, keep_s: int = KEEP_S) -> SecondPair:
    wish = Wish(Act.ROTATE, keep_s)
    digest = await digest_of(shop, wish)
    made: SecondPair = await shop.workplace.do(pairs.begin, SCOPE, wish, digest=digest, pair=new_pair())
    return made


async def rotate(shop: Shop, keep_s: int = KEEP_S) -> SecondPair:
    turned = await shop.workplace.do(pairs.follow, (await begin(shop, keep_s)).id)
    assert turned is not None
    return turned


async def do(shop: Shop, act: Act, keep_s: int = 0) -> Any:
    wish = Wish(act, keep_s)
    verb = pairs.revert if act is Act.REVERT else pairs.retire
    return await shop.workplace.do(verb, SCOPE, wish, digest=await digest_of(shop, wish))


async def desired(shop: Shop) -> XrayDesired:
    return await shop.workplace.database.read(shop.source.desired)


async def link_pair(shop: Shop, key: VpnKey) -> str:
    """Return the public key that a key's link carries."""
    _, profile = await shop.do(keys.profile, key, public_host="vpn.example.com")
    return str(profile.public_key)


def opened(state: XrayDesired) -> dict[str, XrayInbound]:
    for inbound in state.inbounds:
        assert public_of(inbound.private_key) == inbound.public_key
    return {inbound.tag: inbound for inbound in state.inbounds}


def digest(state: XrayDesired) -> str:
    return config.digest(state, XraySettings())


async def audited(shop: Shop) -> list[str]:
    statement = select(AUDIT_RECORDS.c.verb).where(AUDIT_RECORDS.c.verb.like("vpn.pair.%"))
    return await shop.workplace.database.read(lambda connection: list(connection.execute(statement).scalars()))


async def test_a_rotation_begins_with_both_pairs_and_links_as_they_were(shop: Shop) -> None:
    shared, own = await shop.issue(), await shop.issue(placement=Placement.OWN_PORT)
    old = await link_pair(shop, shared)

    made = await begin(shop)
    state = await desired(shop)

    inbounds, behind = opened(state), made.tag
    assert {inbounds[tag].public_key for tag in ("shared", tag_of(own.port))} == {made.public_key}
    assert {inbounds[tag].behind for tag in ("shared", tag_of(own.port))} == {behind}
    assert inbounds[behind].public_key == old
    assert set(inbounds[behind].short_ids) == {shared.short_id, own.short_id}
    assert inbounds[behind].target == "site.test:443"
    assert set(state.users[behind]) == {shared.label, own.label}
    assert {await link_pair(shop, key) for key in (shared, own)} == {old}
    assert (await look(shop)).linked == old


async def test_links_turn_without_a_change_for_the_engine(shop: Shop) -> None:
    shared, own = await shop.issue(), await shop.issue(placement=Placement.OWN_PORT)
    old = await link_pair(shop, shared)
    made = await begin(shop)
    before = await desired(shop)

    await shop.workplace.do(pairs.follow, made.id)
    after, found = await desired(shop), await look(shop)

    assert digest(after) == digest(before)
    assert opened(after)[tag_of(own.port)].public_key == made.public_key
    assert {await link_pair(shop, key) for key in (shared, own)} == {made.public_key}
    assert found.second is not None
    assert (found.second.public_key, found.second.stage) == (old, Stage.GOING)
    assert found.second.until == shop.workplace.clock.now() + timedelta(seconds=KEEP_S)
    assert found.tags == {made.tag}
    assert await audited(shop) == ["vpn.pair.rotate", "vpn.pair.follow"]


async def test_links_turn_back_without_a_change_for_the_engine(shop: Shop) -> None:
    key = await shop.issue()
    old = await link_pair(shop, key)
    turned = await rotate(shop)
    new, before = await link_pair(shop, key), await desired(shop)

    await do(shop, Act.REVERT, KEEP_S)
    found = await look(shop)

    assert digest(await desired(shop)) == digest(before)
    assert await link_pair(shop, key) == old
    assert found.second is not None
    assert (found.second.public_key, found.second.is_front) == (new, True)
    assert found.tags == {"shared"}
    assert turned.id == found.second.id


async def test_links_of_ports_opened_since_a_rotation_turn_back_too(shop: Shop) -> None:
    shared = await shop.issue()
    old, turned = await link_pair(shop, shared), await rotate(shop)
    late = await shop.issue(placement=Placement.OWN_PORT)
    back = Wish(Act.REVERT, KEEP_S)
    digest = await digest_of(shop, back)

    completed = await shop.workplace.do(pairs.complete, SCOPE, back, digest=digest)
    await shop.workplace.do(pairs.revert, SCOPE, back, digest=digest)
    served, linked = await desired(shop), await link_pair(shop, late)
    await do(shop, Act.RETIRE)

    assert completed == 1
    assert opened(served)[tag_of(late.port)].behind == turned.tag
    assert late.short_id in opened(served)[turned.tag].short_ids
    assert late.label in served.users[turned.tag]
    assert linked == old
    assert {one.public_key for one in (await desired(shop)).inbounds} == {old}


async def test_links_do_not_turn_back_before_every_port_serves_both_pairs(shop: Shop) -> None:
    await rotate(shop)
    planned = await shop.workplace.do(pairs.plan, SCOPE, Wish(Act.REVERT, KEEP_S))
    await shop.issue(placement=Placement.OWN_PORT)
    late = await shop.workplace.do(pairs.plan, SCOPE, Wish(Act.REVERT, KEEP_S))

    with pytest.raises(Conflict, match="a port was opened meanwhile"):
        await do(shop, Act.REVERT, KEEP_S)

    assert (planned.late, late.late) == (0, 1)
    assert "served already; at once" in str(planned)
    assert "1 port opened since the rotation comes to serve it too, by another process" in str(late)


@pytest.mark.parametrize("is_reverted", [False, True])
async def test_a_retired_pair_leaves_the_one_that_links_carry_alone(shop: Shop, is_reverted: bool) -> None:
    shared, own = await shop.issue(), await shop.issue(placement=Placement.OWN_PORT)
    await rotate(shop)
    if is_reverted:
        await do(shop, Act.REVERT, KEEP_S)
    linked = await link_pair(shop, shared)

    await do(shop, Act.RETIRE)
    state = await desired(shop)

    assert {one.tag: (one.public_key, one.behind) for one in state.inbounds} == {
        "shared": (linked, ""),
        tag_of(own.port): (linked, ""),
    }
    assert (await look(shop)).second is None
    assert await link_pair(shop, own) == linked
    assert "vpn.pair.retire" in await audited(shop)


async def test_a_rotation_that_is_given_up_leaves_everything_as_it_was(shop: Shop) -> None:
    key = await shop.issue()
    before, old = await desired(shop), await link_pair(shop, key)

    made = await begin(shop)
    await shop.workplace.do(pairs.give_up, made.id, reason="no process proved itself")

    assert digest(await desired(shop)) == digest(before)
    assert await link_pair(shop, key) == old
    assert await shop.workplace.do(pairs.follow, made.id) is None


async def test_a_port_that_is_opened_while_links_are_about_to_turn_has_the_coming_pair_alone(shop: Shop) -> None:
    made = await begin(shop)

    early = await shop.issue(placement=Placement.OWN_PORT)
    await shop.workplace.do(pairs.follow, made.id)
    late = await shop.issue(placement=Placement.OWN_PORT)
    state = await desired(shop)

    for key in (early, late):
        inbound = opened(state)[tag_of(key.port)]
        assert (inbound.public_key, inbound.behind) == (made.public_key, "")
        assert await link_pair(shop, key) == made.public_key
        assert key.label not in state.users.get(made.tag, {})


async def test_the_inbound_behind_does_not_change_with_keys_that_come_and_go(shop: Shop) -> None:
    gone, kept = [await shop.issue(placement=Placement.OWN_PORT) for _ in range(2)]
    turned = await rotate(shop)
    before = await desired(shop)

    await shop.revoke(gone)
    await shop.confirm(absent=[gone.label])
    await shop.issue()
    after = await desired(shop)

    assert digest(after) == digest(before)
    assert kept.label in after.users[turned.tag]
    assert gone.label not in after.users[turned.tag]


async def test_a_part_names_a_key_at_both_places(shop: Shop) -> None:
    key, own = await shop.issue(), await shop.issue(placement=Placement.OWN_PORT)
    turned = await rotate(shop)

    part = await shop.workplace.database.read(lambda c: shop.source.desired_part(c, [key.label, own.label]))

    assert {tag for tag, users in part.users.items() if key.label in users} == {"shared", turned.tag}
    assert {tag for tag, users in part.users.items() if own.label in users} == {tag_of(own.port), turned.tag}
    assert part.live[tag_of(own.port)].behind == turned.tag


async def test_sizes_count_a_key_behind_once_although_it_has_a_former_port(shop: Shop) -> None:
    moved, disabled = await shop.issue(placement=Placement.OWN_PORT), await shop.issue()
    await shop.do(keys.disable, disabled)
    turned = await rotate(shop)
    tags = {tag_of(moved.port)}
    await shop.workplace.do(renumbering.reset, pool=HIGHER, opened=tags, grace_s=KEEP_S)

    sizes = await shop.workplace.database.read(shop.source.sizes)
    state = await desired(shop)

    assert sizes[turned.tag] == len(state.users[turned.tag]) == 1
    assert sizes["shared"] == 0


async def test_a_pair_is_retired_when_its_time_is_over_and_not_before(shop: Shop) -> None:
    await rotate(shop)

    shop.workplace.clock.advance(KEEP_S - 1)
    early = await shop.workplace.do(pairs.retire_over)
    shop.workplace.clock.advance(1)
    late = await shop.workplace.do(pairs.retire_over)

    assert (early, late) == ([], [SCOPE])
    assert (await look(shop)).second is None


async def test_what_was_not_reviewed_is_not_done(shop: Shop) -> None:
    with pytest.raises(Conflict, match="has changed since it was reviewed"):
        await shop.workplace.do(pairs.begin, SCOPE, Wish(Act.ROTATE, KEEP_S), digest="0" * 16, pair=new_pair())
    with pytest.raises(Conflict, match="no second pair to retire"):
        await digest_of(shop, Wish(Act.RETIRE))
    await begin(shop)
    with pytest.raises(Conflict, match="a rotation is under way"):
        await digest_of(shop, Wish(Act.REVERT))
    with pytest.raises(Conflict, match="two pairs are served already"):
        await digest_of(shop, Wish(Act.ROTATE))


async def test_a_usual_token_neither_sees_nor_changes_pairs(shop: Shop) -> None:
    bot = Principal(account_id=shop.workplace.account_id, actor="bot", permissions=USUAL_VPN_PERMISSIONS)

    with pytest.raises(Forbidden):
        await shop.workplace.do_as(bot, pairs.look, SCOPE)
    with pytest.raises(Forbidden):
        await shop.workplace.do_as(bot, pairs.retire_over)


async def test_who_was_seen_at_the_second_pair_is_listed_once_and_with_the_last_moment(shop: Shop) -> None:
    anna, bert = await shop.issue("anna"), await shop.issue("bert")
    stranger = 999
    turned = await rotate(shop)
    now = shop.workplace.clock.now()

    for seen in ({anna.number: now, stranger: now}, {anna.number: now + timedelta(seconds=5)}):
        await shop.workplace.do(pairs.note_uses, turned.id, is_front=False, seen=seen)
    ignored = await shop.workplace.do(pairs.note_uses, turned.id, is_front=True, seen={bert.number: now})
    used = await shop.workplace.do(pairs.uses, SCOPE)

    assert [(one.name, one.used_at) for one in used] == [("anna", now + timedelta(seconds=5))]
    assert ignored == 0
    assert (await look(shop)).used == 1


async def test_who_used_the_former_pair_is_forgotten_when_links_turn_back(shop: Shop) -> None:
    key = await shop.issue()
    turned = await rotate(shop)
    seen = {key.number: shop.workplace.clock.now()}
    await shop.workplace.do(pairs.note_uses, turned.id, is_front=False, seen=seen)

    await do(shop, Act.REVERT, KEEP_S)

    assert await shop.workplace.do(pairs.uses, SCOPE) == []


async def test_a_moved_target_is_the_target_behind_too(shop: Shop) -> None:
    turned = await rotate(shop)

    await shop.workplace.do(founding.check_shared_inbound, replace(WISH, target="other.test:443"))
    inbounds = opened(await desired(shop))

    assert inbounds[turned.tag].target == inbounds["shared"].target == "other.test:443"


def test_both_private_keys_are_among_what_a_rotation_of_secrets_reaches() -> None:
    assert {column.place(1).table for column in SEALED_COLUMNS if column.place(1).column == "private_key"} == {
        "vpn_inbounds",
        "vpn_second_pairs",
    }
