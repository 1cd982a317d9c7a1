"""When keys were last seen, and how long their addresses are kept."""

from datetime import timedelta

import pytest

from keystead.vpn import keys
from keystead.vpn.keyvalue import labels_of, number_of
from keystead.vpn.sightings import RecentAddresses, Sightings
from tests.support.fake_engine import FakeWatching
from tests.support.shop import Shop
from tests.support.work import Workplace


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    return await Shop(workplace).open()


def sightings(shop: Shop, source: FakeWatching, *, kept_s: float = 0) -> Sightings:
    return Sightings(source, database=shop.workplace.database, clock=shop.workplace.clock, addresses_kept_s=kept_s)


async def test_the_moment_a_key_was_last_seen_is_noted_whatever_its_label_was(shop: Shop) -> None:
    seen, unseen = await shop.issue(), await shop.issue()
    source = FakeWatching()
    source.ago_s = {f"k{seen.number}-1": 300.0, f"k{seen.number}-2": 20.0, "keystead-probe": 1.0}

    noted = await sightings(shop, source).note()

    assert noted == 1
    assert (await shop.do(keys.find, seen)).last_seen_at == shop.workplace.clock.now() - timedelta(seconds=20)
    assert (await shop.do(keys.find, unseen)).last_seen_at is None


async def test_an_older_sighting_changes_nothing(shop: Shop) -> None:
    key = await shop.issue()
    source = FakeWatching()
    source.ago_s = {key.label: 5.0}
    await sightings(shop, source).note()
    newest = (await shop.do(keys.find, key)).last_seen_at
    source.ago_s = {key.label: 50.0}

    await sightings(shop, source).note()

    assert (await shop.do(keys.find, key)).last_seen_at == newest


async def test_a_second_note_asks_for_what_is_new_only(shop: Shop) -> None:
    key = await shop.issue()
    source = FakeWatching()
    source.ago_s = {key.label: 600.0}
    noting = sightings(shop, source)

    assert (await noting.note(), await noting.note()) == (1, 0)


async def test_addresses_are_kept_as_long_as_the_setting_says(shop: Shop) -> None:
    source = FakeWatching()
    source.connect("k1-1", "203.0.113.5")
    source.connect(None, "203.0.113.6")
    noting = sightings(shop, source, kept_s=60)

    await noting.look()
    kept = noting.addresses(1)
    shop.workplace.clock.advance(61)

    assert kept == ["203.0.113.5"]
    assert noting.addresses(1) == []


def test_the_address_unseen_for_longest_goes_first_and_old_ones_are_forgotten() -> None:
    recent = RecentAddresses(60)
    for number in range(40):
        recent.note(1, f"203.0.113.{number}", float(number))

    assert len(recent.of(1, 40.0)) == 32
    recent.forget_old(200.0)
    assert recent.of(1, 40.0) == []


def test_labels_and_numbers_of_keys() -> None:
    assert labels_of("k12-3") == ["k12-1", "k12-2", "k12-3"]
    assert [number_of(name) for name in ("k12-3", "keystead-probe", "new-u", "")] == [12, None, None, None]
