"""The native API's shapes of errands at providers, and how they are presented."""

from collections.abc import Sequence
from typing import Any

from pydantic import AwareDatetime, Field

from keystead.dialects.v1.bases import Answer
from keystead.vault.store.errands import Shown


class Errand(Answer):
    """Something to be done at a provider, that waits or was given up."""

    id: int
    credential_id: int | None
    kind: str = Field(examples=["retire"])
    state: str = Field(description="waiting or given-up")
    attempts: int
    due_at: AwareDatetime
    problem: str | None = Field(description="Why the last attempt failed, or what is left for a person to do")
    created_at: AwareDatetime


class Errands(Answer):
    """All errands of the account, oldest first."""

    items: list[Errand]


def errands(found: Sequence[Shown]) -> dict[str, Any]:
    """Present errands."""
    return {"items": [Errand(**vars(one)).model_dump(mode="json") for one in found]}
