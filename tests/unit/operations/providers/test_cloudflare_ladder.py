"""The ladder from a bootstrap token to a working one, and what is left of it when it is cut."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from keystead.access.permissions import ALL_PERMISSIONS
from keystead.access.principal import Principal
from keystead.kit.errors import KeysteadError, StorageFailed
from keystead.operations.providers.cloudflare_errands import Left, token_of
from keystead.providers.errors import ProviderBusy, ProviderFailed, ProviderRejected, ProviderUnavailable
from keystead.vault import connecting, credentials, limits
from keystead.vault import errands as errand_verbs
from keystead.vault.credentialvalue import Status
from keystead.vault.errors import (
    BootstrapEnded,
    BootstrapInactive,
    BootstrapRefused,
    ConnectedElsewhere,
    ConnectingAlready,
    NotKept,
    PermissionsMissing,
    ReplaceUnconfirmed,
    WorkingTokenRefused,
)
from keystead.vault.limits import Allowance
from tests.support import people
from tests.support.standins.cloudflare import MINE, OTHER, Cloudflare
from tests.support.standins.server import Fate
from tests.support.vaulted import Vaulted
from tests.support.work import Workplace


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def remote() -> Cloudflare:
    return Cloudflare()


@pytest.fixture
def vaulted(workplace: Workplace, remote: Cloudflare) -> Vaulted:
    return Vaulted(workplace, remote)


async def live_token(vaulted: Vaulted) -> str | None:
    """Return the token in the vault, once: None for an empty vault."""
    held = [one for one in await vaulted.workplace.do(credentials.list_) if one.status is Status.ACTIVE]
    assert len(held) <= 1
    if not held:
        return None
    opened = await vaulted.workplace.do(credentials.use, held[0].id, "cloudflare")
    return token_of(opened).reveal()


async def check_ended_well(vaulted: Vaulted, bootstrap: str, *, had_one: bool = False) -> None:
    """Check that there is one token in the vault and at Cloudflare, the same, or none in both."""
    token = await live_token(vaulted)
    working = [one.value for one in vaulted.remote.working()]

    assert working == ([] if token is None else [token])
    assert token is not None or not had_one
    assert all(status != "pending" for _, status in await vaulted.rows())
    if token is not None and not had_one:
        assert vaulted.remote.by_value(bootstrap) is None


async def test_a_connection_leaves_one_working_token_and_no_bootstrap(vaulted: Vaulted, remote: Cloudflare) -> None:
    bootstrap = remote.bootstrap()
    remote.add_zones(120)

    done = await vaulted.connect(bootstrap.value, alias="Main CF Account")

    assert not done.is_rotation
    assert done.left == ()
    assert done.synced is not None
    assert (done.synced.zones, done.synced.domains) == (120, 120)
    assert done.credential.alias == "Main CF Account"
    assert done.credential.scope == {
        "cf_token_id": remote.working()[0].id,
        "cf_token_name": "Main CF Account",
        "cf_account_name": "user@example.com's Account",
    }
    assert await vaulted.waiting() == []
    await check_ended_well(vaulted, bootstrap.value)


async def test_the_default_alias_is_the_name_of_the_token_and_it_ends_in_five_years(
    vaulted: Vaulted, remote: Cloudflare
) -> None:
    done = await vaulted.connect(remote.bootstrap().value)

    now = vaulted.workplace.clock.now()
    assert done.credential.alias == now.strftime("301st-%Y%m%d-%H%M%S") == remote.working()[0].name
    assert done.credential.expires_at is not None
    assert timedelta(days=1825) <= done.credential.expires_at - now <= timedelta(days=1826)


async def test_a_token_of_a_user_connects_too(vaulted: Vaulted, remote: Cloudflare) -> None:
    bootstrap = remote.bootstrap(owner="user")

    done = await vaulted.connect(bootstrap.value)
    again = await vaulted.connect(remote.bootstrap(owner="user").value)

    assert done.credential.scope["cf_token_owner"] == "user"
    assert again.is_rotation
    assert again.left == ()
    await check_ended_well(vaulted, bootstrap.value)


async def test_a_rotation_keeps_the_row_and_kills_the_former_token(vaulted: Vaulted, remote: Cloudflare) -> None:
    remote.add_zones(1)
    first = await vaulted.connect(remote.bootstrap().value, alias="Main")
    former = await live_token(vaulted)

    second = await vaulted.connect(remote.bootstrap().value)
    renamed = await vaulted.connect(remote.bootstrap().value, alias="Renamed")

    assert second.is_rotation
    assert second.synced is None
    assert (second.credential.id, second.credential.alias) == (first.credential.id, "Main")
    assert second.credential.scope["cf_token_name"] != "Main"
    assert (renamed.credential.alias, renamed.credential.scope["cf_token_name"]) == ("Renamed", "Renamed")
    assert remote.by_value(former or "") is None
    assert len(remote.working()) == 1


async def test_a_replacement_leaves_the_former_token_in_the_other_account_and_says_so(
    vaulted: Vaulted, remote: Cloudflare, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An account's plan is not of this subject.
    monkeypatch.setattr(limits, "cloudflare_accounts", lambda *_: Allowance("free", 1))
    await vaulted.connect(remote.bootstrap().value)
    other = remote.bootstrap(OTHER)
    before = len(remote.came)

    with pytest.raises(ReplaceUnconfirmed):
        await vaulted.connect(other.value, OTHER)
    asked = len(remote.came) - before
    done = await vaulted.connect(other.value, OTHER, may_replace=True)

    assert asked == 0
    assert done.left == (Left.TOKEN_ELSEWHERE,)
    assert [one for one, _ in await vaulted.rows()] == [OTHER]
    assert len(remote.working(MINE)) == len(remote.working(OTHER)) == 1


async def test_another_accounts_connection_is_told_only_to_who_has_a_bootstrap_that_works(
    vaulted: Vaulted, remote: Cloudflare
) -> None:
    await vaulted.connect(remote.bootstrap().value)
    account_id = (await people.account(vaulted.workplace, "other")).id
    eve = Principal(account_id, "user:9 eve", ALL_PERMISSIONS)

    with pytest.raises(BootstrapRefused):
        await vaulted.connect("cfat_guess", principal=eve)
    with pytest.raises(ConnectedElsewhere):
        await vaulted.connect(remote.bootstrap().value, principal=eve)

    assert len(remote.working()) == 1


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"status": "disabled"}, BootstrapInactive),
        ({"status": "expired"}, BootstrapInactive),
        ({"expires_on": "2020-01-01T00:00:00Z"}, BootstrapEnded),
        ({"withheld": {"DNS Write", "Dynamic URL Redirects Read"}}, PermissionsMissing),
    ],
)
async def test_a_bootstrap_that_cannot_be_used_makes_nothing(
    vaulted: Vaulted, remote: Cloudflare, more: dict[str, object], kind: type[KeysteadError]
) -> None:
    with pytest.raises(kind) as refusal:
        await vaulted.connect(remote.bootstrap(**more).value)

    if isinstance(refusal.value, PermissionsMissing):
        assert refusal.value.missing == ["DNS Write", "Rules Read"]
    assert remote.working() == []
    assert await vaulted.rows() == []
    assert await vaulted.waiting() == []


async def test_a_permission_that_the_catalogue_does_not_tell_is_told_by_the_create(
    vaulted: Vaulted, remote: Cloudflare
) -> None:
    remote.has_selectable = False

    with pytest.raises(PermissionsMissing):
        await vaulted.connect(remote.bootstrap(withheld={"DNS Write"}).value)

    assert await vaulted.rows() == []
    assert await vaulted.waiting() == []


@pytest.mark.parametrize("fate", [Fate.LOSE_ANSWER, Fate.ACT_AND_FAIL])
async def test_an_answer_that_is_lost_leaves_no_second_token(vaulted: Vaulted, remote: Cloudflare, fate: Fate) -> None:
    bootstrap = remote.bootstrap()
    remote.fault("POST", "/tokens", fate)

    with pytest.raises(ProviderUnavailable):
        await vaulted.connect(bootstrap.value)

    assert remote.working() == []
    assert len(remote.asked("POST", "/tokens")) == 1
    assert await vaulted.waiting() == []
    await vaulted.connect(bootstrap.value)
    await check_ended_well(vaulted, bootstrap.value)


async def test_a_request_that_is_lost_is_looked_for_once_more_later_and_holds_nobody_up(
    vaulted: Vaulted, remote: Cloudflare
) -> None:
    bootstrap = remote.bootstrap()
    remote.fault("POST", "/tokens", Fate.LOSE_REQUEST)

    with pytest.raises(ProviderUnavailable):
        await vaulted.connect(bootstrap.value)
    assert await vaulted.waiting() == ["sweep"]
    await vaulted.connect(remote.bootstrap().value)
    await vaulted.settle()

    await check_ended_well(vaulted, bootstrap.value, had_one=True)


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_cloudflare_away_before_anything_is_made_leaves_nothing(
    vaulted: Vaulted, remote: Cloudflare, status: int
) -> None:
    remote.fault("GET", "/permission_groups", Fate.REFUSE, times=3, status=status)

    with pytest.raises(ProviderFailed):
        await vaulted.connect(remote.bootstrap().value)

    assert await vaulted.rows() == []
    assert await vaulted.waiting() == []


async def test_a_limit_at_the_create_is_kept_to_and_nothing_is_left(vaulted: Vaulted, remote: Cloudflare) -> None:
    remote.fault("POST", "/tokens", Fate.REFUSE, status=429, headers={"Retry-After": "300"})

    with pytest.raises(ProviderBusy) as busy:
        await vaulted.connect(remote.bootstrap().value)

    assert busy.value.retry_after_s == 300
    assert (await vaulted.rows(), await vaulted.waiting(), remote.working()) == ([], [], [])


async def test_a_working_token_that_is_known_late_is_waited_for(vaulted: Vaulted, remote: Cloudflare) -> None:
    bootstrap = remote.bootstrap()
    body = b'{"success":false,"errors":[{"code":1000,"message":"Invalid API Token"}],"messages":[],"result":null}'

    def refuse_working() -> None:
        remote.fault("GET", "/verify", Fate.REFUSE, times=2, status=401, body=body)

    hold = remote._create_token

    def create(*args: object) -> object:
        made = hold(*args)  # type: ignore[arg-type]
        refuse_working()
        return made

    remote._create_token = create  # type: ignore[method-assign, assignment]

    await vaulted.connect(bootstrap.value)

    await check_ended_well(vaulted, bootstrap.value)


async def test_a_working_token_that_is_never_taken_is_deleted_again(vaulted: Vaulted, remote: Cloudflare) -> None:
    bootstrap = remote.bootstrap()
    hold = remote._create_token

    def create(*args: object) -> object:
        made = hold(*args)  # type: ignore[arg-type]
        remote.working()[-1].status = "disabled"
        return made

    remote._create_token = create  # type: ignore[method-assign, assignment]

    with pytest.raises(WorkingTokenRefused):
        await vaulted.connect(bootstrap.value)

    assert (remote.working(), await vaulted.rows(), await vaulted.waiting()) == ([], [], [])


async def test_what_cannot_be_kept_is_named_and_deleted(
    vaulted: Vaulted, remote: Cloudflare, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageFailed("the disk is full")

    # The one transaction that a full disk would refuse.
    monkeypatch.setattr(connecting, "activate", full)

    with pytest.raises(NotKept) as failure:
        await vaulted.connect(remote.bootstrap().value)

    assert failure.value.external_id == MINE
    assert failure.value.token_id
    assert (remote.working(), await vaulted.rows(), await vaulted.waiting()) == ([], [], [])


async def test_a_bootstrap_that_cannot_be_deleted_now_is_said_and_deleted_later(
    vaulted: Vaulted, remote: Cloudflare
) -> None:
    bootstrap = remote.bootstrap()
    remote.fault("DELETE", bootstrap.id, Fate.REFUSE, times=3, status=503)

    done = await vaulted.connect(bootstrap.value)
    waiting = await vaulted.waiting()
    await vaulted.settle()

    assert done.left == (Left.BOOTSTRAP,)
    assert waiting == ["retire"]
    await check_ended_well(vaulted, bootstrap.value)


async def test_an_answer_to_the_deletion_that_is_lost_is_seen_to_have_worked(
    vaulted: Vaulted, remote: Cloudflare
) -> None:
    bootstrap = remote.bootstrap()
    remote.fault("DELETE", bootstrap.id, Fate.LOSE_ANSWER)

    done = await vaulted.connect(bootstrap.value)

    assert done.left == ()
    await check_ended_well(vaulted, bootstrap.value)


async def test_zones_that_cannot_be_read_now_are_read_later(vaulted: Vaulted, remote: Cloudflare) -> None:
    remote.add_zones(3)
    remote.fault("GET", "/zones", Fate.REFUSE, times=3, status=503)

    done = await vaulted.connect(remote.bootstrap().value)
    waiting = await vaulted.waiting()
    await vaulted.settle()
    rotated = await vaulted.connect(remote.bootstrap().value)

    assert (done.synced, done.sync_problem) == (None, "Cloudflare answered HTTP 503")
    assert waiting == ["sync"]
    assert rotated.synced is None


async def test_two_at_once_make_one_token(vaulted: Vaulted, remote: Cloudflare) -> None:
    bootstrap = remote.bootstrap()
    other = Vaulted(vaulted.workplace, remote)
    refused: list[KeysteadError] = []

    async def second() -> None:
        try:
            await other.connect(bootstrap.value)
        except KeysteadError as error:
            refused.append(error)

    made = vaulted.cloudflare._made

    async def with_another(*args: object) -> object:
        await second()
        return await made(*args)  # type: ignore[arg-type]

    vaulted.cloudflare._made = with_another  # type: ignore[method-assign, assignment]

    await vaulted.connect(bootstrap.value)

    assert [type(error) for error in refused] == [ConnectingAlready]
    await check_ended_well(vaulted, bootstrap.value)


async def test_a_reservation_that_runs_out_under_way_ends_without_a_stray_token(
    vaulted: Vaulted, remote: Cloudflare
) -> None:
    bootstrap, later = remote.bootstrap(), remote.bootstrap()
    other = Vaulted(vaulted.workplace, remote)
    seen_working = vaulted.cloudflare._seen_working

    async def slowly(*args: object) -> None:
        await seen_working(*args)  # type: ignore[arg-type]
        vaulted.workplace.clock.advance(3600)
        await other.runner.round()
        await other.connect(later.value)

    vaulted.cloudflare._seen_working = slowly  # type: ignore[method-assign, assignment]

    with pytest.raises(NotKept):
        await vaulted.connect(bootstrap.value)
    await vaulted.settle()

    await check_ended_well(vaulted, later.value, had_one=True)


@pytest.mark.slow
@pytest.mark.parametrize("is_rotation", [False, True])
async def test_a_kill_at_any_moment_ends_with_one_token_or_none(
    workplace: Workplace, remote: Cloudflare, is_rotation: bool
) -> None:
    """Kill before and after every request and every commit, in turn, then start again and let errands end."""
    if is_rotation:
        await Vaulted(workplace, remote).connect(remote.bootstrap().value)
    for moment in range(200):
        bootstrap = remote.bootstrap()
        vaulted = Vaulted(workplace, remote)
        if not await _is_killed(vaulted, bootstrap.value, moment):
            break
        successor = Vaulted(workplace, remote)
        await successor.workplace.do(errand_verbs.make_all_due)
        await successor.settle()

        await check_ended_well(successor, bootstrap.value, had_one=is_rotation)

        if not is_rotation:
            await _forget(successor)
    else:
        raise AssertionError("the ladder never ends")
    assert moment > 25


@pytest.mark.slow
async def test_a_kill_while_an_account_takes_the_place_of_another_ends_with_one_of_the_two(
    workplace: Workplace, remote: Cloudflare, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An account's plan is not of this subject.
    monkeypatch.setattr(limits, "cloudflare_accounts", lambda *_: Allowance("free", 1))
    for moment in range(200):
        await Vaulted(workplace, remote).connect(remote.bootstrap().value)
        bootstrap, vaulted = remote.bootstrap(OTHER), Vaulted(workplace, remote)
        is_killed = await _is_killed(vaulted, bootstrap.value, moment, OTHER)
        successor = Vaulted(workplace, remote)
        await successor.workplace.do(errand_verbs.make_all_due)
        await successor.settle()

        [(connected, status)] = await successor.rows()
        token, made = await live_token(successor), [one.value for one in remote.working(OTHER)]
        assert status == "active"
        assert made == ([token] if connected == OTHER else [])
        # The former token is left to its owner, in the other account: nobody here may delete it.
        assert len(remote.working(MINE)) == 1
        assert connected == OTHER or remote.working(MINE)[0].value == token
        await _forget(successor)
        if not is_killed:
            assert (connected, remote.by_value(bootstrap.value)) == (OTHER, None)
            break
    else:
        raise AssertionError("the ladder never ends")
    assert moment > 25


async def _is_killed(vaulted: Vaulted, bootstrap: str, moment: int, account_id: str = MINE) -> bool:
    left = moment

    def count() -> None:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1

    vaulted.sender.before = vaulted.sender.after = count
    vaulted.transactions.before = vaulted.transactions.after = count
    try:
        await vaulted.connect(bootstrap, account_id, may_replace=account_id != MINE)
    except Killed:
        return True
    return False


async def _forget(vaulted: Vaulted) -> None:
    """Begin anew: nothing in the vault, nothing at Cloudflare."""
    for one in await vaulted.workplace.do(credentials.list_):
        await vaulted.workplace.do(credentials.remove, one.id)
    vaulted.remote.tokens.clear()


async def test_a_kill_is_on_record_as_what_it_was(vaulted: Vaulted, remote: Cloudflare) -> None:
    def kill() -> None:
        if remote.asked("POST", "/tokens"):
            raise Killed

    vaulted.sender.after = kill
    with pytest.raises(Killed):
        await vaulted.connect(remote.bootstrap().value)
    successor = Vaulted(vaulted.workplace, remote)
    await successor.workplace.do(errand_verbs.make_all_due)
    await successor.settle()

    def verbs(connection: Connection) -> list[str]:
        return [str(row[0]) for row in connection.exec_driver_sql("SELECT verb FROM audit_records ORDER BY number")]

    assert await vaulted.workplace.database.read(verbs) == [
        "vault.connect.begin",
        "vault.connect.release",
        "vault.errand.sweep",
    ]


async def test_a_provider_that_refuses_the_create_leaves_nothing(vaulted: Vaulted, remote: Cloudflare) -> None:
    body = b'{"success":false,"errors":[{"code":1004,"message":"no"}],"messages":[],"result":null}'
    remote.fault("POST", "/tokens", Fate.REFUSE, status=400, body=body)

    with pytest.raises(ProviderRejected) as refusal:
        await vaulted.connect(remote.bootstrap().value)

    assert (refusal.value.number, refusal.value.text) == (1004, "no")
    assert (await vaulted.rows(), await vaulted.waiting()) == ([], [])
