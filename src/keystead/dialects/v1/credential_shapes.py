"""The native API's shapes of credentials, and how they are presented: without the secret, but where it is revealed."""

import json
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from keystead.dialects.v1.bases import Answer, Body
from keystead.kit.secret import Secret
from keystead.vault.credentials import REASON_LENGTH_MAX, Changes
from keystead.vault.credentialvalue import ALIAS_LENGTH_MAX, Status
from keystead.vault.credentialvalue import Credential as Held
from keystead.vault.store.looks import Look


class CredentialLook(Answer):
    """What the last look at the provider found."""

    looked_at: AwareDatetime | None
    due_at: AwareDatetime
    problem: str | None = Field(description="Why the credential could not be used")
    is_refused: bool = Field(description="The provider does not take it any more")
    lacking: list[str] | None = Field(
        description="Permissions that it needs and has lost; null: nobody can tell", examples=[["DNS Write"]]
    )
    balance: str | None = Field(description="What the account has to spend, in its own currency", examples=["104.50"])


class Credential(Answer):
    """A secret for an outside provider, without the secret."""

    id: int
    provider: str
    alias: str
    external_id: str = Field(description="The account at the provider")
    status: str = Field(examples=["active"])
    scope: dict[str, Any] = Field(description="What the provider calls the secret and the account")
    profile: str | None = Field(description="Which permissions it was made with", examples=["documented"])
    expires_at: AwareDatetime | None
    last_used_at: AwareDatetime | None
    created_at: AwareDatetime
    look: CredentialLook | None


class CredentialList(Answer):
    """All credentials of the account, newest first."""

    items: list[Credential]


class CredentialChange(Body):
    """What to change; fields left out stay."""

    alias: str | None = Field(None, max_length=ALIAS_LENGTH_MAX)
    status: Literal["active", "revoked"] | None = None


class RevealWanted(Body):
    """Why a secret is wanted; it goes on record."""

    reason: str | None = Field(None, max_length=REASON_LENGTH_MAX)


class Revealed(Answer):
    """A secret, by the names of its fields."""

    id: int
    provider: str
    secret: dict[str, Any]


class Balance(Answer):
    """What an account has to spend, as its registrar says now."""

    id: int
    balance: str


def credential(value: Held, look: Look | None, now: datetime) -> dict[str, Any]:
    """Present a credential."""
    return {
        "id": value.id,
        "provider": value.provider,
        "alias": value.alias,
        "external_id": value.external_id,
        "status": value.status_at(now).value,
        "scope": dict(value.scope),
        "profile": value.profile,
        "expires_at": value.expires_at,
        "last_used_at": value.last_used_at,
        "created_at": value.created_at,
        "look": None
        if look is None
        else {
            "looked_at": look.looked_at,
            "due_at": look.due_at,
            "problem": look.problem,
            "is_refused": look.is_refused,
            "lacking": look.lacking,
            "balance": look.balance,
        },
    }


def changes(wanted: CredentialChange) -> Changes:
    """Return what a body says."""
    return Changes(wanted.alias, None if wanted.status is None else wanted.status == Status.ACTIVE.value)


def revealed(value: Held, secret: Secret[str]) -> dict[str, Any]:
    """Present a secret to who may see it."""
    return {"id": value.id, "provider": value.provider, "secret": json.loads(secret.reveal())}
