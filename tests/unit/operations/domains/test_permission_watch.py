"""Permissions of working tokens: what one has lost is found with the daily look, told once, and goes with its cure."""

import copy
from datetime import timedelta

import pytest
from sqlalchemy import select

from keystead.access import roles
from keystead.dialects.v1 import credential_shapes
from keystead.jobs.models import JOBS
from keystead.kit.page import Page
from keystead.kit.secret import Secret
from keystead.operations.instance import checks
from keystead.operations.instance.doctor import Status
from keystead.operations.providers.cloudflare import Application
from keystead.providers.cloudflare_permissions import ACCOUNT, READS_ITSELF, ZONE, Profile
from keystead.vault import credentials, findings, looks
from keystead.vault.store.findings import Finding
from keystead.vault.store.looks import Look
from tests.support import people
from tests.support.standins.cloudflare import MINE, Cloudflare, Token
from tests.support.standins.cloudflare_state import GROUPS
from tests.support.standins.server import Fate
from tests.support.vaulted import EVERY, Vaulted
from tests.support.work import Workplace
from tests.unit.operations.domains.test_domain_watch import listening, told, watched

PERMISSION = "credential-permission-missing"


@pytest.fixture
async def vaulted(workplace: Workplace) -> Vaulted:
    """Return a vault with a Cloudflare account of two zones that was looked at once."""
    made = Vaulted(workplace, Cloudflare())
    made.remote.add_zones(2)
    await made.connect(made.remote.bootstrap().value, alias="main")
    await watched(made)
    return made


def working(vaulted: Vaulted) -> Token:
    [token] = vaulted.remote.working()
    return token


def take_away(vaulted: Vaulted, *groups: tuple[str, str]) -> None:
    """Take permissions from the working token, as somebody does in the dashboard."""
    gone = {GROUPS[group] for group in groups}
    for policy in working(vaulted).policies:
        policy["permission_groups"] = [one for one in policy["permission_groups"] if one["id"] not in gone]


async def later(vaulted: Vaulted) -> list[Finding]:
    """Return what is found of permissions at the next look."""
    vaulted.workplace.clock.advance(EVERY.total_seconds())
    await watched(vaulted)
    found = await vaulted.workplace.do(findings.list_, Page())
    return [one for one in found if one.kind == PERMISSION]


async def look_of(vaulted: Vaulted) -> Look:
    [found] = (await vaulted.workplace.do(looks.list_)).values()
    return found


async def test_a_whole_token_lacks_nothing_and_is_asked_about_with_two_requests(vaulted: Vaulted) -> None:
    vaulted.remote.came.clear()

    found = await later(vaulted)

    asked = [came.path.rpartition("/")[2] for came in vaulted.remote.came if "/tokens/" in came.path]
    assert (found, (await look_of(vaulted)).lacking) == ([], [])
    assert asked == ["verify", working(vaulted).id, "permission_groups"]


async def test_write_permissions_that_a_token_lost_are_told_once_by_the_documents_names_until_they_are_back(
    vaulted: Vaulted,
) -> None:
    place = vaulted.workplace
    await place.database.write(lambda c: roles.add_built_in(c, place.account_id))
    await people.user(place, "owner@example.com", "owner")
    await listening(vaulted)
    whole = copy.deepcopy(working(vaulted).policies)
    take_away(vaulted, ("DNS Write", ZONE), ("Dynamic URL Redirects Write", ZONE), ("Workers Scripts Write", ACCOUNT))

    [finding] = await later(vaulted)
    for _ in range(3):
        vaulted.workplace.clock.advance(timedelta(hours=2).total_seconds())
        await later(vaulted)
    events = [data for event, data in await told(vaulted) if event == "credential.refused"]
    mails = await sent(vaulted)
    working(vaulted).policies = whole
    cured = await later(vaulted)

    names = ["DNS Write", "Workers Scripts Write", "Rules Write"]
    assert (finding.credential, finding.expected) == ("main", names)
    assert finding.seen == [f"{name} is not granted" for name in names]
    assert [(data["kind"], data["expected"]) for data in events] == [(PERMISSION, names)]
    assert len(mails) == 1
    assert "credential main lacks a permission at cloudflare: DNS Write is not granted" in mails[0]
    assert (cured, (await look_of(vaulted)).lacking) == ([], [])


async def sent(vaulted: Vaulted) -> list[str]:
    rows = await vaulted.workplace.database.read(lambda c: list(c.execute(select(JOBS.c.request)).scalars()))
    return [one["text"] for one in rows if "lacks a permission" in one["text"]]


