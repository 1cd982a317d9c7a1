"""Keys of another panel are taken over whole: links, figures and terms are what they were."""

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from keystead.access.models import AUDIT_RECORDS
from keystead.access.work import Work
from keystead.kit.crypto import fingerprint
from keystead.kit.errors import Conflict, Misconfigured
from keystead.kit.secret import Secret
from keystead.reconcile import store as scopes
from keystead.vpn import founding, keys, pairs, subscriptions, takeover, traffic
from keystead.vpn.accounting import Bytes
from keystead.vpn.models import DAYS, HOURS, KEYS, TERMS
from keystead.vpn.pairplan import Act, Wish
from keystead.vpn.placement import Placement
from keystead.vpn.ports import tag_of
from keystead.vpn.store import inbounds as inbound_store
from keystead.vpn.store import takeover as takeover_store
from keystead.vpn.store import terms as term_store
from keystead.vpn.takeover import Cause, Taken, TakenInbound, TakenKey, TakenPair, Wanted
from keystead.vpn.termvalue import Held, Progress, Terms, advance
from tests.support.panels import parts
from tests.support.shop import SCOPE, WISH, Shop
from tests.support.work import Workplace

GIB = 1 << 30
CAUSE = Cause("3x-ui", "3x-ui", "d" * 64)


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    return await Shop(workplace).open()


def inbound(tag: str = "import-443-abc", port: int = 443, **more: object) -> TakenInbound:
    pair = parts.pair()
    base = TakenInbound(
        tag,
        Placement.SHARED,
        "0.0.0.0",
        port,
        pair.private_key,
        pair.public_key,
        parts.TARGET,
        parts.SERVER_NAMES,
        parts.SHORT_IDS,
        parts.VISION,
    )
    return replace(base, **more)  # type: ignore[arg-type]


def key(ident: int = 1, tag: str = "import-443-abc", **more: object) -> TakenKey:
    vless_uuid = parts.uuid_of(ident)
    base = TakenKey(
        public_id=parts.uuid_of(ident + 1_000_000),
        name=f"customer {ident}",
        uuid=vless_uuid,
        tag=tag,
        flow=parts.VISION,
        short_id=parts.SHORT_IDS[1],
        server_name=parts.SERVER_NAMES[1],
        is_enabled=True,
        created_at=parts.CREATED,
        lifetime=Bytes(),
        used=Bytes(),
        held=None,
        subscription_token=None,
        number=None,
    )
    return replace(base, **more)  # type: ignore[arg-type]


async def take(shop: Shop, *taken: TakenKey, inbounds: tuple[TakenInbound, ...] = (inbound(),)) -> Taken:
    made: Taken = await shop.workplace.do(takeover.take, SCOPE, Wanted(inbounds, taken), cause=CAUSE)
    return made


async def labels(shop: Shop) -> list[str]:
    """Return the labels of all keys, confirmed by the engine."""
    database = shop.workplace.database
    rows = await database.read(
        lambda connection: list(connection.execute(select(KEYS.c.label).order_by(KEYS.c.number)))
    )
    found = [row[0] for row in rows]
    await shop.confirm(present=found)
    return found


async def count(shop: Shop, table: Any) -> int:
    query = select(func.count()).select_from(table)
    return int(await shop.workplace.database.read(lambda connection: connection.execute(query).scalar_one()))


async def test_a_link_is_what_it_was(shop: Shop) -> None:
    taken = await take(shop, key())
    await labels(shop)

    _, profile = await shop.do(keys.profile, parts.uuid_of(1), public_host="vpn.test")

    assert taken == Taken(keys=1, inbounds=1, widened=0, subscriptions=0, renumbered=0)
    assert (profile.port, profile.uuid, profile.flow) == (443, parts.uuid_of(1), parts.VISION)
    assert (profile.public_key, profile.short_id) == (parts.pair().public_key, parts.SHORT_IDS[1])
    assert (profile.server_name, profile.name) == (parts.SERVER_NAMES[1], "customer 1")


