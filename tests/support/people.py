"""Accounts and people for tests: made by verbs, as an operator would make them."""

from dataclasses import replace

from keystead.access import accounts, roles, users
from keystead.access.accountplans import AccountPlan
from keystead.access.passwords import PasswordHash
from keystead.access.principal import Principal
from keystead.access.store.accounts import Account
from keystead.access.users import User
from tests.support.work import Workplace

# Of the password "correct horse"; made once, for hashing is slow by design.
HASH = PasswordHash("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")


async def account(workplace: Workplace, name: str, plan: AccountPlan = AccountPlan.BUSS) -> Account:
    """Make an account that is not the house's."""
    return await workplace.do(accounts.create, name=name, plan=plan)


def of(workplace: Workplace, account_id: int) -> Workplace:
    """Return the same workplace with the operator of an account at work in it."""
    principal = Principal(account_id, "operator", frozenset(roles.BUILT_IN[roles.OWNER]), is_operator=True)
    return replace(workplace, account_id=account_id, principal=principal)


async def user(workplace: Workplace, login: str, *names: str, password_hash: PasswordHash = HASH) -> User:
    """Make a user with roles, at home in the workplace's account."""
    made = await workplace.do(users.create, login=login, password_hash=password_hash)
    for name in names:
        await workplace.do(roles.assign, user_id=made.id, name=name)
    return made


async def principal(workplace: Workplace, person: User) -> Principal:
    """Return the principal of a user at work in the workplace's account."""
    account_id = workplace.account_id
    return await workplace.database.read(lambda connection: users.principal_of(connection, person, account_id))
