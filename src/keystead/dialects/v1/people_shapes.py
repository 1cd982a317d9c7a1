"""Accounts, members, invitations and sessions on the native API: what comes in, what goes out."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from keystead.access.accountplans import AccountPlan, Limit, Limits
from keystead.access.store.accounts import Account as AccountValue
from keystead.access.store.links import Link
from keystead.access.store.sessions import Session as SessionValue
from keystead.dialects.v1.bases import Answer, Body
from keystead.operations.access.people import MadeLink

_Plan = Annotated[AccountPlan, Field(strict=False)]
_Count = Annotated[int, Field(ge=0, le=2**53 - 1)]


class AccountCreate(Body):
    """A new account; ``owner`` is a login to invite as its first owner."""

    name: str
    plan: _Plan = AccountPlan.FREE
    owner: str | None = None


class AccountChange(Body):
    """What to change; fields left out stay."""

    name: str | None = None
    plan: _Plan | None = None
    is_active: bool | None = None


class LimitsChange(Body):
    """Limits of a plan; null is no limit, and fields left out stay."""

    cloudflare_accounts: _Count | None = None
    members: _Count | None = None


class InvitationCreate(Body):
    """Whom to invite, with which role."""

    login: str
    role: str


class SigningKeyRotate(Body):
    """Whether the present key is known to somebody else: then every access token is void at once."""

    is_leaked: bool = False


class Account(Answer):
    """A tenant; the house account is the installation's own."""

    id: int
    name: str
    plan: str
    is_house: bool
    is_active: bool
    created_at: datetime


class OwnAccount(Account):
    """The caller's account, with what its plan allows; null is no limit."""

    limits: dict[str, int | None]


class AccountList(Answer):
    """A page of accounts."""

    items: list[Account]
    next: int | None


class MadeInvitation(Answer):
    """A one-time link: ``secret`` is shown this once, or null when it went by mail."""

    id: int
    login: str
    expires_at: datetime
    is_mailed: bool
    secret: str | None
    address: str | None


class AccountCreated(Account):
    """A new account, with the invitation of its owner, if one was named."""

    invitation: MadeInvitation | None


class AccountPlanLimits(Answer):
    """A plan with its limits; null is no limit."""

    name: str
    limits: dict[str, int | None]


class AccountPlanList(Answer):
    """All account plans."""

    items: list[AccountPlanLimits]


class Invitation(Answer):
    """An invitation that waits to be accepted."""

    id: int
    login: str
    role: str | None
    created_at: datetime
    expires_at: datetime


class InvitationList(Answer):
    """A page of invitations."""

    items: list[Invitation]
    next: int | None


class Session(Answer):
    """Where a person is signed in."""

    id: str
    account_id: int
    address: str
    user_agent: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


class SessionList(Answer):
    """A person's sessions, newest first."""

    items: list[Session]


class Ended(Answer):
    """How many sessions were ended."""

    ended: int


class SigningKey(Answer):
    """The key that signs access tokens from now on."""

    kid: str


def account(value: AccountValue) -> dict[str, Any]:
    """Present an account."""
    return {
        "id": value.id,
        "name": value.name,
        "plan": value.plan,
        "is_house": value.is_house,
        "is_active": value.is_active,
        "created_at": value.created_at,
    }


def own_account(value: AccountValue, limits: Limits) -> dict[str, Any]:
    """Present the caller's account."""
    return account(value) | {"limits": _limits(limits)}


def account_plan(name: AccountPlan, limits: Limits) -> dict[str, Any]:
    """Present an account plan."""
    return {"name": name.value, "limits": _limits(limits)}


def wanted_limits(change: LimitsChange) -> dict[Limit, int | None]:
    """Return the limits that a request names."""
    return {Limit(name): getattr(change, name) for name in change.model_fields_set}


def made_link(made: MadeLink) -> dict[str, Any]:
    """Present a one-time link at its making."""
    return {
        "id": made.link.id,
        "login": made.link.login,
        "expires_at": made.link.expires_at,
        "is_mailed": made.secret is None,
        "secret": None if made.secret is None else made.secret.reveal(),
        "address": None if made.address is None else made.address.reveal(),
    }


def account_created(value: AccountValue, made: MadeLink | None) -> dict[str, Any]:
    """Present a new account."""
    return account(value) | {"invitation": None if made is None else made_link(made)}


def invitation(value: Link) -> dict[str, Any]:
    """Present an invitation that waits."""
    return {
        "id": value.id,
        "login": value.login,
        "role": value.role,
        "created_at": value.created_at,
        "expires_at": value.expires_at,
    }


def session(value: SessionValue) -> dict[str, Any]:
    """Present a session."""
    return {
        "id": value.id,
        "account_id": value.account_id,
        "address": value.address,
        "user_agent": value.user_agent,
        "created_at": value.created_at,
        "last_seen_at": value.rotated_at,
        "expires_at": value.expires_at,
    }


def _limits(limits: Limits) -> dict[str, int | None]:
    return {name.value: value for name, value in limits.items()}