async def test_the_engine_is_to_hold_the_inbound_with_its_private_key_and_the_key(shop: Shop) -> None:
    await take(shop, key(), key(2, is_enabled=False))

    desired = await shop.workplace.database.read(shop.source.desired)

    opened = next(one for one in desired.static if one.tag == "import-443-abc")
    assert opened.private_key.reveal() == parts.pair().private_key.reveal()
    assert (opened.port, opened.target, opened.short_ids) == (443, parts.TARGET, parts.SHORT_IDS)
    assert [user.uuid for user in desired.users["import-443-abc"].values()] == [parts.uuid_of(1)]


async def test_a_key_of_its_own_port_has_the_tag_of_ports_that_are_handed_out_and_frees_it_at_its_end(
    shop: Shop,
) -> None:
    own = inbound(tag_of(10007), 10007, placement=Placement.OWN_PORT)
    await take(shop, key(tag=own.tag), inbounds=(own,))
    [label] = await labels(shop)

    desired = await shop.workplace.database.read(shop.source.desired)
    revoked = await shop.revoke(parts.uuid_of(1))
    await shop.confirm(absent=[label])
    left = await shop.workplace.database.read(inbound_store.all_ports)

    assert set(desired.live) == {own.tag}
    assert (revoked.placement, revoked.port) == (Placement.OWN_PORT, 10007)
    assert left == {8443}


async def test_shown_traffic_is_what_the_panel_showed_and_none_of_it_is_of_this_hour(shop: Shop) -> None:
    await take(shop, key(lifetime=Bytes(3 * GIB, 9 * GIB), used=Bytes(GIB, 2 * GIB)))
    await labels(shop)

    visible = await shop.workplace.database.read(lambda connection: traffic.visible_of(connection, 1))

    assert visible == Bytes(GIB, 2 * GIB)
    assert (await count(shop, HOURS), await count(shop, DAYS)) == (0, 0)


async def test_terms_come_along_with_how_far_they_got(shop: Shop) -> None:
    now = shop.workplace.clock.now()
    lifetime = Bytes(GIB, 2 * GIB)
    sold = Terms(quota_bytes=2 * GIB, expires_at=now + timedelta(days=3))
    held = advance(Held(sold, Progress(now - timedelta(days=5))), lifetime, now).held
    await take(shop, key(lifetime=lifetime, used=lifetime, held=held))
    await labels(shop)

    kept = await shop.workplace.database.read(lambda connection: term_store.find(connection, 1))
    found = await shop.do(keys.find, parts.uuid_of(1))

    assert kept == held
    assert (found.is_enabled, found.is_active) == (True, False)


async def test_a_subscription_answers_at_the_token_it_had(shop: Shop) -> None:
    await take(shop, key(subscription_token=Secret("sub-0000000000001")))
    await labels(shop)

    def unit(work: Work) -> object:
        return subscriptions.find_by_token(
            work.connection, "sub-0000000000001", public_host="vpn.test", is_applied=shop.is_applied
        ).profile.uuid

    asked = await shop.workplace.do(unit)
    shown = await shop.do(subscriptions.token, parts.uuid_of(1))
    present = await shop.workplace.do(takeover.present)

    assert asked == parts.uuid_of(1)
    assert shown.reveal() == "sub-0000000000001"
    assert present.tokens == {fingerprint("sub-0000000000001")}


async def test_a_number_is_kept_unless_it_was_given_out_before_and_counting_goes_on_after_it(shop: Shop) -> None:
    first = await shop.issue("first")
    taken = await take(shop, key(1, number=first.number), key(2, number=40), key(3))

    identities = await shop.workplace.database.read(takeover_store.identities)
    numbers = {vless_uuid: number for number, _, vless_uuid in identities}
    later = await shop.issue("later")

    assert taken.renumbered == 1
    assert numbers[parts.uuid_of(2)] == 40
    assert sorted(numbers.values()) == [1, 40, 41, 42]
    assert later.number == 43


