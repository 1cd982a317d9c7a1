import pytest

from keystead.providers.cloudflare_records import BATCH_MAX, RecordChanges
from keystead.providers.cloudflare_zones import PURGED_FILES_MAX
from keystead.providers.errors import AlreadyThere, NotThere, ProviderBusy, ProviderRejected, ProviderUnavailable
from tests.providers.calling import calling
from tests.support.clock import ManualClock
from tests.support.standins.cloudflare import MINE, OTHER, Cloudflare
from tests.support.standins.server import Fate


async def test_a_zone_that_is_there_already_is_told_apart(remote: Cloudflare) -> None:
    client = calling(remote, remote.bootstrap().value)
    await client.create_zone(MINE, "new.example")

    with pytest.raises(AlreadyThere) as refusal:
        await client.create_zone(MINE, "new.example")

    assert (refusal.value.number, refusal.value.status) == (1061, 400)


@pytest.mark.parametrize("fate", [Fate.LOSE_ANSWER, Fate.ACT_AND_FAIL])
async def test_a_zone_whose_answer_was_lost_is_looked_for_and_not_made_again(remote: Cloudflare, fate: Fate) -> None:
    remote.add_zones(60)
    remote.fault("POST", "/zones", fate, status=502)

    zone = await calling(remote, remote.bootstrap().value).create_zone(MINE, "new.example")

    assert (zone.name, zone.status) == ("new.example", "pending")
    assert len(remote.asked("POST", "/zones")) == 1
    assert len(remote.zones) == 61


async def test_a_zone_that_was_not_made_is_not_made_again_by_itself(remote: Cloudflare) -> None:
    remote.add_zones(1, account_id=OTHER)
    remote.fault("POST", "/zones", Fate.LOSE_REQUEST)
    remote.fault("POST", "/zones", Fate.LOSE_REQUEST)
    client = calling(remote, remote.bootstrap().value)

    with pytest.raises(ProviderUnavailable) as failure:
        await client.create_zone(MINE, "new.example")
    remote.fault("GET", "/zones", Fate.REFUSE, times=3, status=503)
    with pytest.raises(ProviderUnavailable) as unseen:
        await client.create_zone(MINE, "new.example")

    assert failure.value.may_have_landed
    assert unseen.value.may_have_landed
    assert len(remote.asked("POST", "/zones")) == 2
    assert await client.find_zone(MINE, "site-0000.example.com") is None


async def test_settings_are_shown_and_set(remote: Cloudflare) -> None:
    client = calling(remote, remote.bootstrap().value)
    zone = await client.create_zone(MINE, "new.example")
    remote.fault("PATCH", "/settings/ssl", Fate.LOSE_ANSWER)

    changed = await client.change_setting(zone.id, "ssl", "strict")
    shown = {one["id"]: one["value"] for one in await client.settings(zone.id)}

    assert (changed["value"], shown["ssl"], shown["brotli"]) == ("strict", "strict", "on")
    with pytest.raises(ProviderRejected):
        await client.change_setting(zone.id, "advanced_ddos", "on")


async def test_a_cache_is_emptied_wholly_or_by_urls_in_parts(remote: Cloudflare) -> None:
    client = calling(remote, remote.bootstrap().value)
    zone = await client.create_zone(MINE, "new.example")
    files = [f"https://new.example/{number}" for number in range(PURGED_FILES_MAX + 1)]

    await client.purge_everything(zone.id)
    await client.purge_files(zone.id, files)

    assert remote.purged[0] == {"zone": "new.example", "purge_everything": True}
    assert [file for part in remote.purged[1:] for file in part["files"]] == files
    assert len(remote.purged) == 3


