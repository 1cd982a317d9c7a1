"""The native API's shapes of domain moves, and the ways between them and the core."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from keystead.dialects.v1.bases import Answer, Body
from keystead.dialects.v1.routes.asking import NUMBER_MAX
from keystead.jobs.store import State as JobState
from keystead.vault.moveplan import DOMAINS_MAX, Fate, Foreseen, MoveOrder, MovePlan, Wanted
from keystead.vault.moves import Move as MoveFound
from keystead.vault.movevalue import Direction, Item, Stage, State

_RECORDS_MAX = 200
_Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^\x00]*$")]
_Credential = Annotated[int, Field(ge=1, le=NUMBER_MAX)]
_Text = Annotated[str, Field(max_length=4096)]


class MoveDomain(Body):
    """A domain to be moved; what is left out is what the whole order says, or is found out."""

    domain: _Name
    zone_credential_id: _Credential | None = Field(None, description="The credential for its zone.")
    registrar_credential_id: _Credential | None = Field(None, description="The credential of its registrar.")
    source: _Name | None = Field(None, description="The zone of the same credential whose records are copied.")
    by_hand: bool | None = Field(None, description="Take it also without a registrar; you set its name servers.")


class MoveRecord(Body):
    """A record for every zone, as Cloudflare writes records; ``@`` is the domain, and so is {domain} in the content."""

    type: Annotated[str, Field(max_length=10)]
    name: _Name
    content: _Text | None = None
    data: dict[str, str | int | float] | None = None
    ttl: Annotated[int, Field(ge=1, le=86400)] | None = None
    proxied: bool | None = None
    priority: Annotated[int, Field(ge=0, le=65535)] | None = None
    comment: Annotated[str, Field(max_length=100)] | None = None


class MoveOrdered(Body):
    """A list of domains; with ``dry_run`` only planned. ``digest`` is that of the plan that was reviewed."""

    domains: Annotated[list[MoveDomain], Field(min_length=1, max_length=DOMAINS_MAX)]
    records: Annotated[list[MoveRecord], Field(max_length=_RECORDS_MAX)] = Field(default_factory=list)
    zone_credential_id: _Credential | None = None
    registrar_credential_id: _Credential | None = None
    source: _Name | None = None
    by_hand: bool = False
    dry_run: bool = False
    digest: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class MoveUndo(Body):
    """How a move is undone: ``removes_zones`` deletes the zones that it made, and no others."""

    removes_zones: bool = False
    dry_run: bool = False


class MoveForeseen(Answer):
    """What a move would do to one domain; ``note`` is the reason of a refusal, or what else should be known.

    ``registrar`` is the provider at which its name servers are set; with ``by_hand`` that is left to a person.
    """

    domain: str
    fate: Fate
    makes_zone: bool
    zone_credential_id: int | None
    registrar_credential_id: int | None
    registrar: str | None
    by_hand: bool
    source: str | None
    name_servers: list[str]
    delegated: list[str]
    note: str | None


class MovePlanned(Answer):
    """What an order would do now: ``change`` domains are moved, ``same`` are as wanted already.

    ``by_hand`` of those that are moved have their name servers set by a person.
    """

    digest: str
    change: int
    same: int
    refused: int
    zones_made: int
    by_hand: int
    items: list[MoveForeseen]


class UndoPlanned(Answer):
    """What undoing would do: name servers that are set back, here or by hand, and zones that are deleted."""

    name_servers: int
    by_hand: int
    zones: int


class DomainMove(Answer):
    """A move as it stands: ``states`` counts its domains, ``stages`` those that are still on their way."""

    id: int
    direction: Direction
    undoes: int | None
    state: JobState
    total: int
    done: int
    states: dict[State, int]
    stages: dict[Stage, int]
    message: str | None
    asked_by: str
    created_at: datetime
    ended_at: datetime | None


class DomainMoveList(Answer):
    """Moves, the newest first."""

    items: list[DomainMove]
    next: int | None


class MoveResult(Answer):
    """One domain of a move; ``previous`` are its name servers as they were before."""

    position: int
    domain: str
    state: State
    stage: Stage
    attempts: int
    due_at: datetime
    zone_credential_id: int | None
    registrar_credential_id: int | None
    zone_id: str | None
    made_zone: bool
    name_servers: list[str]
    previous: list[str] | None
    reason: str | None


class MoveResults(Answer):
    """A page of them."""

    items: list[MoveResult]
    next: int | None


def order(wanted: MoveOrdered) -> MoveOrder:
    """Return what a body asks for."""
    domains = tuple(
        Wanted(
            one.domain,
            one.zone_credential_id or wanted.zone_credential_id,
            one.registrar_credential_id or wanted.registrar_credential_id,
            one.source or wanted.source,
            is_by_hand=wanted.by_hand if one.by_hand is None else one.by_hand,
        )
        for one in wanted.domains
    )
    return MoveOrder(domains, tuple(record.model_dump(exclude_none=True) for record in wanted.records))


def planned(plan: MovePlan) -> dict[str, Any]:
    """Present a plan."""
    return {
        "digest": plan.digest,
        **{fate.value: count for fate, count in plan.counts.items()},
        "zones_made": plan.zones_made,
        "by_hand": plan.by_hand,
        "items": [_foreseen(one) for one in plan.foreseen],
    }


def undo_planned(items: Sequence[Item]) -> dict[str, Any]:
    """Present what undoing would do."""
    return {
        "name_servers": sum(item.previous is not None and not item.is_by_hand for item in items),
        "by_hand": sum(item.previous is not None and item.is_by_hand for item in items),
        "zones": sum(item.removes_zone and item.is_made for item in items),
    }


def move(found: MoveFound) -> dict[str, Any]:
    """Present a move."""
    job = found.job
    return {
        "id": job.number,
        "direction": found.direction.value,
        "undoes": job.request.get("of"),
        "state": job.state.value,
        "total": job.total,
        "done": job.done,
        "states": dict(found.by_state()),
        "stages": dict(found.by_stage()),
        "message": job.message,
        "asked_by": job.caller["actor"],
        "created_at": job.created_at,
        "ended_at": job.ended_at,
    }


def result(item: Item) -> dict[str, Any]:
    """Present what became of a domain."""
    return {
        "position": item.position,
        "domain": item.domain,
        "state": item.state.value,
        "stage": item.stage.value,
        "attempts": item.attempts,
        "due_at": item.due_at,
        "zone_credential_id": item.zone_credential_id,
        "registrar_credential_id": item.registrar_credential_id,
        "zone_id": item.zone_id,
        "made_zone": item.is_made,
        "name_servers": list(item.name_servers),
        "previous": None if item.previous is None else list(item.previous.names),
        "reason": item.problem,
    }


def _foreseen(one: Foreseen) -> dict[str, Any]:
    return {
        "domain": one.domain,
        "fate": one.fate.value,
        "makes_zone": one.makes_zone,
        "zone_credential_id": one.zone_credential_id,
        "registrar_credential_id": one.registrar_credential_id,
        "registrar": one.registrar,
        "by_hand": one.is_by_hand,
        "source": one.source,
        "name_servers": list(one.name_servers),
        "delegated": list(one.delegated),
        "note": one.note,
    }
