"""Generations: a verb's note, in its own transaction, that a scope's desired state has changed.

Called by ``Work.mark``; read by the loop. The generation is the counter of desired state of a scope; the applied
generation is what the engine is known to hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, update

from keystead.db.prepared import Prepared
from keystead.kit.errors import Broken
from keystead.reconcile.models import SCOPES

_BUMP = Prepared(
    update(SCOPES)
    .where(SCOPES.c.name == bindparam("scope"))
    .values(generation=SCOPES.c.generation + 1)
    .returning(SCOPES.c.generation)
)


@dataclass(frozen=True)
class Mark:
    """A change of desired state at one subject of a scope, e.g. the label of a VPN key."""

    scope: str
    subject: str
    generation: int


def bump(connection: Connection, scope: str) -> int:
    """Raise the generation of a scope by one and return it; raise Broken when there is no such scope."""
    generation = _BUMP.scalar(connection, {"scope": scope})
    if generation is None:
        raise Broken(f"scope {scope} has no row; it must be registered before it is marked")
    return int(generation)


@dataclass(frozen=True)
class Snapshot:
    """The generation of a look, the subjects the database did not call confirmed then, and what was open here.

    ``explained`` are more that the database says why they are to be gone.
    """

    reached: int
    present: frozenset[str]
    absent: frozenset[str]
    dirty: Mapping[str, int]
    uncertain: frozenset[str]
    explained: frozenset[str]
