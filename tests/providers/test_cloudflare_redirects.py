"""Redirects at Cloudflare: ours are set, changed and deleted one by one, and nobody else's is touched."""

import copy
from typing import Any

import pytest

from keystead.kit.errors import Conflict
from keystead.providers.cloudflare import Cloudflare as Client
from keystead.providers.cloudflare_rules import LIST_NAME, LIST_REF, ref_of
from keystead.providers.errors import ProviderRejected, ProviderUnavailable, SecretRefused
from keystead.providers.redirect import BulkRedirect, Redirect
from tests.providers.calling import calling
from tests.support.clock import ManualClock
from tests.support.standins.cloudflare import MINE, OTHER, Cloudflare
from tests.support.standins.server import Fate

THEIRS = "f" * 32
OLD = Redirect("example.com", "https://example.net/new", path="/old")


@pytest.fixture
def client(remote: Cloudflare) -> Client:
    return calling(remote, remote.bootstrap().value, ManualClock())


@pytest.fixture
def zone(remote: Cloudflare) -> str:
    remote.add_zones(1)
    return next(iter(remote.zones))


async def sources(client: Client, zone: str) -> list[str]:
    found = await client.redirect_rules(zone)
    return [] if found is None else [one.redirect.source for one in found.ours if one.redirect is not None]


async def test_the_first_redirect_makes_the_entry_point_and_the_next_is_added_to_it(
    client: Client, remote: Cloudflare, zone: str
) -> None:
    assert await client.redirect_rules(zone) is None

    made = [await client.set_redirect(zone, one) for one in (OLD, Redirect("www.example.com", "https://example.com"))]

    assert made == [True, True]
    assert await sources(client, zone) == ["example.com/old", "www.example.com/*"]
    assert not remote.asked("PUT", "/entrypoint")


async def test_a_redirect_with_the_same_source_is_changed(client: Client, zone: str) -> None:
    await client.set_redirect(zone, OLD)

    is_new = await client.set_redirect(zone, Redirect(OLD.host, "https://example.org", OLD.path, status=308))

    found = await client.redirect_rules(zone)
    assert found is not None
    [rule] = found.ours
    assert not is_new
    assert rule.redirect == Redirect(OLD.host, "https://example.org", OLD.path, status=308)


@pytest.mark.parametrize(
    "redirect",
    [
        OLD,
        Redirect("*.example.com", "https://example.com", keeps_path=True, keeps_query=False, status=302),
        Redirect("example.com", "http://example.net", "/docs/*", 307, keeps_path=True),
    ],
)
async def test_what_is_written_is_read_back(client: Client, zone: str, redirect: Redirect) -> None:
    await client.change_redirects(zone, gone=[], wanted=[redirect], template="parking")

    found = await client.redirect_rules(zone)

    assert found is not None
    assert [(one.redirect, one.template, one.is_enabled) for one in found.ours] == [(redirect, "parking", True)]


async def test_a_narrow_redirect_goes_before_the_wider_ones_of_ours(client: Client, zone: str) -> None:
    for path in ("/*", "/docs/*", "/docs/one", "/old"):
        await client.set_redirect(zone, Redirect("example.com", "https://example.net", path))

    assert await sources(client, zone) == [
        "example.com/docs/one",
        "example.com/old",
        "example.com/docs/*",
        "example.com/*",
    ]


async def test_rules_of_others_are_never_touched(client: Client, remote: Cloudflare, zone: str) -> None:
    foreign = remote.add_foreign_rule(zone)
    before = copy.deepcopy(foreign)

    await client.set_redirect(zone, OLD)
    await client.set_redirect(zone, Redirect(OLD.host, "https://example.org", OLD.path))
    none = await client.delete_redirect(zone, foreign["ref"])
    gone = [await client.delete_redirect(zone, ref_of(OLD.source)) for _ in range(2)]

    assert (none, gone) == (False, [True, False])
    assert remote.rules(zone) == [before]
    assert not any(foreign["id"] in came.path for came in remote.came)
    assert not remote.asked("PUT", "/entrypoint")


async def test_a_rule_of_ours_that_was_rewritten_by_hand_is_told_and_set_again(
    client: Client, remote: Cloudflare, zone: str
) -> None:
    await client.set_redirect(zone, OLD)
    remote.rules(zone)[0] |= {"expression": "true", "enabled": False}

    seen = await client.redirect_rules(zone)
    await client.set_redirect(zone, OLD)
    again = await client.redirect_rules(zone)

    assert seen is not None
    assert again is not None
    assert [(one.redirect, one.is_enabled, one.expression) for one in seen.ours] == [(None, False, "true")]
    assert [(one.redirect, one.is_enabled) for one in again.ours] == [(OLD, True)]


async def test_many_redirects_are_changed_with_one_look_at_the_rules(
    client: Client, remote: Cloudflare, zone: str
) -> None:
    foreign = remote.add_foreign_rule(zone)
    await client.set_redirect(zone, OLD)
    looks = len(remote.asked("GET", "/entrypoint"))
    many = [Redirect("example.com", "https://example.net", path) for path in ("/*", "/b", "/a/*")]

    await client.change_redirects(
        zone, gone=[ref_of(OLD.source), foreign["ref"]], wanted=[*many, many[0]], template="parking"
    )

    assert await sources(client, zone) == ["example.com/b", "example.com/a/*", "example.com/*"]
    assert remote.rules(zone)[0] == foreign
    assert len(remote.asked("GET", "/entrypoint")) == looks + 2


