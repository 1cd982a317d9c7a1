"""The native API's shapes of bulks, and the ways between them and the core."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from keystead.dialects.v1.bases import Answer, Body, Moment
from keystead.dialects.v1.term_schemas import Count, PlanName
from keystead.jobs.store import Job, State
from keystead.kit.secret import Secret
from keystead.vpn import bulkvalue
from keystead.vpn.bulks import Bulk as BulkFound
from keystead.vpn.bulks import Handed
from keystead.vpn.bulkvalue import COUNT_MAX, Action, BulkPlan, Creation, Fate, Order
from keystead.vpn.keyvalue import KeyStatus
from keystead.vpn.links import vless_link
from keystead.vpn.placement import Placement
from keystead.vpn.store.bulks import Item

_SAMPLE = 20
_REFUSALS_SHOWN = 100
_Placement = Annotated[Placement, Field(strict=False)]
_Ident = Annotated[str, Field(min_length=1, max_length=64)]
_Name = Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")]
Outcome = Literal["planned", "done", "same", "refused"]


class BulkWhere(Body):
    """Which keys: those that meet everything that is said."""

    plan: PlanName | None = None
    state: Annotated[KeyStatus, Field(strict=False)] | None = None
    name: Annotated[str, Field(max_length=255)] | None = Field(None, description="A pattern with * and ?.")
    placement: _Placement | None = None
    created_after: Moment | None = None
    created_before: Moment | None = None
    expires_after: Moment | None = None
    expires_before: Moment | None = None
    keys: Annotated[list[_Ident], Field(max_length=COUNT_MAX)] | None = Field(
        None, description="Numbers, ids and UUIDs, as texts."
    )
    every: bool = Field(False, description="All keys of the account, where nothing else is said.")


class BulkCreate(Body):
    """Keys to be created alike."""

    count: Annotated[int, Field(ge=1, le=COUNT_MAX)] | None = None
    name: _Name | None = Field(None, description="{n} stands for the number of each.")
    first: Annotated[int, Field(ge=0, le=10**9)] = Field(1, description="The first of these numbers.")
    names: Annotated[list[_Name], Field(min_length=1, max_length=COUNT_MAX)] | None = Field(
        None, description="A name for each key, in place of count and name."
    )
    plan: PlanName | None = None
    placement: _Placement | None = Field(None, description="Left out: the plan's, or shared.")
    subscriptions: bool = Field(
        False, description="Open the subscription of each, so that its address is in the links."
    )


class BulkOrder(Body):
    """One order for many keys; with ``dry_run`` only planned. ``digest`` is that of the plan that was reviewed."""

    action: Annotated[Action, Field(strict=False)]
    create: BulkCreate | None = Field(None, description="With create.")
    where: BulkWhere = BulkWhere()
    days: Annotated[int, Field(ge=1, le=3660)] | None = Field(None, description="With extend.")
    bytes: Count | None = Field(None, description="With top-up.")
    placement: _Placement | None = Field(None, description="With move.")
    dry_run: bool = False
    digest: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class BulkKey(Answer):
    """A key that a plan would change."""

    number: int | None
    name: str | None


class BulkRefusal(Answer):
    """A key that it cannot change, and why; ``key`` is what the caller called one that is none of ours."""

    number: int | None
    key: str | None
    reason: str | None


class BulkPlanned(Answer):
    """What an order would do now: ``change`` keys are changed or created, ``same`` are as wanted already."""

    action: Action
    digest: str
    change: int
    same: int
    refused: int
    sample: list[BulkKey]
    refusals: list[BulkRefusal]


class Bulk(Answer):
    """A bulk as it stands; ``done`` of ``total`` keys are written, and all of them are in force when it is done.

    ``outcomes`` counts keys by what became of them; ``message`` says what it waits for, or why it failed.
    """

    id: int
    action: Action
    state: State
    total: int
    done: int
    outcomes: dict[str, int] | None
    message: str | None
    asked_by: str
    created_at: datetime
    ended_at: datetime | None


class BulkList(Answer):
    """Bulks, the newest first."""

    items: list[Bulk]
    next: int | None


class BulkResult(Answer):
    """What was done to one key; ``id`` and ``name`` are null for one that is not there any more."""

    position: int
    number: int | None
    id: str | None
    name: str | None
    key: str | None
    outcome: Outcome
    reason: str | None


class BulkResults(Answer):
    """A page of them."""

    items: list[BulkResult]
    next: int | None


class BulkLink(Answer):
    """A key of a bulk with what its holder needs."""

    number: int
    id: str
    uuid: str
    name: str | None
    link: str
    subscription: str | None


class BulkLinks(Answer):
    """All of them."""

    items: list[BulkLink]


def order(wanted: BulkOrder) -> Order:
    """Return what a body asks for."""
    where = wanted.where.model_dump()
    where["keys"] = None if wanted.where.keys is None else tuple(wanted.where.keys)
    return Order(
        wanted.action,
        bulkvalue.Where(**where),
        None if wanted.create is None else _creation(wanted.create),
        wanted.days,
        wanted.bytes,
        wanted.placement,
    )


def planned(plan: BulkPlan) -> dict[str, Any]:
    """Present a plan."""
    changed = [one for one in plan.foreseen if one.fate is Fate.CHANGE]
    refused = [one for one in plan.foreseen if one.fate is Fate.REFUSED]
    creation = plan.order.creation
    if creation is None:
        sample = [{"number": one.number, "name": one.name} for one in changed[:_SAMPLE]]
    else:
        sample = [{"number": None, "name": name} for name in creation.named(0, _SAMPLE)]
    return {
        "action": plan.order.action.value,
        "digest": plan.digest,
        **{fate.value: count for fate, count in plan.counts.items()},
        "sample": sample,
        "refusals": [
            {"number": one.number, "key": one.named, "reason": one.reason} for one in refused[:_REFUSALS_SHOWN]
        ],
    }


def bulk(found: BulkFound) -> dict[str, Any]:
    """Present a bulk with its counts."""
    return job(found.job) | {"outcomes": dict(found.outcomes)}


def job(value: Job) -> dict[str, Any]:
    """Present a bulk."""
    return {
        "id": value.number,
        "action": value.request["action"],
        "state": value.state.value,
        "total": value.total,
        "done": value.done,
        "outcomes": None,
        "message": value.message,
        "asked_by": value.caller["actor"],
        "created_at": value.created_at,
        "ended_at": value.ended_at,
    }


def result(item: Item) -> dict[str, Any]:
    """Present what was done to a key."""
    return {
        "position": item.position,
        "number": item.number,
        "id": item.public_id,
        "name": item.name,
        "key": item.named,
        "outcome": item.outcome,
        "reason": item.reason,
    }


def links(handed: Sequence[Handed], address: Callable[[Secret[str]], str]) -> list[dict[str, Any]]:
    """Present keys with their links; ``address`` makes that of a subscription."""
    return [
        {
            "number": key.number,
            "id": key.public_id,
            "uuid": key.uuid,
            "name": key.name,
            "link": vless_link(profile),
            "subscription": None if token is None else address(token),
        }
        for key, profile, token in handed
    ]


def links_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the same as a table of comma-separated values."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ("number", "id", "uuid", "name", "link", "subscription"))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _creation(wanted: BulkCreate) -> Creation:
    return Creation(
        wanted.count or 0,
        wanted.name,
        wanted.first,
        None if wanted.names is None else tuple(wanted.names),
        wanted.plan,
        wanted.placement,
        wanted.subscriptions,
    )
