from datetime import UTC, datetime, timedelta

import pytest

from keystead.kit.reach import reach
from keystead.providers.cloudflare import Cloudflare as Client
from keystead.providers.cloudflare_answers import result
from keystead.providers.cloudflare_permissions import PROFILES, Group, Profile, Resolved, policies, resolve
from keystead.providers.cloudflare_tokens import TokenWish
from keystead.providers.errors import (
    AlreadyThere,
    NotThere,
    ProviderBusy,
    ProviderFailed,
    ProviderRejected,
    ProviderUnavailable,
    ProviderUnreadable,
    SecretRefused,
)
from keystead.providers.transport import Answer
from tests.providers.calling import calling, clients
from tests.support.clock import ManualClock
from tests.support.standins.cloudflare import MINE, Cloudflare
from tests.support.standins.cloudflare_document import Undocumented, check_answer, check_request
from tests.support.standins.server import Fate

DOCUMENTED = PROFILES[Profile.DOCUMENTED]


async def wish(client: Client, name: str = "301st-20261128-000000", owner: str = "account") -> TokenWish:
    resolved = resolve(await client.permission_groups(MINE, owner), DOCUMENTED)
    now = datetime.now(UTC).replace(microsecond=0)
    return TokenWish(name, policies(MINE, resolved), now, now + timedelta(days=365))


@pytest.mark.parametrize("owner", ["account", "user"])
async def test_a_bootstrap_makes_a_token_that_sees_zones_and_deletes_itself(remote: Cloudflare, owner: str) -> None:
    bootstrap = remote.bootstrap(owner=owner)
    remote.add_zones(1)
    client = calling(remote, bootstrap.value)

    verified = await client.verify(MINE)
    made = await client.create_token(MINE, await wish(client, owner=owner), owner)
    working = calling(remote, made.value.reveal())
    zones = await working.zones(MINE)
    gone = [await client.delete_token(MINE, bootstrap.id, verified.owner)]

    assert (verified.id, verified.status, verified.owner) == (bootstrap.id, "active", owner)
    assert (await working.verify_as(MINE, owner)).id == made.id
    assert [zone.name for zone in zones] == ["site-0000.example.com"]
    assert await working.account_name(MINE) == "user@example.com's Account"
    assert gone == [True]
    assert list(remote.tokens) == [made.id]


async def test_all_pages_are_read_with_the_fewest_requests(remote: Cloudflare) -> None:
    remote.add_zones(120)
    client = calling(remote, remote.bootstrap().value)

    zones = await client.zones(MINE)

    assert len({zone.id for zone in zones}) == 120
    assert len(remote.asked("GET", "/zones")) == 3


async def test_the_last_page_is_the_one_that_is_not_full_where_nothing_tells(remote: Cloudflare) -> None:
    bootstrap = remote.bootstrap()
    for _ in range(60):
        remote.bootstrap()

    assert len(await calling(remote, bootstrap.value).tokens(MINE)) == 61


async def test_a_token_is_rolled_and_its_old_value_is_dead(remote: Cloudflare) -> None:
    bootstrap, other = remote.bootstrap(), remote.bootstrap()
    before = other.value

    value = await calling(remote, bootstrap.value).roll_token(MINE, other.id)

    assert (await calling(remote, value.reveal()).verify(MINE)).id == other.id
    with pytest.raises(SecretRefused):
        await calling(remote, before).verify(MINE)


async def test_zones_and_records_are_made_changed_and_deleted(remote: Cloudflare) -> None:
    client = calling(remote, remote.bootstrap().value)

    zone = await client.create_zone(MINE, "new.example.com")
    record = await client.create_record(zone.id, {"type": "A", "name": "www", "content": "192.0.2.1", "ttl": 300})
    changed = await client.change_record(zone.id, record["id"], {"type": "A", "name": "www", "content": "192.0.2.2"})
    listed = await client.records(zone.id)
    await client.check_activation(zone.id)

    assert (zone.status, (await client.zone(zone.id)).name) == ("pending", "new.example.com")
    assert [one["content"] for one in listed] == [changed["content"]] == ["192.0.2.2"]
    assert [await client.delete_record(zone.id, record["id"]) for _ in range(2)] == [True, False]
    assert [await client.delete_zone(zone.id) for _ in range(2)] == [True, False]
    with pytest.raises(ProviderRejected) as refusal:
        await client.zone(zone.id)
    assert (refusal.value.number, refusal.value.status) == (7003, 404)