@pytest.mark.parametrize("ending", ["/rulesets", "/rules"])
async def test_a_lost_answer_makes_no_second_rule(client: Client, remote: Cloudflare, zone: str, ending: str) -> None:
    if ending == "/rules":
        remote.add_foreign_rule(zone)
    remote.fault("POST", ending, Fate.LOSE_ANSWER)

    await client.set_redirect(zone, OLD)

    assert await sources(client, zone) == [OLD.source]
    assert len(remote.asked("POST", ending)) == 1


async def test_a_rule_that_never_arrived_is_told(client: Client, remote: Cloudflare, zone: str) -> None:
    remote.fault("POST", "/rulesets", Fate.LOSE_REQUEST)

    with pytest.raises(ProviderUnavailable) as failure:
        await client.set_redirect(zone, OLD)

    assert failure.value.may_have_landed
    assert remote.rules(zone) == []


async def test_an_entry_point_that_appeared_meanwhile_is_added_to(
    client: Client, remote: Cloudflare, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    real = client._entry_point

    async def at_first_none(place: str, phase: str) -> Any:
        if not seen:
            remote.add_foreign_rule(zone)
            seen.append(place)
            return None
        return await real(place, phase)

    monkeypatch.setattr(client, "_entry_point", at_first_none)  # a race that no test can win otherwise
    await client.set_redirect(zone, OLD)

    assert len(remote.rules(zone)) == 2


async def test_bulk_redirects_are_put_as_one_operation_that_is_waited_for(client: Client, remote: Cloudflare) -> None:
    remote.operation_looks = 3
    remote.items_page_max = 100
    many = [BulkRedirect(f"site-{number}.example.com/", "https://example.net/") for number in range(250)]

    await client.put_bulk_redirects(MINE, many, ManualClock())

    assert {one.redirect for one in await client.bulk_redirects(MINE)} == set(many)
    assert len(remote.asked("PUT", "/items")) == 1
    assert [one["ref"] for one in remote.rulesets[f"accounts/{MINE} http_request_redirect"]["rules"]] == [LIST_REF]


async def test_bulk_redirects_are_deleted_by_their_ids_and_the_rule_is_made_once(
    client: Client, remote: Cloudflare
) -> None:
    keep, drop = BulkRedirect("a.example.com/", "https://example.net"), BulkRedirect("b.example.com/", "https://x.org")
    for _ in range(2):
        await client.put_bulk_redirects(MINE, [keep, drop], ManualClock())

    [gone] = [one.id for one in await client.bulk_redirects(MINE) if one.redirect == drop]
    await client.delete_bulk_redirects(MINE, [gone], ManualClock())

    assert [one.redirect for one in await client.bulk_redirects(MINE)] == [keep]
    assert len(remote.rulesets[f"accounts/{MINE} http_request_redirect"]["rules"]) == 1


async def test_lists_of_others_are_never_touched(client: Client, remote: Cloudflare) -> None:
    remote.lists[THEIRS] = {"id": THEIRS, "name": "theirs", "kind": "redirect", "account": MINE} | dict.fromkeys(
        ("created_on", "modified_on"), "2026-01-01T00:00:00Z"
    )
    remote.items[THEIRS] = [{"id": "i", "redirect": {"source_url": "a.example.com/", "target_url": "https://x.org"}}]
    before = copy.deepcopy(remote.items[THEIRS])

    await client.put_bulk_redirects(MINE, [BulkRedirect("b.example.com/", "https://x.org")], ManualClock())

    assert remote.items[THEIRS] == before
    assert not any(THEIRS in came.path for came in remote.came)


async def test_a_list_of_our_name_and_another_kind_is_left_alone(client: Client, remote: Cloudflare) -> None:
    remote.lists[THEIRS] = {"id": THEIRS, "name": LIST_NAME, "kind": "ip", "account": MINE} | dict.fromkeys(
        ("created_on", "modified_on"), "2026-01-01T00:00:00Z"
    )
    remote.items[THEIRS] = []

    with pytest.raises(Conflict):
        await client.put_bulk_redirects(MINE, [BulkRedirect("b.example.com/", "https://x.org")], ManualClock())


async def test_an_operation_that_fails_or_does_not_end_is_told(client: Client, remote: Cloudflare) -> None:
    one = [BulkRedirect("b.example.com/", "https://x.org")]
    remote.list_problem = "invalid source_url"
    with pytest.raises(ProviderRejected) as failure:
        await client.put_bulk_redirects(MINE, one, ManualClock())
    remote.list_problem, remote.operation_looks = None, 1000
    with pytest.raises(ProviderUnavailable) as unended:
        await client.put_bulk_redirects(MINE, one, ManualClock())

    assert failure.value.text == "invalid source_url"
    assert unended.value.may_have_landed


async def test_what_is_another_accounts_is_refused_by_cloudflare(client: Client, remote: Cloudflare) -> None:
    remote.add_zones(1, OTHER)

    with pytest.raises(ProviderRejected):
        await client.set_redirect(next(iter(remote.zones)), OLD)
    with pytest.raises(SecretRefused):
        await client.bulk_redirects(OTHER)
