"""An export holds what an account has: whole with secrets, without any of them where they were not asked for."""

import io
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pyrage
import pytest
from sqlalchemy import select

from keystead.access.models import AUDIT_RECORDS
from keystead.access.permissions import ALL_PERMISSIONS, Permission
from keystead.access.principal import Principal
from keystead.importing import document
from keystead.importing.document import Document
from keystead.importing.planning import plan
from keystead.importing.planvalue import Existing, ExistingInbound, ExistingKey
from keystead.kit.age import Lock, Unlock
from keystead.kit.errors import Forbidden
from keystead.kit.secret import Secret
from keystead.operations.instance import export
from keystead.vpn import exporting, keys, plans, subscriptions, takeover, traffic
from keystead.vpn.accounting import Bytes
from keystead.vpn.placement import Placement
from keystead.vpn.plans import TermChanges
from keystead.vpn.takeover import Cause, TakenInbound, TakenKey, Wanted
from keystead.vpn.termvalue import Held, Progress, Starts, Terms
from tests.support.panels import parts
from tests.support.shop import SCOPE, Shop
from tests.support.work import Workplace

TOKEN = Secret("a token nobody guesses")


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    return await Shop(workplace).open()


@cache
def sealing() -> tuple[Lock, Unlock]:
    made = pyrage.x25519.Identity.generate()
    return Lock(recipient=str(made.to_public())), Unlock(identity=Secret(str(made)))


def sold_inbound() -> TakenInbound:
    pair = parts.pair()
    return TakenInbound(
        "old", Placement.SHARED, "::", 443, pair.private_key, pair.public_key, parts.TARGET, *_accepted(), parts.VISION
    )


def _accepted() -> tuple[tuple[str, ...], tuple[str, ...]]:
    return parts.SERVER_NAMES, parts.SHORT_IDS


def sold_key(ident: int, **more: object) -> TakenKey:
    key = TakenKey(
        public_id=parts.uuid_of(ident + 1_000_000),
        name=f"customer {ident}",
        uuid=parts.uuid_of(ident),
        tag="old",
        flow=parts.VISION,
        short_id=parts.SHORT_IDS[1],
        server_name=parts.SERVER_NAMES[1],
        is_enabled=True,
        created_at=parts.CREATED,
        lifetime=Bytes(300, 600),
        used=Bytes(200, 500),
        held=None,
        subscription_token=None,
        number=None,
    )
    return replace(key, **more)  # type: ignore[arg-type]


async def sell(shop: Shop, *sold: TakenKey) -> None:
    """Let an account have keys, all of them in force."""
    wanted = Wanted((sold_inbound(),), sold)
    await shop.workplace.do(takeover.take, SCOPE, wanted, cause=Cause("test", "test", "d" * 64))


async def exported(shop: Shop, *, with_secrets: bool = True) -> tuple[bytes, Document]:
    """Return an export as its text and as it is read."""
    place, (lock, unlock) = shop.workplace, sealing()
    if with_secrets:
        extent = await place.do(exporting.record_with_secrets, lock)
    else:
        extent = await place.do(exporting.record)
    target = io.BytesIO()
    export.write(place.database, extent, target, lock=lock if with_secrets else None, now=place.clock.now())
    return target.getvalue(), document.read(target.getvalue(), unlock=unlock if with_secrets else None)


async def test_a_key_is_exported_with_all_that_belongs_to_it(shop: Shop) -> None:
    now = shop.workplace.clock.now()
    held = Held(Terms(quota_bytes=10_000, plan="gold"), Progress(now - timedelta(days=2), Bytes(100, 100), 777))
    await sell(shop, sold_key(1, held=held, subscription_token=TOKEN, number=40, is_enabled=False))

    _, made = await exported(shop)

    [key] = made.keys
    assert (key.number, key.public_id, key.name) == (40, parts.uuid_of(1_000_001), "customer 1")
    assert (key.uuid, key.subscription_token, key.is_enabled) == (Secret(parts.uuid_of(1)), TOKEN, False)
    assert (key.flow, key.short_id, key.server_name) == (parts.VISION, parts.SHORT_IDS[1], parts.SERVER_NAMES[1])
    assert (key.lifetime, key.shown, key.held) == (Bytes(300, 600), Bytes(200, 500), held)


