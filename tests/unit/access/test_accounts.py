import pytest

from keystead.access import accountplans, accounts, audit, roles, tokens, users
from keystead.access.accountplans import AccountPlan, Limit
from keystead.access.accounts import AccountChanges
from keystead.access.permissions import ALL_PERMISSIONS, INSTALLATION_PERMISSIONS, TENANT_PERMISSIONS, Permission
from keystead.access.principal import Principal
from keystead.access.seal import Verification
from keystead.kit.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound, QuotaExceeded, Unauthenticated
from keystead.kit.page import Page
from keystead.kit.secret import Secret
from tests.support import people
from tests.support.people import HASH
from tests.support.work import Workplace

HERE = "192.0.2.1"


@pytest.fixture
async def house(workplace: Workplace) -> Workplace:
    await workplace.do(roles.ensure_built_in)
    return workplace


async def test_the_first_account_is_the_house_on_the_largest_plan(house: Workplace) -> None:
    account, limits = await house.do(accounts.find_own)

    assert (account.is_house, account.plan) == (True, AccountPlan.BUSS)
    assert limits[Limit.CLOUDFLARE_ACCOUNTS] == 100


async def test_an_account_has_a_plan_and_the_built_in_roles(house: Workplace) -> None:
    made = await people.account(house, "north", AccountPlan.PRO)

    there = people.of(house, made.id)
    assert (made.plan, made.is_house, made.is_active) == (AccountPlan.PRO, False, True)
    assert {role.name for role in await there.do(roles.list_)} == set(roles.BUILT_IN)


async def test_accounts_have_a_form_and_one_name(house: Workplace) -> None:
    await people.account(house, "north")

    with pytest.raises(AlreadyExists):
        await people.account(house, "north")
    with pytest.raises(Invalid):
        await people.account(house, " ")
    with pytest.raises(NotFound):
        await house.do(accounts.change, 99, AccountChanges(name="x"))


async def test_limits_of_a_plan_can_be_edited_and_hold_at_once(house: Workplace) -> None:
    made = await people.account(house, "north", AccountPlan.FREE)
    there = people.of(house, made.id)

    await house.do(accountplans.set_limits, AccountPlan.FREE, {Limit.MEMBERS: 1})
    await people.user(there, "anna")

    with pytest.raises(QuotaExceeded):
        await people.user(there, "bert")
    await house.do(accountplans.set_limits, AccountPlan.FREE, {Limit.MEMBERS: None})
    await people.user(there, "bert")
    assert (await house.do(accountplans.list_))[AccountPlan.FREE][Limit.CLOUDFLARE_ACCOUNTS] == 1


async def test_a_negative_limit_is_invalid(house: Workplace) -> None:
    with pytest.raises(Invalid):
        await house.do(accountplans.set_limits, AccountPlan.FREE, {Limit.MEMBERS: -1})


async def test_an_account_can_be_renamed_upgraded_and_suspended(house: Workplace) -> None:
    made = await people.account(house, "north", AccountPlan.FREE)
    changes = AccountChanges(name="south", plan=AccountPlan.PRO, is_active=False)

    changed = await house.do(accounts.change, made.id, changes)

    assert (changed.name, changed.plan, changed.is_active) == ("south", AccountPlan.PRO, False)
    assert [account.name for account in await house.do(accounts.list_, Page())] == ["default", "south"]


@pytest.mark.parametrize("changes", [AccountChanges(name="mine"), AccountChanges(is_active=False)])
async def test_the_house_keeps_its_name_and_stays(house: Workplace, changes: AccountChanges) -> None:
    with pytest.raises(Conflict):
        await house.do(accounts.change, house.account_id, changes)


async def test_an_owner_elsewhere_holds_nothing_of_the_installation(house: Workplace) -> None:
    there = people.of(house, (await people.account(house, "north")).id)
    anna = await people.principal(there, await people.user(there, "anna", roles.OWNER))
    bert = await people.principal(house, await people.user(house, "bert", roles.OWNER))

    assert anna.permissions == TENANT_PERMISSIONS
    assert bert.permissions == ALL_PERMISSIONS
    with pytest.raises(Forbidden):
        await house.do_as(anna, accounts.list_, Page())
    with pytest.raises(Forbidden):
        await house.do_as(anna, tokens.create, name="bot", permissions=INSTALLATION_PERMISSIONS)


async def test_an_owner_elsewhere_makes_owners_there(house: Workplace) -> None:
    there = people.of(house, (await people.account(house, "north")).id)
    anna = await people.principal(there, await people.user(there, "anna", roles.OWNER))

    bert = await house.do_as(anna, users.create, login="bert", password_hash=HASH)
    await house.do_as(anna, roles.assign, user_id=bert.id, name=roles.OWNER)

    assert (await people.principal(there, bert)).permissions == TENANT_PERMISSIONS


async def test_a_tenant_may_not_check_the_whole_trail(house: Workplace) -> None:
    there = people.of(house, (await people.account(house, "north")).id)
    anna = await people.principal(there, await people.user(there, "anna", roles.OWNER))

    with pytest.raises(Forbidden):
        await house.do_as(anna, audit.verify_page, Verification(Secret(bytes(32)), None))


async def test_a_token_of_an_owner_follows_the_program_and_its_account(house: Workplace) -> None:
    there = people.of(house, (await people.account(house, "north")).id)
    anna = await people.principal(there, await people.user(there, "anna", roles.OWNER))

    made = await house.do_as(anna, tokens.create_owner, name="script")

    principal = await admitted(house, made.secret.reveal())
    assert made.token.is_owner
    assert principal.permissions == TENANT_PERMISSIONS
    assert not principal.is_house


async def test_only_who_may_do_everything_makes_such_a_token(house: Workplace) -> None:
    clerk = Principal(house.account_id, "user:9 clerk", frozenset({Permission.TOKENS_MANAGE}))

    with pytest.raises(Forbidden):
        await house.do_as(clerk, tokens.create_owner, name="script")


async def test_a_suspended_account_admits_nobody(house: Workplace) -> None:
    north = await people.account(house, "north")
    there = people.of(house, north.id)
    anna = await people.user(there, "anna", roles.OWNER)
    made = await house.do_as(await people.principal(there, anna), tokens.create_owner, name="script")

    await house.do(accounts.change, north.id, AccountChanges(is_active=False))

    with pytest.raises(Unauthenticated):
        await admitted(house, made.secret.reveal())
    with pytest.raises(Forbidden):
        await people.principal(there, anna)


async def admitted(workplace: Workplace, secret: str) -> Principal:
    return await workplace.database.read(
        lambda connection: tokens.authenticate(connection, secret, address=HERE, now=workplace.clock.now())
    )
