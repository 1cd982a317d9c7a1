"""Operations on users and their roles: the verb, its commit, and then the doors that have to forget.

Passwords are hashed in threads of their own, after the permission is known and before the transaction.
"""

from collections.abc import Iterable

from keystead.access import roles, users
from keystead.access.gate import TokenDoor
from keystead.access.permissions import Permission
from keystead.access.signin.door import SessionDoor
from keystead.access.store.roles import Role
from keystead.access.store.users import User
from keystead.kit.page import Page
from keystead.kit.secret import Secret
from keystead.operations.access.hashing import PasswordHashing
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions


class UserOperations:
    """What callers may do with users, and with the roles that say what these may do."""

    def __init__(
        self, transactions: Transactions, gate: TokenDoor, door: SessionDoor, hashing: PasswordHashing
    ) -> None:
        self._transactions = transactions
        self._gate = gate
        self._door = door
        self._hashing = hashing

    async def create(self, call: Call, *, login: str, password: Secret[str]) -> User:
        """Create a user without roles."""
        await self._transactions.read(call, users.ask_management)
        password_hash = await self._hashing.hash(password)
        committed = await self._transactions.write(call, users.create, login=login, password_hash=password_hash)
        return committed.value

    async def list_(self, call: Call, page: Page) -> list[User]:
        """Return a page of users."""
        return await self._transactions.read_many(call, users.list_, page)

    async def find(self, call: Call, user_id: int) -> User:
        """Return a user."""
        return await self._transactions.read(call, users.find, user_id)

    async def change(self, call: Call, user_id: int, *, is_active: bool | None, password: Secret[str] | None) -> User:
        """Let a user in or keep it out, replace its password, or both at once."""
        await self._transactions.read(call, users.ask_management)
        password_hash = None if password is None else await self._hashing.hash(password)
        committed = await self._transactions.write(
            call, users.change, user_id, is_active=is_active, password_hash=password_hash
        )
        self._forget()
        return committed.value

    async def create_role(self, call: Call, *, name: str, permissions: Iterable[Permission]) -> Role:
        """Create a role."""
        return (await self._transactions.write(call, roles.create, name=name, permissions=permissions)).value

    async def list_roles(self, call: Call) -> list[Role]:
        """Return all roles."""
        return await self._transactions.read_many(call, roles.list_)

    async def list_roles_of_user(self, call: Call, user_id: int) -> list[Role]:
        """Return a user's roles."""
        return await self._transactions.read_many(call, roles.list_of_user, user_id)

    async def assign_role(self, call: Call, user_id: int, name: str) -> None:
        """Give a user a role."""
        await self._transactions.write(call, roles.assign, user_id=user_id, name=name)
        self._forget()

    async def withdraw_role(self, call: Call, user_id: int, name: str) -> None:
        """Take a role from a user."""
        await self._transactions.write(call, roles.withdraw, user_id=user_id, name=name)
        self._forget()

    def _forget(self) -> None:
        self._gate.forget_all()
        self._door.forget_all()
