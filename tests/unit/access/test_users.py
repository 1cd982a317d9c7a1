import asyncio

import pytest

from keystead.access import passwords, roles, users
from keystead.access.passwords import PasswordHash
from keystead.access.permissions import ALL_PERMISSIONS, VPN_PERMISSIONS, Permission
from keystead.access.principal import Principal
from keystead.access.users import User
from keystead.kit.errors import AlreadyExists, Forbidden, Invalid, NotFound
from keystead.kit.page import Page
from keystead.kit.secret import Secret
from tests.support.work import Workplace

HASH = PasswordHash("a hash")


async def sign_in(workplace: Workplace, login: str) -> tuple[User, PasswordHash] | None:
    return await workplace.database.read(lambda connection: users.by_login(connection, login))


async def clerk(workplace: Workplace) -> Principal:
    return Principal(workplace.account_id, "user:9 clerk", frozenset({Permission.USERS_MANAGE, Permission.USERS_READ}))


async def test_a_password_is_right_or_not() -> None:
    stored = await asyncio.to_thread(passwords.hash_password, Secret("correct horse"))

    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.is_right(Secret("correct horse"), stored)
    assert not passwords.is_right(Secret("wrong horse!"), stored)
    assert not passwords.is_right(Secret("correct horse"), None)
    assert not passwords.is_right(Secret("correct horse"), PasswordHash("damaged"))


async def test_a_hash_of_other_parameters_wants_a_new_one() -> None:
    old = PasswordHash("$argon2id$v=19$m=8192,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43)

    assert passwords.needs_rehash(old)
    assert not passwords.needs_rehash(passwords.hash_password(Secret("correct horse")))


async def test_a_short_password_is_invalid() -> None:
    with pytest.raises(Invalid):
        passwords.hash_password(Secret("too short"))


async def test_a_user_is_found_by_login_in_any_case(workplace: Workplace) -> None:
    user = await workplace.do(users.create, login=" Anna ", password_hash=HASH)

    assert await sign_in(workplace, "ANNA") == (user, HASH)
    assert await sign_in(workplace, "nobody") is None


async def test_a_taken_login_already_exists(workplace: Workplace) -> None:
    await workplace.do(users.create, login="anna", password_hash=HASH)

    with pytest.raises(AlreadyExists):
        await workplace.do(users.create, login="anna", password_hash=HASH)


async def test_a_login_of_wrong_form_is_invalid(workplace: Workplace) -> None:
    with pytest.raises(Invalid):
        await workplace.do(users.create, login="two words", password_hash=HASH)


async def test_a_disabled_user_is_forbidden_until_enabled(workplace: Workplace) -> None:
    user = await workplace.do(users.create, login="anna", password_hash=HASH)
    disabled = await workplace.do(users.disable, user.id)

    with pytest.raises(Forbidden):
        await workplace.database.read(lambda connection: users.principal_of(connection, disabled, workplace.account_id))
    enabled = await workplace.do(users.enable, user.id)

    assert [found.is_active for found in await workplace.do(users.list_, Page())] == [True]
    assert enabled == await workplace.do(users.find, user.id)


async def test_a_users_permissions_are_those_of_all_its_roles(workplace: Workplace) -> None:
    await workplace.do(roles.ensure_built_in)
    await workplace.do(roles.create, name="auditor", permissions={Permission.AUDIT_READ})
    user = await workplace.do(users.create, login="anna", password_hash=HASH)
    for name in (roles.VIEWER, "auditor", "auditor"):
        await workplace.do(roles.assign, user_id=user.id, name=name)

    principal = await workplace.database.read(
        lambda connection: users.principal_of(connection, user, workplace.account_id)
    )

    assert principal == Principal(
        workplace.account_id,
        f"user:{user.id} anna",
        roles.BUILT_IN[roles.VIEWER] | {Permission.AUDIT_READ, Permission.SIGN_IN},
        user_id=user.id,
    )


async def test_a_withdrawn_role_is_gone(workplace: Workplace) -> None:
    await workplace.do(roles.ensure_built_in)
    user = await workplace.do(users.create, login="anna", password_hash=HASH)
    await workplace.do(roles.assign, user_id=user.id, name=roles.VIEWER)

    await workplace.do(roles.withdraw, user_id=user.id, name=roles.VIEWER)

    assert await workplace.do(roles.list_of_user, user.id) == []


async def test_built_in_roles_follow_the_program(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    await workplace.do(roles.ensure_built_in)
    monkeypatch.setitem(roles.BUILT_IN, roles.VIEWER, VPN_PERMISSIONS)  # stands for the next version

    await workplace.do(roles.ensure_built_in)

    stored = {role.name: role.permissions for role in await workplace.do(roles.list_)}
    assert stored == roles.BUILT_IN
    assert stored[roles.OWNER] == ALL_PERMISSIONS


async def test_nobody_assigns_a_role_beyond_itself(workplace: Workplace) -> None:
    await workplace.do(roles.ensure_built_in)
    somebody = await clerk(workplace)
    user = await workplace.do_as(somebody, users.create, login="anna", password_hash=HASH)

    with pytest.raises(Forbidden):
        await workplace.do_as(somebody, roles.assign, user_id=user.id, name=roles.OWNER)
    with pytest.raises(Forbidden):
        await workplace.do_as(somebody, roles.create, name="mine", permissions=ALL_PERMISSIONS)


async def test_nobody_takes_over_a_user_who_may_do_more(workplace: Workplace) -> None:
    await workplace.do(roles.ensure_built_in)
    user = await workplace.do(users.create, login="anna", password_hash=HASH)
    await workplace.do(roles.assign, user_id=user.id, name=roles.OWNER)

    with pytest.raises(Forbidden):
        await workplace.do_as(await clerk(workplace), users.set_password, user.id, PasswordHash("mine"))

    assert await sign_in(workplace, "anna") == (user, HASH)


async def test_a_password_is_replaced(workplace: Workplace) -> None:
    user = await workplace.do(users.create, login="anna", password_hash=HASH)

    await workplace.do(users.set_password, user.id, PasswordHash("new"))

    assert await sign_in(workplace, "anna") == (user, "new")


async def test_roles_have_a_form_and_one_name(workplace: Workplace) -> None:
    await workplace.do(roles.create, name="auditor", permissions=())

    with pytest.raises(AlreadyExists):
        await workplace.do(roles.create, name="auditor", permissions=())
    with pytest.raises(Invalid):
        await workplace.do(roles.create, name=" ", permissions=())
    with pytest.raises(NotFound):
        await workplace.do(roles.assign, user_id=99, name="auditor")
    user = await workplace.do(users.create, login="anna", password_hash=HASH)
    with pytest.raises(NotFound):
        await workplace.do(roles.assign, user_id=user.id, name="unheard of")
