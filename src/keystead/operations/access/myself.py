"""What a signed-in person does about itself: password, account, sessions, second factor, invitations."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from keystead.access import passwords
from keystead.access.signin import attempts, invitations, people, secondfactor, sessions
from keystead.access.signin.attempts import Kind
from keystead.access.signin.door import SessionDoor
from keystead.access.signin.errors import WrongCredentials
from keystead.access.signin.rules import Binding
from keystead.access.signin.secondfactor import Enrolment
from keystead.access.signin.sessions import SignedIn
from keystead.access.store.sessions import Session
from keystead.access.store.users import Membership, User
from keystead.kit.secret import Secret
from keystead.operations.access.hashing import PasswordHashing
from keystead.operations.calls import Call, RequestFacts
from keystead.operations.transaction import Transactions


@dataclass(frozen=True)
class Myself:
    """The caller, and where it may work."""

    user: User
    memberships: list[Membership]
    account_id: int
    has_second_factor: bool


class SelfOperations:
    """What people may do about themselves."""

    def __init__(
        self, transactions: Transactions, door: SessionDoor, hashing: PasswordHashing, binding: Binding
    ) -> None:
        self._transactions = transactions
        self._door = door
        self._hashing = hashing
        self._binding = binding

    async def me(self, call: Call) -> Myself:
        """Return who is calling."""
        user, memberships = await self._transactions.read(call, people.me)
        known = await self._transactions.read(call, people.look_up_own)
        return Myself(user, memberships, call.principal.account_id, known.has_second_factor)

    async def change_password(
        self, call: Call, facts: RequestFacts, *, present: Secret[str], wanted: Secret[str]
    ) -> SignedIn:
        """Replace the password, end every session and open a new one; raise WrongCredentials, Throttled or Invalid."""
        passwords.check_length(wanted, "new_password")
        known = await self._transactions.read(call, people.look_up_own)
        attempt = {"login": known.user.login, "address": facts.address}
        await self._transactions.write(call, attempts.begin, Kind.SIGN_IN, **attempt)
        if not await self._hashing.is_right(present, known.password_hash):
            await self._transactions.write(call, people.note_failure, known.user, "wrong password")
            raise WrongCredentials("the present password is wrong")
        password_hash = await self._hashing.hash(wanted)
        changed = await self._transactions.write(
            call, people.change_password, password_hash, facts.visit, self._binding
        )
        self._door.forget_all()
        return changed.value

    async def switch(self, call: Call, facts: RequestFacts, account_id: int) -> tuple[Secret[str], int]:
        """Work in another account; return an access token for it, and the account."""
        switched = await self._transactions.write(call, sessions.switch, account_id, facts.visit, self._binding)
        return switched.value

    async def accept(self, call: Call, secret: Secret[str]) -> int:
        """Become a member by an invitation; return the account."""
        accepted = await self._transactions.write(call, invitations.accept_own, secret)
        self._door.forget_all()
        return accepted.value

    async def list_sessions(self, call: Call) -> list[Session]:
        """Return the sessions that are open."""
        return await self._transactions.read_many(call, sessions.list_own)

    async def end_session(self, call: Call, session_id: str | None = None) -> None:
        """End a session, by default the present one; it opens nothing when this returns."""
        await self._transactions.write(call, sessions.end_own, session_id)
        self._door.forget_all()

    async def end_other_sessions(self, call: Call) -> int:
        """End all sessions but the present one; return how many."""
        ended = await self._transactions.write(call, sessions.end_others)
        self._door.forget_all()
        return ended.value

    async def begin_second_factor(self, call: Call) -> Enrolment:
        """Make a secret for an authenticator app."""
        return (await self._transactions.write(call, secondfactor.begin)).value

    async def confirm_second_factor(self, call: Call, facts: RequestFacts, code: str) -> list[Secret[str]]:
        """Ask for a code from now on; return the recovery codes."""
        async with self._counted(call, facts):
            return (await self._transactions.write(call, secondfactor.confirm, code)).value

    async def renew_recovery_codes(self, call: Call, facts: RequestFacts, code: str) -> list[Secret[str]]:
        """Replace the recovery codes."""
        async with self._counted(call, facts):
            return (await self._transactions.write(call, secondfactor.renew_codes, code)).value

    async def remove_second_factor(self, call: Call, facts: RequestFacts, code: str) -> None:
        """Ask for the password only from now on."""
        async with self._counted(call, facts):
            await self._transactions.write(call, secondfactor.remove, code)

    @asynccontextmanager
    async def _counted(self, call: Call, facts: RequestFacts) -> AsyncIterator[None]:
        """Count a code before it is judged, and give it back when it was right."""
        attempt = {
            "login": (await self._transactions.read(call, people.look_up_own)).user.login,
            "address": facts.address,
        }
        await self._transactions.write(call, attempts.begin, Kind.SECOND_FACTOR, **attempt)
        yield
        await self._transactions.write(call, attempts.succeed, Kind.SECOND_FACTOR, **attempt)