async def test_the_inbounds_of_its_keys_come_along_with_their_pair_and_no_others(shop: Shop) -> None:
    await sell(shop, sold_key(1))

    _, made = await exported(shop)

    [inbound] = made.head.inbounds
    assert (inbound.tag, inbound.port, inbound.listen) == ("old", 443, "::")
    assert inbound.private_key == parts.pair().private_key


async def test_plans_come_along(shop: Shop) -> None:
    changes = TermChanges(quota_bytes=5, duration_s=86_400, starts=Starts.FIRST_USE)
    await shop.workplace.do(plans.create, name="gold", changes=changes)

    _, made = await exported(shop)

    [gold] = made.head.plans
    assert (gold.name, gold.starts, gold.terms.quota_bytes) == ("gold", Starts.FIRST_USE, 5)


async def test_without_secrets_none_is_in_the_document_and_it_says_so(shop: Shop) -> None:
    await sell(shop, sold_key(1, subscription_token=TOKEN))

    text, made = await exported(shop, with_secrets=False)

    secrets = [parts.pair().private_key.reveal(), parts.uuid_of(1), TOKEN.reveal()]
    assert [secret in text.decode() for secret in secrets] == [False, False, False]
    assert b'"secrets": "left out"' in text
    assert (made.keys[0].uuid, made.head.inbounds[0].private_key, made.keys[0].subscription_token) == (None,) * 3


async def test_a_key_that_is_being_removed_stays_behind(shop: Shop) -> None:
    kept, gone = await shop.issue("kept"), await shop.issue("gone")
    await shop.revoke(gone)

    _, made = await exported(shop)

    assert [key.number for key in made.keys] == [kept.number]


async def test_a_reset_is_remembered(shop: Shop) -> None:
    await sell(shop, sold_key(1))
    await shop.confirm(present=["k1-1"])
    await shop.do(traffic.reset, "1", readings=())

    _, made = await exported(shop)

    assert (made.keys[0].lifetime, made.keys[0].shown) == (Bytes(300, 600), Bytes())


async def test_more_keys_than_are_read_at_once_come_in_order_and_each_once(shop: Shop) -> None:
    await sell(shop, *(sold_key(ident) for ident in range(1, 1002)))

    _, made = await exported(shop)

    assert [key.name for key in made.keys] == [f"customer {ident}" for ident in range(1, 1002)]


async def test_where_it_was_made_everything_is_there_already(shop: Shop) -> None:
    await sell(shop, sold_key(1), sold_key(2))
    _, made = await exported(shop)
    here = await shop.workplace.do(takeover.present)
    existing = Existing(
        keys=tuple(ExistingKey(*key) for key in here.keys),
        inbounds=tuple(
            ExistingInbound(one.tag, one.listen, one.port, one.public_key, one.server_names, one.short_ids)
            for one in here.inbounds
        ),
        tokens=here.tokens,
        plans={plan.name: plan for plan in here.plans},
    )

    planned = plan(document.found(made), existing, now=shop.workplace.clock.now())

    assert planned.is_empty
    assert planned.counts["there"] == 2


async def test_each_kind_needs_its_own_permission(shop: Shop) -> None:
    bare = Principal(shop.workplace.account_id, "bare", ALL_PERMISSIONS - {Permission.EXPORT_MAKE})
    plain = Principal(shop.workplace.account_id, "plain", ALL_PERMISSIONS - {Permission.EXPORT_SECRETS})

    with pytest.raises(Forbidden, match=r"system\.export$"):
        await shop.workplace.do_as(bare, exporting.record)
    with pytest.raises(Forbidden, match=r"system\.export\.secrets"):
        await shop.workplace.do_as(plain, exporting.record_with_secrets, sealing()[0])


async def test_it_is_on_record_whether_secrets_left(shop: Shop) -> None:
    lock, _ = sealing()
    await exported(shop)
    await exported(shop, with_secrets=False)

    query = select(AUDIT_RECORDS.c.facts).where(AUDIT_RECORDS.c.verb == "system.export.make")
    rows = await shop.workplace.database.read(lambda connection: list(connection.execute(query)))

    assert [row[0] for row in rows] == [
        {"secrets": "sealed", "encrypted_for": lock.described},
        {"secrets": "left out"},
    ]


async def test_a_subscription_that_was_opened_here_is_exported(shop: Shop) -> None:
    key = await shop.issue("anna")
    token = await shop.do(subscriptions.token, key)
    found = await shop.do(keys.find, key)

    _, made = await exported(shop)

    assert made.keys[0].subscription_token == token
    assert made.keys[0].created_at == found.created_at
