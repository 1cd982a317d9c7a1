"""Queries of bulks: which keys are meant, and what was done to which."""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, String, bindparam, cast, func, insert, or_, select, update

from keystead.db.prepared import Prepared
from keystead.vpn.bulkvalue import Where
from keystead.vpn.keyvalue import KeyState, VpnKey, parse_ident
from keystead.vpn.models import BULK_ITEMS, INBOUNDS, KEYS, SUBSCRIPTIONS, TERMS
from keystead.vpn.store import keys as key_store

B, K, S = BULK_ITEMS.c, KEYS.c, SUBSCRIPTIONS.c

# As many values as a statement of any database takes beside the others.
_TOGETHER = 5000
_OF_JOB = B.job == bindparam("job")
_BETWEEN = (B.position >= bindparam("begin"), B.position < bindparam("end"))
_INSERT = Prepared(insert(BULK_ITEMS))
_NUMBERS = Prepared(select(B.position, B.key_number).where(_OF_JOB, *_BETWEEN).order_by(B.position))
_HELD = Prepared(
    select(K.number)
    .join_from(BULK_ITEMS, KEYS, B.key_number == K.number)
    .where(_OF_JOB, *_BETWEEN)
    .order_by(K.number)
    .with_for_update(of=KEYS, key_share=True)
)
_SET = Prepared(
    update(BULK_ITEMS)
    .where(B.job == bindparam("at_job"), B.position == bindparam("at_position"))
    .values(outcome=bindparam("new_outcome"), reason=bindparam("new_reason"))
)
_COUNTS = select(B.outcome, func.count()).where(_OF_JOB).group_by(B.outcome)
_PAGE = (
    select(B.position, B.key_number, B.named, B.outcome, B.reason, K.public_id, K.name)
    .join_from(BULK_ITEMS, KEYS, B.key_number == K.number, isouter=True)
    .where(
        _OF_JOB,
        B.position > bindparam("after"),
        or_(cast(bindparam("outcome"), String).is_(None), B.outcome == bindparam("outcome")),
    )
    .order_by(B.position)
    .limit(bindparam("limit"))
)
_UNCONFIRMED = Prepared(
    select(B.position, K.number, K.label, INBOUNDS.c.scope)
    .join_from(BULK_ITEMS, KEYS, B.key_number == K.number)
    .join(INBOUNDS, K.inbound_id == INBOUNDS.c.id)
    .where(_OF_JOB, B.outcome == "done", K.state == KeyState.ISSUING.value)
    .order_by(B.position)
)
_TOKENS = Prepared(
    select(S.key_number, S.sealed_token)
    .join_from(BULK_ITEMS, SUBSCRIPTIONS, B.key_number == S.key_number)
    .where(_OF_JOB, *_BETWEEN)
)


class Item(NamedTuple):
    """What was done to one key; id and name are None for one that is not there any more."""

    position: int
    number: int | None
    named: str | None
    outcome: str
    reason: str | None
    public_id: str | None
    name: str | None


class Unconfirmed(NamedTuple):
    """A key of a bulk that its engine is not known to hold."""

    position: int
    number: int
    label: str
    scope: str


class NewItem(NamedTuple):
    """A row to be written."""

    position: int
    number: int | None
    named: str | None
    outcome: str
    reason: str | None


def meant(connection: Connection, account_id: int, where: Where, *, issued_by: int | None) -> list[VpnKey]:
    """Return the keys that are meant, by number; those being removed left out."""
    conditions = list(_conditions(where))
    if where.keys is None:
        found = key_store.narrowed(connection, account_id, issued_by=issued_by, conditions=conditions)
    else:
        named = {key.number: key for key in _named(connection, account_id, where.keys, conditions, issued_by)}
        found = [named[number] for number in sorted(named)]
    if where.name is None:
        return found
    return [key for key in found if key.name is not None and fnmatchcase(key.name, _literal(where.name))]


def add(connection: Connection, job: int, items: Iterable[NewItem]) -> None:
    """Write what is to be done, or was."""
    names = ("job", "position", "key_number", "named", "outcome", "reason")
    _INSERT.run_many(connection, names, [(job, *item) for item in items])