async def test_what_was_narrowed_to_one_zone_or_denied_is_lost(vaulted: Vaulted) -> None:
    policies = working(vaulted).policies
    zone = next(iter(vaulted.remote.zones))
    dns, purge = GROUPS["DNS Write", ZONE], GROUPS["Cache Purge", ZONE]
    take_away(vaulted, ("DNS Write", ZONE))
    policies.append({"effect": "allow", "permission_groups": [{"id": dns}], "resources": {f"{ZONE}.{zone}": "*"}})
    policies.append({"effect": "deny", "permission_groups": [{"id": purge}], "resources": {f"{ZONE}.{zone}": "*"}})

    [finding] = await later(vaulted)

    assert finding.expected == ["DNS Write", "Cache Purge"]


async def test_another_order_and_one_policy_more_are_no_loss(vaulted: Vaulted) -> None:
    policies = working(vaulted).policies
    for policy in policies:
        policy["permission_groups"].reverse()
    [first, *others] = policies[-1]["permission_groups"]
    policies.append({**policies[-1], "permission_groups": [first]})
    policies[1] = {**policies[1], "permission_groups": others}
    policies.reverse()

    assert await later(vaulted) == []


async def test_it_is_shown_with_the_credential_and_the_doctor_says_it(vaulted: Vaulted) -> None:
    well = await checks.credentials(vaulted.workplace.database)
    take_away(vaulted, ("DNS Write", ZONE))
    await later(vaulted)

    [held] = await vaulted.workplace.do(credentials.list_)
    shown = credential_shapes.credential(held, await look_of(vaulted), vaulted.workplace.clock.now())
    examined = await checks.credentials(vaulted.workplace.database)

    assert (shown["profile"], shown["look"]["lacking"], shown["look"]["problem"]) == ("documented", ["DNS Write"], None)
    assert (well.status, examined.status) == (Status.OK, Status.WARN)
    assert f"cloudflare {held.id} (main) lacks DNS Write" in examined.message


async def test_a_token_that_can_read_itself_no_more_has_lost_that_and_what_it_had_lost_before(vaulted: Vaulted) -> None:
    take_away(vaulted, ("DNS Write", ZONE))
    await later(vaulted)
    take_away(vaulted, (READS_ITSELF.group, ACCOUNT))

    [finding] = await later(vaulted)

    assert finding.expected == [READS_ITSELF.name, "DNS Write"]
    assert [one.expected for one in await later(vaulted)] == [finding.expected]


@pytest.mark.parametrize("owner", ["account", "user"])
async def test_of_a_token_that_never_could_read_itself_nothing_is_said(workplace: Workplace, owner: str) -> None:
    vaulted = Vaulted(workplace, Cloudflare())
    await vaulted.connect(vaulted.remote.bootstrap(owner=owner, withheld={READS_ITSELF.group}).value)
    await watched(vaulted)
    take_away(vaulted, ("DNS Write", ZONE))

    assert await later(vaulted) == []
    assert (await look_of(vaulted)).lacking is None


async def test_a_catalogue_that_does_not_say_what_may_be_given_costs_nobody_the_connection(
    workplace: Workplace,
) -> None:
    vaulted = Vaulted(workplace, Cloudflare())
    vaulted.remote.has_selectable = False

    await vaulted.connect(vaulted.remote.bootstrap(withheld={READS_ITSELF.group}).value)

    groups = {one["id"] for policy in working(vaulted).policies for one in policy["permission_groups"]}
    assert GROUPS["DNS Write", ZONE] in groups
    assert GROUPS[READS_ITSELF.group, ACCOUNT] not in groups


async def test_a_profile_needs_what_is_in_it_and_a_rotation_forgets_what_the_former_token_had_lost(
    vaulted: Vaulted,
) -> None:
    take_away(vaulted, ("Workers Scripts Write", ACCOUNT))
    assert len(await later(vaulted)) == 1
    bootstrap = Secret(vaulted.remote.bootstrap().value)

    await vaulted.cloudflare.connect(vaulted.call(), Application(MINE, bootstrap), Profile.DNS_ONLY)
    rotated = (await look_of(vaulted)).lacking
    await watched(vaulted)

    [held] = await vaulted.workplace.do(credentials.list_)
    assert (held.profile, rotated, (await look_of(vaulted)).lacking) == ("dns-only", None, [])
    assert await later(vaulted) == []


@pytest.mark.parametrize("status", [404, 503])
async def test_an_answer_that_says_nothing_of_permissions_leaves_what_is_known(vaulted: Vaulted, status: int) -> None:
    take_away(vaulted, ("DNS Write", ZONE))
    before = await later(vaulted)
    vaulted.remote.fault("GET", f"/tokens/{working(vaulted).id}", Fate.REFUSE, status=status, times=3)

    assert await later(vaulted) == before != []
    assert (await look_of(vaulted)).problem is None
