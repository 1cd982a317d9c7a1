"""What managers do about accounts and people: plans, members, invitations, reset links, sessions, signing keys.

Links go by mail where mail is set up, and their secret is then in no answer; otherwise whoever asked hands it over.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from keystead.access import accountplans, accounts, members
from keystead.access.accountplans import AccountPlan, Limit, Limits
from keystead.access.accounts import AccountChanges
from keystead.access.gate import TokenDoor
from keystead.access.signin import invitations, resets, secondfactor, sessions, signingkeys
from keystead.access.signin.door import SessionDoor
from keystead.access.signin.links import NewLink
from keystead.access.store.accounts import Account
from keystead.access.store.links import Link, Purpose
from keystead.access.store.sessions import Session
from keystead.kit.page import Page
from keystead.kit.secret import Secret
from keystead.operations.access.mails import Mails
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions


@dataclass(frozen=True)
class MadeLink:
    """A one-time link; its secret is here unless it went by mail, and ``address`` is where it leads, if anywhere."""

    link: NewLink
    secret: Secret[str] | None
    address: Secret[str] | None


class PeopleOperations:
    """What managers may do about accounts and people."""

    def __init__(self, transactions: Transactions, gate: TokenDoor, door: SessionDoor, mails: Mails) -> None:
        self._transactions = transactions
        self._gate = gate
        self._door = door
        self._mails = mails

    async def own_account(self, call: Call) -> tuple[Account, Limits]:
        """Return the caller's account and what its plan allows."""
        return await self._transactions.read(call, accounts.find_own)

    async def list_accounts(self, call: Call, page: Page) -> list[Account]:
        """Return a page of all accounts."""
        return await self._transactions.read_many(call, accounts.list_, page)

    async def create_account(
        self, call: Call, *, name: str, plan: AccountPlan, owner: str | None
    ) -> tuple[Account, MadeLink | None]:
        """Create an account, and invite its first owner, if one is named, in the same transaction."""
        committed = await self._transactions.write(call, invitations.create_account, name=name, plan=plan, owner=owner)
        account, link = committed.value
        return account, None if link is None else await self._handed_over(Purpose.INVITE, link, account.name)

    async def change_account(self, call: Call, account_id: int, changes: AccountChanges) -> Account:
        """Rename an account, give it another plan, suspend it or let it in again."""
        changed = await self._transactions.write(call, accounts.change, account_id, changes)
        self._forget()
        return changed.value

    async def list_plans(self, call: Call) -> dict[AccountPlan, Limits]:
        """Return every account plan with its limits."""
        return await self._transactions.read(call, accountplans.list_)

    async def set_limits(self, call: Call, plan: AccountPlan, wanted: Mapping[Limit, int | None]) -> Limits:
        """Edit limits of a plan."""
        return (await self._transactions.write(call, accountplans.set_limits, plan, wanted)).value

    async def remove_member(self, call: Call, user_id: int) -> None:
        """Take a user out of the caller's account."""
        await self._transactions.write(call, members.remove, user_id)
        self._forget()

    async def invite(self, call: Call, *, login: str, role: str) -> MadeLink:
        """Invite a person into the caller's account."""
        account, _ = await self.own_account(call)
        made = (await self._transactions.write(call, invitations.create, login=login, role=role)).value
        return await self._handed_over(Purpose.INVITE, made, account.name)

    async def list_invitations(self, call: Call, page: Page) -> list[Link]:
        """Return a page of the invitations that wait."""
        return await self._transactions.read_many(call, invitations.list_, page)

    async def withdraw_invitation(self, call: Call, invitation_id: int) -> None:
        """Withdraw an invitation that waits."""
        await self._transactions.write(call, invitations.withdraw, invitation_id)

    async def make_reset_link(self, call: Call, user_id: int) -> MadeLink:
        """Let a user set a new password."""
        made = (await self._transactions.write(call, resets.create, user_id)).value
        return await self._handed_over(Purpose.RESET, made, "")

    async def list_sessions(self, call: Call, user_id: int) -> list[Session]:
        """Return a user's sessions."""
        return await self._transactions.read_many(call, sessions.list_of_user, user_id)

    async def end_sessions(self, call: Call, user_id: int) -> int:
        """End all sessions of a user; they open nothing when this returns."""
        ended = await self._transactions.write(call, sessions.end_of_user, user_id)
        self._forget()
        return ended.value

    async def remove_second_factor(self, call: Call, user_id: int) -> bool:
        """Take a second factor from a user who lost it."""
        return (await self._transactions.write(call, secondfactor.remove_of_user, user_id)).value

    async def rotate_signing_key(self, call: Call, *, is_leaked: bool) -> str:
        """Sign access tokens with a new key; return its kid."""
        rotated = await self._transactions.write(call, signingkeys.rotate, is_leaked=is_leaked)
        self._door.forget_all()
        return rotated.value

    async def _handed_over(self, purpose: Purpose, link: NewLink, account: str) -> MadeLink:
        if await self._mails.send(purpose, link, account=account):
            return MadeLink(link, None, None)
        return MadeLink(link, link.secret, self._mails.address(purpose, link))

    def _forget(self) -> None:
        self._gate.forget_all()
        self._door.forget_all()