def numbers(connection: Connection, job: int, begin: int, end: int) -> list[tuple[int, int]]:
    """Return positions and numbers of keys between two positions."""
    return [(row[0], row[1]) for row in _NUMBERS.rows(connection, {"job": job, "begin": begin, "end": end})]


def hold_keys(connection: Connection, job: int, begin: int, end: int) -> None:
    """Keep other changes to the keys between two positions waiting until the commit.

    All of them before any is marked: who changes one key holds that and then waits for its scope.
    """
    _HELD.rows(connection, {"job": job, "begin": begin, "end": end})


def set_outcomes(connection: Connection, job: int, outcomes: Sequence[tuple[int, str, str | None]]) -> None:
    """Record how it went: position, outcome, and the reason for one that was refused."""
    names = ("at_job", "at_position", "new_outcome", "new_reason")
    _SET.run_many(connection, names, [(job, *outcome) for outcome in outcomes])


def counts(connection: Connection, job: int) -> dict[str, int]:
    """Count the items by outcome."""
    return {row[0]: row[1] for row in connection.execute(_COUNTS, {"job": job})}


def page(connection: Connection, job: int, *, outcome: str | None, after: int, limit: int) -> list[Item]:
    """Return items behind a position, all or those of an outcome."""
    values = {"job": job, "outcome": outcome, "after": after, "limit": limit}
    return [Item._make(row) for row in connection.execute(_PAGE, values)]


def unconfirmed(connection: Connection, job: int) -> list[Unconfirmed]:
    """Return the keys that were created and are not known to be in their engine."""
    return [Unconfirmed._make(row) for row in _UNCONFIRMED.rows(connection, {"job": job})]


def sealed_tokens(connection: Connection, job: int, begin: int, end: int) -> dict[int, str]:
    """Return the sealed tokens of the subscriptions of keys between two positions, by number."""
    rows = _TOKENS.rows(connection, {"job": job, "begin": begin, "end": end})
    return {row[0]: row[1] for row in rows}


def _conditions(where: Where) -> Iterable[ColumnElement[bool]]:
    if where.plan is not None:
        yield TERMS.c.plan == where.plan
    if where.state is not None:
        yield from key_store.OF_STATUS[where.state]
    if where.placement is not None:
        yield INBOUNDS.c.placement == where.placement.value
    if where.name is not None:
        yield K.name.like(_like(where.name), escape="\\")
    for column, after, before in (
        (K.created_at, where.created_after, where.created_before),
        (TERMS.c.expires_at, where.expires_after, where.expires_before),
    ):
        if after is not None:
            yield column >= after
        if before is not None:
            yield column < before


def _named(
    connection: Connection,
    account_id: int,
    named: Sequence[str],
    conditions: Sequence[ColumnElement[bool]],
    issued_by: int | None,
) -> Iterable[VpnKey]:
    idents = [parse_ident(text) for text in named]
    by_number = [ident.number for ident in idents if ident.number is not None]
    by_uuid = [ident.uuid for ident in idents if ident.uuid is not None]
    for begin in range(0, len(by_number), _TOGETHER):
        here = [*conditions, K.number.in_(by_number[begin : begin + _TOGETHER])]
        yield from key_store.narrowed(connection, account_id, issued_by=issued_by, conditions=here)
    for begin in range(0, len(by_uuid), _TOGETHER):
        part = by_uuid[begin : begin + _TOGETHER]
        here = [*conditions, or_(K.uuid.in_(part), K.public_id.in_(part))]
        yield from key_store.narrowed(connection, account_id, issued_by=issued_by, conditions=here)


def _like(pattern: str) -> str:
    """Return a pattern for LIKE, which databases read with different care for case: it narrows, and does not decide."""
    escaped = re.sub(r"([\\%_])", r"\\\1", pattern)
    return escaped.replace("*", "%").replace("?", "_")


def _literal(pattern: str) -> str:
    """Return a pattern in which brackets are characters like others."""
    return pattern.replace("[", "[[]")