async def test_all_records_are_read_over_pages(remote: Cloudflare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keystead.providers.cloudflare_records.RECORDS_PAGE_SIZE", 100)  # a thousand would be slow
    client = calling(remote, remote.bootstrap().value)
    zone = await client.create_zone(MINE, "new.example")
    remote.add_records(zone.id, 250)

    found = await client.records(zone.id)

    assert len({one["name"] for one in found}) == 250
    assert len(remote.asked("GET", "/dns_records")) == 3


async def test_a_record_whose_answer_was_lost_is_looked_for_and_not_made_again(remote: Cloudflare) -> None:
    client = calling(remote, remote.bootstrap().value)
    zone = await client.create_zone(MINE, "new.example")
    remote.fault("POST", "/dns_records", Fate.LOSE_ANSWER)
    wanted = {"type": "TXT", "name": "@", "content": "v=spf1 -all", "ttl": 300}

    made = await client.create_record(zone.id, wanted)

    assert (made["name"], made["content"]) == ("new.example", "v=spf1 -all")
    assert len(remote.records[zone.id]) == 1
    with pytest.raises(AlreadyThere):
        await client.create_record(zone.id, wanted)


async def test_changes_are_carried_out_in_batches_and_in_their_order(remote: Cloudflare) -> None:
    client = calling(remote, remote.bootstrap().value)
    zone = await client.create_zone(MINE, "new.example")
    remote.add_records(zone.id, BATCH_MAX)
    first, second, *others = list(remote.records[zone.id])
    posts = [{"type": "A", "name": f"new-{number}", "content": "192.0.2.9", "ttl": 1} for number in range(50)]

    done = await client.change_records(
        zone.id,
        RecordChanges(
            deletes=others,
            patches=[{"id": first, "content": "192.0.2.254"}],
            puts=[{"id": second, "type": "TXT", "name": "txt", "content": "put", "ttl": 1}],
            posts=posts,
        ),
    )

    assert [one["id"] for one in done.deletes] == others
    assert [one["content"] for one in (*done.patches, *done.puts)] == ["192.0.2.254", "put"]
    assert [one["name"] for one in done.posts] == [f"new-{number}.new.example" for number in range(50)]
    assert len(remote.asked("POST", "/batch")) == 2
    assert len(remote.records[zone.id]) == 52


async def test_a_record_is_replaced(remote: Cloudflare) -> None:
    client = calling(remote, remote.bootstrap().value)
    zone = await client.create_zone(MINE, "new.example")
    made = await client.create_record(zone.id, {"type": "A", "name": "www", "content": "192.0.2.1", "ttl": 300})
    wanted = {"type": "TXT", "name": "www", "content": "replaced", "ttl": 60}

    replaced = await client.replace_record(zone.id, made["id"], wanted)

    assert (replaced["id"], replaced["type"], replaced["content"]) == (made["id"], "TXT", "replaced")
    with pytest.raises(NotThere):
        await client.replace_record(zone.id, "0" * 32, wanted)


async def test_a_batch_is_refused_as_a_whole(remote: Cloudflare) -> None:
    client = calling(remote, remote.bootstrap().value)
    zone = await client.create_zone(MINE, "new.example")
    remote.add_records(zone.id, 1)

    with pytest.raises(ProviderRejected) as refusal:
        await client.change_records(
            zone.id,
            RecordChanges(deletes=list(remote.records[zone.id]), patches=[{"id": "0" * 32, "content": "192.0.2.1"}]),
        )

    assert (refusal.value.number, len(remote.records[zone.id])) == (81044, 1)


async def test_a_zone_file_goes_out_of_one_zone_and_into_another(remote: Cloudflare) -> None:
    client = calling(remote, remote.bootstrap().value)
    zone = await client.create_zone(MINE, "new.example")
    remote.add_records(zone.id, 3)
    await client.create_record(zone.id, {"type": "TXT", "name": "@", "content": "two words", "ttl": 60})

    zone_file = await client.export_records(zone.id)
    remote.records[zone.id].popitem()
    told = await client.import_records(zone.id, zone_file, proxied=True)

    assert "host-0001.new.example.\t1\tIN\tA\t192.0.2.1" in zone_file
    assert (told.added, told.parsed) == (1, 4)
    assert {one["content"] for one in remote.records[zone.id].values()} >= {"two words"}
    with pytest.raises(ProviderRejected):
        await client.export_records("0" * 32)


async def test_a_limit_of_a_batch_is_told_and_kept_to(remote: Cloudflare) -> None:
    clock = ManualClock()
    client = calling(remote, remote.bootstrap().value, clock)
    zone = await client.create_zone(MINE, "new.example")
    remote.fault("POST", "/batch", Fate.REFUSE, status=429, headers={"Retry-After": "120"})
    changes = RecordChanges(posts=[{"type": "A", "name": "www", "content": "192.0.2.1", "ttl": 1}])

    for _ in range(2):
        with pytest.raises(ProviderBusy) as busy:
            await client.change_records(zone.id, changes)
    clock.advance(120)
    await client.change_records(zone.id, changes)

    assert busy.value.retry_after_s == 120
    assert len(remote.asked("POST", "/batch")) == 2