async def test_a_wrong_token_is_told_from_an_outage(remote: Cloudflare) -> None:
    with pytest.raises(SecretRefused) as refusal:
        await calling(remote, "cfat_nobody").verify(MINE)
    assert (refusal.value.number, refusal.value.text) == (1000, "Invalid API Token")

    for ending in ("/verify",) * 2:
        remote.fault("GET", ending, Fate.REFUSE, times=3, status=502)
    with pytest.raises(ProviderFailed) as failure:
        await calling(remote, remote.bootstrap().value).verify(MINE)
    assert not failure.value.may_have_landed


async def test_what_is_harmless_is_asked_again_and_a_create_is_not(remote: Cloudflare) -> None:
    client = calling(remote, remote.bootstrap().value)
    wanted = await wish(client)
    remote.fault("GET", "/zones", Fate.LOSE_ANSWER, times=2)
    remote.fault("POST", "/tokens", Fate.LOSE_ANSWER)

    assert await client.zones(MINE) == []
    with pytest.raises(ProviderUnavailable) as failure:
        await client.create_token(MINE, wanted)

    assert failure.value.may_have_landed
    assert len(remote.asked("POST", "/tokens")) == 1
    assert len(remote.working()) == 1


async def test_what_may_be_left_is_found_by_its_name_and_moments(remote: Cloudflare) -> None:
    client = calling(remote, remote.bootstrap().value)
    wanted = await wish(client)
    made = await client.create_token(MINE, wanted)

    found = [
        one.id
        for one in await client.tokens(MINE)
        if (one.name, one.not_before, one.expires_on) == (wanted.name, wanted.not_before, wanted.expires_on)
    ]

    assert found == [made.id]


async def test_a_limit_is_told_and_kept_to_without_asking_again(remote: Cloudflare) -> None:
    clock = ManualClock()
    client = calling(remote, remote.bootstrap().value, clock)
    remote.fault("GET", "/zones", Fate.REFUSE, status=429, headers={"Retry-After": "240"})

    with pytest.raises(ProviderBusy) as first:
        await client.zones(MINE)
    with pytest.raises(ProviderBusy) as second:
        await client.zones(MINE)
    asked = len(remote.asked("GET", "/zones"))
    clock.advance(240)

    assert (first.value.retry_after_s, second.value.retry_after_s, asked) == (240, 240, 1)
    assert await client.zones(MINE) == []


async def test_a_bootstrap_that_may_not_give_a_permission_is_told_by_the_create(remote: Cloudflare) -> None:
    remote.has_selectable = False
    client = calling(remote, remote.bootstrap(withheld={"DNS Write"}).value)

    with pytest.raises(ProviderRejected) as refusal:
        await client.create_token(MINE, await wish(client))

    assert not isinstance(refusal.value, SecretRefused)
    assert refusal.value.number == 1001


async def test_no_secret_is_in_what_is_raised(remote: Cloudflare) -> None:
    secret = "cfat_CANARY-not-a-token"
    remote.fault("GET", "/verify", Fate.LOSE_REQUEST, times=6)

    with pytest.raises(ProviderUnavailable) as failure:
        await calling(remote, secret).verify(MINE)

    told: BaseException | None = failure.value
    while told is not None:
        assert "CANARY" not in f"{told!r} {told} {vars(told)}"
        told = told.__cause__ or told.__context__


async def test_nothing_is_sent_to_an_address_that_is_out_of_reach(remote: Cloudflare) -> None:
    client = clients(cloudflare="https://10.0.0.1/client/v4").cloudflare(remote_token(remote))

    with pytest.raises(ProviderUnavailable) as failure:
        await client.verify(MINE)

    assert not failure.value.may_have_landed
    assert reach([]).allowed == ()