async def test_new_keys_go_to_the_inbound_that_was_founded(shop: Shop) -> None:
    await take(shop, key())

    issued = await shop.issue("new")

    assert issued.port == 8443


async def test_before_there_is_an_inbound_of_its_own_nothing_is_taken_over(workplace: Workplace) -> None:
    await workplace.database.write(lambda connection: scopes.register(connection, SCOPE))

    with pytest.raises(Misconfigured, match="no inbound of its own"):
        await take(Shop(workplace), key())


async def test_another_target_in_the_settings_leaves_that_of_an_inbound_taken_over(shop: Shop) -> None:
    await take(shop, key())
    await shop.workplace.do(
        founding.check_shared_inbound, replace(WISH, target="mirror.test:443", port=None, server_names=("site.test",))
    )

    here = await shop.workplace.database.read(inbound_store.all_of)

    assert {one.tag: one.target for one in here} == {"shared": "mirror.test:443", "import-443-abc": parts.TARGET}


async def test_an_inbound_that_is_here_is_widened(shop: Shop) -> None:
    await take(shop, key())
    taken = await take(shop, key(2), inbounds=(inbound(short_ids=(*parts.SHORT_IDS, "aabb")),))

    here = await shop.workplace.database.read(inbound_store.all_of)

    assert (taken.inbounds, taken.widened) == (0, 1)
    assert here[1].short_ids == (*parts.SHORT_IDS, "aabb")


async def test_a_twin_is_refused_and_nothing_of_the_plan_is_written(shop: Shop) -> None:
    await take(shop, key())

    with pytest.raises(Conflict):
        await take(shop, key(2), key(3, uuid=parts.twin_of(parts.uuid_of(1))))

    assert await count(shop, KEYS) == 1


async def test_every_key_every_inbound_and_the_whole_are_in_the_audit_trail(shop: Shop) -> None:
    await take(shop, key(), key(2))

    query = select(AUDIT_RECORDS.c.verb, AUDIT_RECORDS.c.subject, AUDIT_RECORDS.c.facts).order_by(
        AUDIT_RECORDS.c.number
    )
    rows = await shop.workplace.database.read(lambda connection: list(connection.execute(query)))

    told = [(verb, subject) for verb, subject, _ in rows][-4:]
    assert told == [
        ("vpn.inbound.import", "vpn inbound import-443-abc"),
        ("vpn.key.import", "vpn key 1"),
        ("vpn.key.import", "vpn key 2"),
        ("vpn.import", "import 3x-ui"),
    ]
    assert rows[-1][2]["digest"] == "d" * 64
    assert rows[-1][2]["keys"] == 2


async def test_thousands_are_taken_over_in_seconds(shop: Shop) -> None:
    now = shop.workplace.clock.now()
    held = Held(Terms(quota_bytes=GIB), Progress(now))
    many = [key(number, held=held) for number in range(1, 10_001)]

    begun = time.monotonic()
    taken = await take(shop, *many)

    assert taken.keys == await count(shop, KEYS) == await count(shop, TERMS) == 10_000
    assert time.monotonic() - begun < 60


async def test_what_is_here_tells_of_tombstones_too(shop: Shop) -> None:
    issued = await shop.issue("gone")
    await shop.revoke(issued)

    present = await shop.workplace.do(takeover.present)

    assert present.keys == [(issued.number, issued.public_id, issued.uuid)]
    assert [one.tag for one in present.inbounds] == ["shared"]


def beside(number: int = 0, **more: object) -> TakenPair:
    pair = parts.pair(number)
    base = TakenPair(pair.private_key, pair.public_key, parts.TARGET, parts.SERVER_NAMES, parts.SHORT_IDS)
    return replace(base, **more)  # type: ignore[arg-type]


