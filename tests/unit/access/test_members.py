import pytest
from sqlalchemy import Connection

from keystead.access import members, roles, tokens, users
from keystead.access.passwords import PasswordHash
from keystead.access.permissions import ALL_PERMISSIONS, Permission
from keystead.access.principal import Principal
from keystead.access.store import users as store
from keystead.access.users import User
from keystead.kit.errors import Conflict, Forbidden, NotFound
from keystead.kit.page import Page
from tests.support import people
from tests.support.work import Workplace

READ = frozenset({Permission.VPN_KEYS_READ})


@pytest.fixture
async def house(workplace: Workplace) -> Workplace:
    await workplace.do(roles.ensure_built_in)
    return workplace


@pytest.fixture
async def north(house: Workplace) -> Workplace:
    return people.of(house, (await people.account(house, "north")).id)


@pytest.fixture
def clerk(house: Workplace) -> Principal:
    """Return somebody who may manage people and tokens, and nothing else."""
    narrow = {Permission.USERS_MANAGE, Permission.USERS_READ, Permission.TOKENS_MANAGE}
    return Principal(house.account_id, "user:9 clerk", frozenset(narrow))


async def join(workplace: Workplace, user: User, role: str) -> None:
    """Make a user of another account a member with a role."""

    def unit(connection: Connection) -> None:
        store.add_member(connection, workplace.account_id, user.id, workplace.clock.now())

    await workplace.database.write(unit)
    await workplace.do(roles.assign, user_id=user.id, name=role)


async def test_a_member_has_in_each_account_the_roles_it_has_there(house: Workplace, north: Workplace) -> None:
    anna = await people.user(house, "anna", roles.VIEWER)
    await join(north, anna, roles.EDITOR)

    at_home, there = await people.principal(house, anna), await people.principal(north, anna)

    assert at_home.permissions == roles.BUILT_IN[roles.VIEWER] | {Permission.SIGN_IN}
    assert Permission.WEBHOOKS_MANAGE in there.permissions
    assert not there.is_house
    assert [user.login for user in await north.do(users.list_, Page())] == ["anna"]


async def test_who_is_no_member_may_not_work_there(house: Workplace, north: Workplace) -> None:
    anna = await people.user(house, "anna", roles.OWNER)

    with pytest.raises(Forbidden):
        await people.principal(north, anna)
    with pytest.raises(NotFound):
        await north.do(roles.assign, user_id=anna.id, name=roles.VIEWER)


async def test_a_removed_member_is_out_with_its_roles_and_tokens(house: Workplace, north: Workplace) -> None:
    anna = await people.user(house, "anna", roles.OWNER)
    await join(north, anna, roles.EDITOR)
    made = await north.do(tokens.create, name="bot", permissions=(), user_id=anna.id)

    await north.do(members.remove, anna.id)

    assert await north.do(users.list_, Page()) == []
    assert (await north.do(tokens.find, made.token.id)).revoked_at is not None
    assert (await people.principal(house, anna)).permissions == ALL_PERMISSIONS


async def test_who_is_at_home_is_disabled_not_removed(house: Workplace) -> None:
    anna = await people.user(house, "anna", roles.VIEWER)

    with pytest.raises(Conflict):
        await house.do(members.remove, anna.id)


async def test_a_narrow_manager_keeps_no_owner_out(house: Workplace, clerk: Principal) -> None:
    anna = await people.user(house, "anna", roles.OWNER)
    token = (await house.do(tokens.create_owner, name="script")).token

    for attempt in (
        lambda: house.do_as(clerk, users.disable, anna.id),
        lambda: house.do_as(clerk, roles.withdraw, user_id=anna.id, name=roles.OWNER),
        lambda: house.do_as(clerk, users.set_password, anna.id, PasswordHash("mine")),
        lambda: house.do_as(clerk, tokens.revoke, token.id),
    ):
        with pytest.raises(Forbidden):
            await attempt()
    assert (await people.principal(house, anna)).permissions == ALL_PERMISSIONS
    assert (await house.do(tokens.find, token.id)).revoked_at is None


async def test_a_narrow_manager_keeps_out_who_may_do_no_more(house: Workplace, clerk: Principal) -> None:
    anna = await people.user(house, "anna")
    token = (await house.do(tokens.create, name="bot", permissions={Permission.USERS_READ})).token

    assert not (await house.do_as(clerk, users.disable, anna.id)).is_active
    assert (await house.do_as(clerk, tokens.revoke, token.id)).revoked_at is not None


async def test_a_token_that_holds_less_than_it_was_given_is_no_obstacle(house: Workplace, clerk: Principal) -> None:
    anna = await people.user(house, "anna")
    token = (await house.do(tokens.create, name="bot", permissions=READ, user_id=anna.id)).token

    assert (await house.do_as(clerk, tokens.revoke, token.id)).revoked_at is not None


async def test_the_last_owner_stays_unless_the_operator_says_otherwise(house: Workplace) -> None:
    anna = await people.user(house, "anna", roles.OWNER)
    herself = await people.principal(house, anna)

    for attempt in (
        lambda: house.do_as(herself, users.disable, anna.id),
        lambda: house.do_as(herself, roles.withdraw, user_id=anna.id, name=roles.OWNER),
    ):
        with pytest.raises(Conflict):
            await attempt()
    await people.user(house, "bert", roles.OWNER)
    await house.do_as(herself, roles.withdraw, user_id=anna.id, name=roles.OWNER)


async def test_who_works_elsewhere_too_is_the_operators_to_decide_about(house: Workplace, north: Workplace) -> None:
    anna = await people.user(house, "anna", roles.VIEWER)
    await join(north, anna, roles.OWNER)
    owner = await people.principal(house, await people.user(house, "bert", roles.OWNER))

    with pytest.raises(Forbidden):
        await house.do_as(owner, users.set_password, anna.id, PasswordHash("mine"))
    with pytest.raises(Forbidden):
        await house.do_as(owner, users.disable, anna.id)
    assert not (await house.do(users.disable, anna.id)).is_active


def test_a_wire_with_one_role_for_each_member_names_the_strongest() -> None:
    assert members.leading_role(("auditor", "viewer", "owner")) == "owner"
    assert members.leading_role(("auditor",)) == "auditor"
    assert members.leading_role(()) == "none"