def remote_token(remote: Cloudflare):  # type: ignore[no-untyped-def]
    from keystead.kit.secret import Secret

    return Secret(remote.bootstrap().value)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"success":true,"errors":[],"messages":[],"result":{}}', None),
        (
            200,
            b'{"success":false,"errors":[{"code":7003,"message":"no"}],"messages":[],"result":null}',
            ProviderRejected,
        ),
        (
            400,
            b'{"success":false,"errors":[{"code":6003,"message":"no","error_chain":[{"code":6111}]}]}',
            SecretRefused,
        ),
        (401, b'{"success":false,"errors":[{"code":10000,"message":"no"}]}', SecretRefused),
        (403, b'{"success":false,"errors":[{"code":1001,"message":"no"}]}', ProviderRejected),
        (403, b'{"success":false,"errors":[]}', SecretRefused),
        (404, b'{"success":false,"errors":[{"code":1003,"message":"no"}]}', NotThere),
        (400, b'{"success":false,"errors":[{"code":81058,"message":"no"}]}', AlreadyThere),
        (408, b"", ProviderFailed),
        (500, b'{"success":false,"errors":[{"code":10000,"message":"no"}]}', ProviderFailed),
        (503, b"<html>", ProviderFailed),
        (200, b"<html>", ProviderUnreadable),
        (302, b"", ProviderUnreadable),
        (200, b"[]", ProviderUnreadable),
    ],
)
def test_an_answer_is_judged_by_status_first_then_by_code(
    status: int, body: bytes, kind: type[Exception] | None
) -> None:
    answer = Answer(status, {}, body)

    if kind is None:
        assert result(answer, has_effect=False) == {}
        return
    with pytest.raises(kind) as raised:
        result(answer, has_effect=True)
    assert type(raised.value) is kind


def test_permissions_are_found_by_name_and_scope_together() -> None:
    account, zone = "com.cloudflare.api.account", "com.cloudflare.api.account.zone"
    catalogue = [
        Group("a", "DNS Read", (account,), True),
        Group("z", "DNS Read", (zone,), True),
        Group("r", "Dynamic URL Redirects Read", (zone,), False),
    ]

    resolved = resolve(catalogue, DOCUMENTED)

    assert resolved.zone == ("z",)
    assert resolved.account == ()
    assert "DNS Read" not in resolved.missing
    assert {"Rules Read", "Rules Write", "Zone Write"} <= set(resolved.missing)


def test_the_default_profile_is_the_documented_thirteen_and_what_its_own_flows_need() -> None:
    names = [one.name for one in DOCUMENTED]

    assert len(names) == len(set(names)) == 16
    assert names[-3:] == ["Zone Write", "Account Settings Read", "Cache Purge"]
    assert policies("a", Resolved(("x",), ("y",), ())) == [
        {
            "effect": "allow",
            "permission_groups": [{"id": "x"}],
            "resources": {"com.cloudflare.api.account.a": "*"},
        },
        {
            "effect": "allow",
            "permission_groups": [{"id": "y"}],
            "resources": {"com.cloudflare.api.account.a": {"com.cloudflare.api.account.zone.*": "*"}},
        },
    ]


def test_the_profile_for_bulk_redirects_has_all_that_the_default_has() -> None:
    assert set(PROFILES[Profile.DOCUMENTED]) < set(PROFILES[Profile.BULK_REDIRECTS])


def test_the_document_is_held_against() -> None:
    with pytest.raises(Undocumented):
        check_request("GET", "/zones", {"per_page": "1000"}, b"")
    with pytest.raises(Undocumented):
        check_request("POST", f"/accounts/{MINE}/tokens", {}, b'{"name":"x"}')
    with pytest.raises(Undocumented):
        check_answer(
            "GET", f"/accounts/{MINE}/tokens/verify", 200, b'{"success":true,"errors":[],"messages":[],"result":{}}'
        )
