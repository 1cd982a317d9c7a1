"""Queries of plans."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, bindparam, delete, insert, select, update

from keystead.vpn.models import PLANS
from keystead.vpn.placement import Placement
from keystead.vpn.store.terms import TERM_NAMES, read_terms, terms_values
from keystead.vpn.termvalue import Starts, Terms

P = PLANS.c

_COLUMNS: tuple[Column[Any], ...] = (P.name, P.starts, P.placement, P.created_at, *(P[name] for name in TERM_NAMES))
_OF_ACCOUNT = P.account_id == bindparam("account_id")
_IS_NAMED = P.name == bindparam("of_name")
_ALL = select(*_COLUMNS).where(_OF_ACCOUNT).order_by(P.name)
_FIND = select(*_COLUMNS).where(_OF_ACCOUNT, _IS_NAMED)
_FIND_FOR_CHANGE = _FIND.with_for_update()
_ADD = insert(PLANS)
_SET = (
    update(PLANS)
    .where(P.account_id == bindparam("of_account"), _IS_NAMED)
    .values({name: bindparam(f"to_{name}") for name in (*TERM_NAMES, "starts", "placement")})
)
_REMOVE = delete(PLANS).where(_OF_ACCOUNT, _IS_NAMED)


class Plan(NamedTuple):
    """Named terms; ``starts`` says when their duration does, ``placement`` where keys sit (None: where they would)."""

    name: str
    starts: Starts
    terms: Terms
    created_at: datetime
    placement: Placement | None = None


def written(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON values, for work that goes on by it whatever becomes of the plan."""
    ends = plan.terms.expires_at
    values = terms_values(plan.terms) | {"expires_at": None if ends is None else ends.isoformat()}
    return {
        "name": plan.name,
        "starts": plan.starts.value,
        "placement": _written(plan),
        "created_at": plan.created_at.isoformat(),
        "terms": [values[name] for name in TERM_NAMES],
    }


def read(data: Mapping[str, Any]) -> Plan:
    """Return the plan that ``written`` wrote."""
    values = dict(zip(TERM_NAMES, data["terms"], strict=True))
    if values["expires_at"] is not None:
        values["expires_at"] = datetime.fromisoformat(values["expires_at"])
    moment = datetime.fromisoformat(data["created_at"])
    return _plan([data["name"], data["starts"], data["placement"], moment, *values.values()])


def all_(connection: Connection, account_id: int) -> list[Plan]:
    """Return an account's plans by name."""
    return [_plan(row) for row in connection.execute(_ALL, {"account_id": account_id})]


def find(connection: Connection, account_id: int, name: str) -> Plan | None:
    """Return a plan by its name."""
    row = connection.execute(_FIND, {"account_id": account_id, "of_name": name}).first()
    return None if row is None else _plan(row)


def find_for_change(connection: Connection, account_id: int, name: str) -> Plan | None:
    """Return a plan by its name and keep others from changing it until the commit."""
    row = connection.execute(_FIND_FOR_CHANGE, {"account_id": account_id, "of_name": name}).first()
    return None if row is None else _plan(row)


def add(connection: Connection, account_id: int, plan: Plan) -> None:
    """Store a plan; raise IntegrityError when the name is taken."""
    values = {"account_id": account_id, "name": plan.name, "starts": plan.starts.value, "created_at": plan.created_at}
    values["placement"] = _written(plan)
    connection.execute(_ADD, {**values, **terms_values(plan.terms)})


def put(connection: Connection, account_id: int, plan: Plan) -> None:
    """Store what a plan says now."""
    values = {f"to_{name}": value for name, value in terms_values(plan.terms).items()}
    named = {
        "of_account": account_id,
        "of_name": plan.name,
        "to_starts": plan.starts.value,
        "to_placement": _written(plan),
    }
    connection.execute(_SET, {**named, **values})


def remove(connection: Connection, account_id: int, name: str) -> bool:
    """Delete a plan; return whether there was one."""
    return connection.execute(_REMOVE, {"account_id": account_id, "of_name": name}).rowcount == 1


def _written(plan: Plan) -> str | None:
    return None if plan.placement is None else plan.placement.value


def _plan(row: Sequence[Any]) -> Plan:
    name, starts, placement, created_at, *terms = row
    placed = None if placement is None else Placement(placement)
    return Plan(name, Starts(starts), read_terms(terms, name), created_at, placed)