async def serve_beside(shop: Shop, *taken: TakenKey, pair: TakenPair | None = None) -> Taken:
    wanted = Wanted((), taken, pair=pair or beside())
    made: Taken = await shop.workplace.do(takeover.take, SCOPE, wanted, cause=CAUSE)
    await labels(shop)
    return made


async def test_a_pair_beside_ours_is_to_stand_behind_it_with_names_and_a_site_of_its_own(shop: Shop) -> None:
    await shop.issue("ours")
    own = await shop.issue("own", placement=Placement.OWN_PORT)
    await serve_beside(shop, key(tag="shared", short_id="7bb45050", server_name="site.test"))

    state = await shop.workplace.database.read(shop.source.desired)
    sizes = await shop.workplace.database.read(shop.source.sizes)
    _, profile = await shop.do(keys.profile, parts.uuid_of(1), public_host="vpn.test")

    front, behind = (next(one for one in state.static if one.is_behind is side) for side in (False, True))
    assert (front.behind, front.server_names) == (behind.tag, ("site.test",))
    assert behind.private_key.reveal() == parts.pair().private_key.reveal()
    assert (behind.server_names, behind.short_ids) == (parts.SERVER_NAMES, parts.SHORT_IDS)
    assert behind.target == "site.test:443"
    assert dict(behind.sites) == dict.fromkeys(parts.SERVER_NAMES, parts.TARGET)
    assert {len(state.users[tag]) for tag in ("shared", behind.tag)} == {2}
    assert state.live[tag_of(own.port)].behind == ""
    assert sizes[behind.tag] == 2
    assert (profile.port, profile.public_key) == (front.port, front.public_key)


async def test_a_pair_beside_ours_needs_no_sites_where_both_hide_behind_the_same(shop: Shop) -> None:
    await serve_beside(shop, key(tag="shared"), pair=beside(target="site.test:443"))

    state = await shop.workplace.database.read(shop.source.desired)

    assert [one.sites for one in state.static] == [(), ()]


async def test_a_pair_beside_ours_is_retired_by_hand_alone_and_is_nothing_to_turn_back_to(shop: Shop) -> None:
    await serve_beside(shop, key(tag="shared"))
    retire = Wish(Act.RETIRE)

    shop.workplace.clock.advance(400 * 86_400)
    over = await shop.workplace.do(pairs.retire_over)
    with pytest.raises(Conflict, match="taken over from 3x-ui"):
        await shop.workplace.do(pairs.plan, SCOPE, Wish(Act.REVERT, 60))
    with pytest.raises(Conflict, match="two pairs are served already"):
        await shop.workplace.do(pairs.plan, SCOPE, Wish(Act.ROTATE, 60))
    plan = await shop.workplace.do(pairs.plan, SCOPE, retire)
    await shop.workplace.do(pairs.retire, SCOPE, retire, digest=plan.digest)
    state = await shop.workplace.database.read(shop.source.desired)

    assert over == []
    assert "taken over from 3x-ui" in str(plan)
    assert [(one.tag, one.behind) for one in state.static] == [("shared", "")]
    assert len(state.users["shared"]) == 1


async def test_a_second_import_widens_the_pair_beside_ours_and_another_pair_is_refused(shop: Shop) -> None:
    await serve_beside(shop, key(tag="shared"))
    await serve_beside(shop, key(2, tag="shared"), pair=beside(short_ids=(*parts.SHORT_IDS, "0a")))

    with pytest.raises(Conflict, match="another key pair is served beside ours"):
        await serve_beside(shop, key(3, tag="shared"), pair=beside(1))
    here = await shop.workplace.do(takeover.present)

    assert here.second is not None
    assert (here.second.origin, here.second.short_ids) == ("3x-ui", (*parts.SHORT_IDS, "0a"))
    assert len(here.keys) == 2
