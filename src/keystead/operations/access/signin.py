"""Signing in and out, registering, resetting: the verb, its commit, and then the door that has to forget.

Attempts are counted in a transaction of their own before anything is judged, and passwords are hashed and compared
between transactions. What a person does about itself while signed in is in ``myself``.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import Any

from keystead.access import passwords
from keystead.access.principal import visitor
from keystead.access.signin import attempts, people, registration, resets, sessions
from keystead.access.signin.attempts import Kind
from keystead.access.signin.door import SessionDoor
from keystead.access.signin.errors import (
    LinkOver,
    RefreshReused,
    RegistrationClosed,
    SecondFactorNeeded,
    WrongCredentials,
    WrongSecondFactor,
)
from keystead.access.signin.links import NewLink
from keystead.access.signin.people import Known, Proof
from keystead.access.signin.registration import Registrant
from keystead.access.signin.rules import Binding, Registration
from keystead.access.signin.sessions import SignedIn
from keystead.access.store.links import Purpose
from keystead.kit.errors import AlreadyExists, KeysteadError
from keystead.kit.log import get_logger
from keystead.kit.secret import Secret
from keystead.operations.access.hashing import PasswordHashing
from keystead.operations.access.mails import Mails
from keystead.operations.calls import Call, RequestFacts
from keystead.operations.transaction import Transactions

log = get_logger()


@dataclass(frozen=True)
class Rules:
    """What the settings decide; ``account_id`` is the house account, in whose name strangers are served."""

    account_id: int
    registration: Registration
    binding: Binding


class Channel(Enum):
    """How the secret of a registration reaches whoever registers."""

    DIRECT = "direct"
    EMAIL = "email"


@dataclass(frozen=True)
class Pending:
    """A registration that waits for its secret, which is here unless it went by mail."""

    channel: Channel
    secret: Secret[str] | None


@dataclass(frozen=True)
class Credentials:
    """What somebody signs in with."""

    login: str
    password: Secret[str]
    code: str | None = None


class SignInOperations:
    """What strangers may do: prove who they are."""

    def __init__(
        self, transactions: Transactions, door: SessionDoor, hashing: PasswordHashing, mails: Mails, rules: Rules
    ) -> None:
        self._transactions = transactions
        self._door = door
        self._hashing = hashing
        self._mails = mails
        self._rules = rules
        self._mailing: set[asyncio.Task[None]] = set()

    @property
    def has_mail(self) -> bool:
        """Tell whether links go by mail."""
        return self._mails.mailer is not None

    async def sign_in(self, facts: RequestFacts, given: Credentials) -> SignedIn:
        """Open a session; raise Throttled, WrongCredentials, SecondFactorNeeded or WrongSecondFactor."""
        call = self._visitor(facts)
        await self._count(call, Kind.SIGN_IN, given.login, facts)
        known = await self._transactions.read(call, people.look_up, given.login)
        await self._require_password(call, known, given.password)
        assert known is not None  # noqa: S101 - nobody's password is right
        rehashed = None
        if passwords.needs_rehash(known.password_hash):
            rehashed = await self._hashing.hash(given.password)
        if known.has_second_factor and given.code:
            await self._count(call, Kind.SECOND_FACTOR, given.login, facts)
        proof = Proof(given.code, rehashed)
        try:
            opened = await self._transactions.write(
                call, people.sign_in, known, proof, facts.visit, self._rules.binding
            )
        except SecondFactorNeeded:  # the password was right: asking for the code uses nothing up
            attempt = {"login": given.login, "address": facts.address}
            await self._transactions.write(call, attempts.succeed, Kind.SIGN_IN, **attempt)
            raise
        except WrongSecondFactor as error:
            await self._transactions.write(call, people.note_failure, known.user, error.message)
            raise
        return opened.value

    async def refresh(self, facts: RequestFacts, presented: Secret[str]) -> SignedIn:
        """Exchange a refresh token; raise SessionOver, and RefreshReused when a copy of it came back."""
        renewed = await self._transactions.write(
            self._visitor(facts), sessions.refresh, presented, facts.visit, self._rules.binding
        )
        if renewed.value is None:
            self._door.forget_all()
            log.warning("refresh token reused; its session was ended", address=facts.address)
            raise RefreshReused("this session was used from somewhere else too and has been ended; sign in again")
        return renewed.value

    async def sign_out(self, facts: RequestFacts, presented: Secret[str]) -> None:
        """End the session of a refresh token; its access tokens open nothing when this returns."""
        await self._transactions.write(self._visitor(facts), sessions.end_presented, presented)
        self._door.forget_all()

    async def register(self, facts: RequestFacts, given: Credentials, invitation: Secret[str] | None) -> Pending:
        """Keep a registration until ``verify``; raise RegistrationClosed, LinkOver, Invalid or AlreadyExists.

        A password that is too short uses no attempt up; one that was let in by no rule and no invitation uses up the
        place's, not the login's: its owner comes with the right invitation, and does not wait for strangers.
        """
        call, rule = self._visitor(facts), self._rules.registration
        passwords.check_length(given.password)
        await self._count(call, Kind.REGISTER, given.login, facts)
        try:
            await self._transactions.read(call, registration.ask, rule, invitation)
        except (RegistrationClosed, LinkOver):
            await self._transactions.write(call, attempts.forgive, Kind.REGISTER, login=given.login)
            raise
        registrant = Registrant(given.login, await self._hashing.hash(given.password), invitation)
        is_by_mail = self.has_mail and invitation is None
        try:
            made = (await self._transactions.write(call, registration.begin, rule, registrant)).value
        except AlreadyExists:
            if is_by_mail:  # who has the mailbox knows, and nobody else is told
                return Pending(Channel.EMAIL, None)
            raise
        if is_by_mail:
            self._later(self._send(Purpose.REGISTER, made))
            return Pending(Channel.EMAIL, None)
        return Pending(Channel.DIRECT, made.secret)

    async def verify(self, facts: RequestFacts, secret: Secret[str]) -> SignedIn:
        """Make the user of a registration and open a session for it; raise LinkOver or AlreadyExists."""
        opened = await self._transactions.write(
            self._visitor(facts), registration.complete, secret, facts.visit, self._rules.binding
        )
        return opened.value

    async def request_reset(self, facts: RequestFacts, login: str) -> None:
        """Send a link to set a new password by mail, if the login is known; nobody is told whether it is."""
        call = self._visitor(facts)
        await self._count(call, Kind.RESET, login, facts)
        if self.has_mail:
            self._later(self._send_reset(call, login))

    async def reset(self, facts: RequestFacts, secret: Secret[str], password: Secret[str]) -> None:
        """Set a new password by a link, and end all sessions; raise LinkOver or Invalid."""
        call = self._visitor(facts)
        await self._transactions.read(call, resets.ask, secret)
        password_hash = await self._hashing.hash(password)
        await self._transactions.write(call, resets.complete, secret, password_hash)
        self._door.forget_all()

    async def _require_password(self, call: Call, known: Known | None, password: Secret[str]) -> None:
        stored = None if known is None else known.password_hash
        is_right = await self._hashing.is_right(password, stored)
        if is_right and known is not None and known.user.is_active:
            return
        reason = "the user is disabled" if is_right else "wrong password"
        await self._transactions.write(call, people.note_failure, None if known is None else known.user, reason)
        raise WrongCredentials("the login or the password is wrong")

    async def _count(self, call: Call, kind: Kind, login: str, facts: RequestFacts) -> None:
        await self._transactions.write(call, attempts.begin, kind, login=login, address=facts.address)

    def _visitor(self, facts: RequestFacts) -> Call:
        return Call(visitor(self._rules.account_id), facts.request_id)

    async def _send_reset(self, call: Call, login: str) -> None:
        made = (await self._transactions.write(call, resets.request, login)).value
        if made is not None:
            await self._send(Purpose.RESET, made)

    async def _send(self, purpose: Purpose, link: NewLink) -> None:
        await self._mails.send(purpose, link)

    def _later(self, sending: Coroutine[Any, Any, None]) -> None:
        """Do something beside the answer, which so takes as long whether a login is known or not."""

        async def sent() -> None:
            try:
                await sending
            except KeysteadError as error:
                log.warning("mail not sent", reason=error.message)

        task = asyncio.create_task(sent())
        self._mailing.add(task)
        task.add_done_callback(self._mailing.discard)
