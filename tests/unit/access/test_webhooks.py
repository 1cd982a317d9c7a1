"""The verbs of webhooks: what they keep to themselves, what they refuse, whose webhooks they touch."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from keystead.access import rotation, webhooks
from keystead.access.datakeys import OpenKeys, RootKey, load_root_key, open_keys
from keystead.access.models import ACCOUNTS, AUDIT_RECORDS
from keystead.access.permissions import VPN_PERMISSIONS
from keystead.access.principal import Principal, operator, system
from keystead.access.webhooks import DESCRIPTION_LENGTH_MAX, WEBHOOKS_MAX, NewSecret, WebhookChanges
from keystead.kit.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from keystead.kit.page import Page
from keystead.kit.reach import reach
from keystead.outbox.courier import place_of
from keystead.outbox.events import Event
from keystead.outbox.models import DELIVERIES, WEBHOOKS
from keystead.outbox.store import webhooks as store
from keystead.sealing import SEALED_COLUMNS
from tests.support.work import Workplace

CLOSED = reach([])
URL = "https://example.com/hook?token=of-theirs"


async def create(place: Workplace, url: str = URL, *events: Event, description: str = "") -> NewSecret:
    return await place.do(webhooks.create, url=url, description=description, events=events, reach=CLOSED)


async def records(place: Workplace) -> list[Any]:
    chosen = select(AUDIT_RECORDS.c.verb, AUDIT_RECORDS.c.facts).order_by(AUDIT_RECORDS.c.number)
    return await place.database.read(lambda c: [tuple(row) for row in c.execute(chosen)])


async def other_account(place: Workplace) -> Principal:
    def unit(connection: Connection) -> int:
        values = {"name": "other", "created_at": place.clock.now()}
        return int(connection.execute(insert(ACCOUNTS).values(values).returning(ACCOUNTS.c.id)).scalar_one())

    return operator(await place.database.write(unit))


async def test_secrets_and_paths_are_in_no_record_and_no_row(workplace: Workplace) -> None:
    made = await create(workplace, URL, Event.VPN_KEY_CUT)
    again = await workplace.do(webhooks.rotate_secret, 1)

    written = await records(workplace)
    rows = await workplace.database.read(lambda c: str(c.execute(select(WEBHOOKS)).all()))

    assert written == [
        ("webhook.create", {"host": "example.com", "events": ["vpn.key.cut"]}),
        ("webhook.secret.rotate", {}),
    ]
    for secret in (made.secret.reveal(), again.secret.reveal()):
        assert secret not in str(written) + rows
    assert made.secret != again.secret


async def test_a_secret_is_sealed_where_the_courier_opens_it(workplace: Workplace) -> None:
    made = await create(workplace)
    again = await workplace.do(webhooks.rotate_secret, 1)

    sealed = await workplace.database.read(lambda c: store.secrets(c, 1))

    assert workplace.keys.open(sealed.secret, place_of(1, "secret")) == again.secret
    assert workplace.keys.open(sealed.previous or "", place_of(1, "previous_secret")) == made.secret
    assert made.webhook.previous_until is None


async def test_a_rotation_of_the_keys_reaches_both_secrets(workplace: Workplace, tmp_path: Path) -> None:
    root: RootKey = load_root_key(tmp_path, None)
    opened: OpenKeys = await workplace.database.write(lambda c: open_keys(c, root, workplace.clock.now()))
    workplace.keys = opened.ring
    made = await create(workplace)
    again = await workplace.do(webhooks.rotate_secret, 1)

    done = await rotation.rotate(workplace.database, root, opened.ring, SEALED_COLUMNS, clock=workplace.clock)

    sealed = await workplace.database.read(lambda c: store.secrets(c, 1))
    assert done.resealed == 2
    assert opened.ring.is_current(sealed.secret)
    assert opened.ring.open(sealed.secret, place_of(1, "secret")) == again.secret
    assert opened.ring.open(sealed.previous or "", place_of(1, "previous_secret")) == made.secret


@pytest.mark.parametrize("url", ["http://example.com/", "https://127.0.0.1/", "example.com"])
async def test_a_url_that_may_not_be_used_changes_nothing(workplace: Workplace, url: str) -> None:
    await create(workplace)

    with pytest.raises(Invalid):
        await create(workplace, url)
    with pytest.raises(Invalid):
        await workplace.do(webhooks.change, 1, changes=WebhookChanges(url=url), reach=CLOSED)

    assert [found.url for found in await workplace.do(webhooks.list_, Page())] == [URL]


async def test_changing_one_thing_leaves_the_others(workplace: Workplace) -> None:
    await create(workplace, URL, Event.VPN_KEY_CUT, description="shop")

    await workplace.do(webhooks.change, 1, changes=WebhookChanges(events=()), reach=CLOSED)
    changed = await workplace.do(webhooks.change, 1, changes=WebhookChanges(is_enabled=False), reach=CLOSED)

    assert (changed.url, changed.description, changed.events, changed.is_enabled) == (URL, "shop", (), False)
    assert [verb for verb, _ in await records(workplace)] == ["webhook.create", "webhook.change", "webhook.disable"]


@pytest.mark.parametrize("description", ["x" * (DESCRIPTION_LENGTH_MAX + 1), "a\x00b", "a\x1bb"])
async def test_a_description_is_short_and_printable(workplace: Workplace, description: str) -> None:
    with pytest.raises(Invalid):
        await create(workplace, description=description)


async def test_an_account_has_so_many_webhooks(workplace: Workplace) -> None:
    for _ in range(WEBHOOKS_MAX):
        await create(workplace)

    with pytest.raises(QuotaExceeded):
        await create(workplace)


async def test_another_account_s_webhooks_are_not_found_and_told_nothing(workplace: Workplace) -> None:
    await create(workplace)
    await workplace.do(webhooks.test, 1)
    other = await other_account(workplace)

    for verb in (webhooks.find, webhooks.rotate_secret, webhooks.remove, webhooks.test):
        with pytest.raises(NotFound):
            await workplace.do_as(other, verb, 1)
    with pytest.raises(NotFound):
        await workplace.do_as(other, webhooks.find_delivery, 1, 1)
    with pytest.raises(NotFound):
        await workplace.do_as(other, webhooks.redeliver, 1, 1)
    assert await workplace.do_as(other, webhooks.list_, Page()) == []
    assert await workplace.do_as(other, lambda work: work.emit(Event.VPN_KEY_CUT, "vpn key 1", {})) is None
    assert await workplace.database.read(lambda c: len(c.execute(select(DELIVERIES)).all())) == 1


async def test_a_delivery_belongs_to_its_webhook(workplace: Workplace) -> None:
    await create(workplace)
    await create(workplace)
    await workplace.do(webhooks.test, 1)

    with pytest.raises(NotFound):
        await workplace.do(webhooks.find_delivery, 2, 1)


async def test_a_test_goes_to_one_webhook_whatever_it_wants_and_not_to_a_disabled_one(workplace: Workplace) -> None:
    await create(workplace, URL, Event.VPN_KEY_CUT)
    await create(workplace)

    delivery = await workplace.do(webhooks.test, 1)
    assert (delivery.webhook_id, delivery.event) == (1, "webhook.test")
    assert await workplace.do(webhooks.list_deliveries, 2, Page(), None) == []
    await workplace.do(webhooks.change, 1, changes=WebhookChanges(is_enabled=False), reach=CLOSED)

    for verb, arguments in ((webhooks.test, (1,)), (webhooks.redeliver, (1, delivery.number))):
        with pytest.raises(Conflict, match="enable it first"):
            await workplace.do(verb, *arguments)


async def test_a_removed_webhook_takes_its_deliveries_along(workplace: Workplace) -> None:
    await create(workplace)
    await workplace.do(webhooks.test, 1)

    await workplace.do(webhooks.remove, 1)

    assert await workplace.database.read(lambda c: c.execute(select(DELIVERIES)).all()) == []
    assert (await create(workplace)).webhook.id == 2


async def test_who_sells_keys_may_not_redirect_their_events(workplace: Workplace) -> None:
    bot = Principal(workplace.account_id, "token:1 bot", VPN_PERMISSIONS)

    with pytest.raises(Forbidden):
        await workplace.do_as(bot, webhooks.create, url=URL, description="", events=(), reach=CLOSED)
    with pytest.raises(Forbidden):
        await workplace.do_as(bot, webhooks.list_, Page())


async def test_the_courier_s_own_disabling_is_recorded_by_the_system(workplace: Workplace) -> None:
    await create(workplace)

    await workplace.do_as(system(workplace.account_id), webhooks.note_disabled, 1, "the receiver answered 410 Gone")

    assert (await records(workplace))[-1] == ("webhook.disable", {"reason": "the receiver answered 410 Gone"})
