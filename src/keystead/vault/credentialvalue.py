"""What a credential is, and what it may be called; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from keystead.kit.errors import Invalid

ALIAS_LENGTH_MAX = 120


class Status(StrEnum):
    """Where a credential is in its life."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Credential:
    """A secret for an outside provider, without the secret.

    ``problem`` is the code of the refusal with which the provider answered when it was asked last, at ``checked_at``.
    ``profile`` is the set of permissions that the secret was made with; None for one that was made elsewhere.
    """

    id: int
    account_id: int
    provider: str
    alias: str
    external_id: str
    status: Status
    scope: Mapping[str, Any]
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime
    checked_at: datetime | None = None
    problem: str | None = None
    profile: str | None = None

    def status_at(self, now: datetime) -> Status:
        """Return the status with its expiry counted in: the row may not say so yet."""
        has_ended = self.expires_at is not None and self.expires_at <= now
        return Status.EXPIRED if self.status is Status.ACTIVE and has_ended else self.status


def checked_alias(text: str) -> str:
    """Return an alias without space around it; raise Invalid for one that is empty, too long or not printable."""
    bare = text.strip()
    if not 0 < len(bare) <= ALIAS_LENGTH_MAX or not bare.isprintable():
        problem = f"an alias has 1 to {ALIAS_LENGTH_MAX} printable characters"
        raise Invalid(problem, fields={"alias": problem})
    return bare
