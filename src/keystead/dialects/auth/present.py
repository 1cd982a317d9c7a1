"""From values of the core to the auth wire's JSON."""

from datetime import datetime
from typing import Any

import orjson
from starlette.responses import Response

from keystead.access import members
from keystead.access.signin.secondfactor import Enrolment
from keystead.access.signin.sessions import SignedIn
from keystead.access.signin.signingkeys import ACCESS_LIFE
from keystead.access.store.sessions import Session
from keystead.access.store.users import Membership, User
from keystead.kit.secret import Secret
from keystead.operations.access.myself import Myself
from keystead.operations.access.signin import Channel, Pending

_JSON = "application/json"
_EXPIRES_IN_S = int(ACCESS_LIFE.total_seconds())


def answer(body: object) -> Response:
    """Return a 200 that no cache keeps."""
    return Response(orjson.dumps(body), headers={"cache-control": "no-store"}, media_type=_JSON)


def pending(value: Pending) -> dict[str, Any]:
    """Present a registration that waits for its secret."""
    secret = None if value.secret is None else value.secret.reveal()
    return {"status": "pending", "token": secret, "channel": value.channel.value, "mode": "register"}


def reset_asked(has_mail: bool) -> dict[str, Any]:
    """Present a reset that was asked for, whether the login is known or not."""
    channel = Channel.EMAIL.value if has_mail else "operator"
    return {"status": "pending", "token": None, "channel": channel, "mode": "reset"}


def signed_in(value: SignedIn) -> dict[str, Any]:
    """Present a sign-in."""
    return {"ok": True, **access(value.access, value.account_id)}


def access(token: Secret[str], account_id: int) -> dict[str, Any]:
    """Present an access token and the account it works in."""
    return {"access_token": token.reveal(), "expires_in": _EXPIRES_IN_S, "active_account_id": account_id}


def verified(value: SignedIn) -> dict[str, Any]:
    """Present a sign-in that made a user."""
    return {
        "ok": True,
        "user": user(value.user),
        "accounts": [account(one, value.user) for one in value.memberships],
        "active_account_id": value.account_id,
        "access_token": value.access.reveal(),
        "expires_in": _EXPIRES_IN_S,
    }


def refreshed(value: SignedIn) -> dict[str, Any]:
    """Present a refresh: the document has neither ``ok`` nor the life of the token here."""
    return {"status": "ok", "access_token": value.access.reveal()}


def myself(value: Myself) -> dict[str, Any]:
    """Present the caller."""
    return {
        "ok": True,
        "user": user(value.user) | {"totp_enabled": value.has_second_factor},
        "accounts": [account(one, value.user) for one in value.memberships],
        "active_account_id": value.account_id,
    }


def user(value: User) -> dict[str, Any]:
    """Present a user."""
    return {"id": value.id, "email": value.login, "created_at": moment(value.created_at)}


def account(value: Membership, member: User) -> dict[str, Any]:
    """Present an account as one of its members sees it."""
    return {
        "id": value.account_id,
        "role": members.leading_role(value.roles),
        "status": "active" if value.is_active else "suspended",
        "user_id": member.id,
        "name": value.account_name,
        "plan": value.plan,
    }


def session(value: Session, present_id: str | None) -> dict[str, Any]:
    """Present a session."""
    return {
        "id": value.id,
        "is_current": value.id == present_id,
        "account_id": value.account_id,
        "address": value.address,
        "user_agent": value.user_agent,
        "created_at": moment(value.created_at),
        "last_seen_at": moment(value.rotated_at),
        "expires_at": moment(value.expires_at),
    }


def enrolment(value: Enrolment) -> dict[str, Any]:
    """Present the secret of an authenticator app."""
    return {"ok": True, "secret": value.secret.reveal(), "otpauth_uri": value.uri.reveal()}


def recovery_codes(codes: list[Secret[str]]) -> dict[str, Any]:
    """Present recovery codes, this once."""
    return {"ok": True, "recovery_codes": [code.reveal() for code in codes]}


def moment(at: datetime) -> str:
    """Return a moment as ISO 8601 with Z, to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
