"""Queries of what deleted keys carried: their account's totals, and the labels whose last bytes may still come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal_column,
    select,
    union_all,
    update,
)

from keystead.db.absent import InsertIfAbsent
from keystead.db.prepared import Prepared
from keystead.vpn.accounting import NOTHING, Bytes, LabelReading
from keystead.vpn.keyvalue import key_of
from keystead.vpn.models import DEPARTED, DEPARTED_LABELS, KEYS, TRAFFIC, TRAFFIC_OTHERS
from keystead.vpn.store.keys import CONFINED
from keystead.vpn.store.traffic import FIGURES

D, L, T, A, K = DEPARTED.c, DEPARTED_LABELS.c, TRAFFIC.c, TRAFFIC_OTHERS.c, KEYS.c

_LEAVING = (K.label == bindparam("at_label"), K.state == "removing")
_SUMS = Prepared(
    select(
        K.account_id,
        *(func.sum(column) for column in (T.uplink, T.downlink, T.estimated_uplink, T.estimated_downlink)),
    )
    .join_from(KEYS, TRAFFIC, K.number == T.key_number)
    .where(*_LEAVING)
    .group_by(K.account_id)
)
_COLUMNS = ("label", "process", "account_id", "read_uplink", "read_downlink", "left_at")
_LEFT_AT = bindparam("left_at", type_=L.left_at.type)
_KEEP_LABELS = Prepared(
    insert(DEPARTED_LABELS).from_select(
        _COLUMNS,
        select(T.label, T.process, K.account_id, T.read_uplink, T.read_downlink, _LEFT_AT)
        .join_from(KEYS, TRAFFIC, K.number == T.key_number)
        .where(*_LEAVING),
    )
)
_KEEP_OTHERS = Prepared(
    insert(DEPARTED_LABELS).from_select(
        _COLUMNS,
        select(A.label, A.process, K.account_id, A.read_uplink, A.read_downlink, _LEFT_AT)
        .join_from(KEYS, TRAFFIC, K.number == T.key_number)
        .join(TRAFFIC_OTHERS, A.label == T.label)
        .where(*_LEAVING),
    )
)
_OPEN = InsertIfAbsent(DEPARTED)
_WAYS = ("uplink", "downlink", "estimated_uplink", "estimated_downlink")
_ADD = Prepared(
    update(DEPARTED)
    .where(D.account_id == bindparam("at_account"))
    .values(
        {"keys": D["keys"] + bindparam("more_keys"), **{name: D[name] + bindparam(f"more_{name}") for name in _WAYS}}
    )
)
_SUMMED = (T.uplink, T.downlink, T.estimated_uplink, T.estimated_downlink)
# PostgreSQL sums whole numbers to decimal ones.
_IN_ALL = [cast(func.coalesce(func.sum(column), 0), BigInteger) for column in _SUMMED]
_LIVING, _DELETED = 0, 1
_NO_FIGURES: tuple[ColumnElement[int], ...] = (literal_column("0"), literal_column("0"))
# One statement: a key that is buried between two would be in neither of them, or in both.
_OF_ACCOUNT = Prepared(
    union_all(
        select(literal_column(f"{_LIVING}"), literal_column("0"), *_IN_ALL, *FIGURES)
        .join_from(TRAFFIC, KEYS, T.key_number == K.number)
        .where(K.account_id == bindparam("account_id"), CONFINED, K.state != "removing"),
        select(literal_column(f"{_DELETED}"), literal_column("1"), *_IN_ALL, *_NO_FIGURES)
        .join_from(TRAFFIC, KEYS, T.key_number == K.number)
        .where(K.account_id == bindparam("account_id"), K.state == "removing")
        .group_by(K.number),
        select(literal_column(f"{_DELETED}"), D["keys"], *(D[name] for name in _WAYS), *_NO_FIGURES).where(
            D.account_id == bindparam("account_id")
        ),
    )
)
_READINGS = Prepared(select(L.label, L.account_id, L.process, L.read_uplink, L.read_downlink))
_READ = Prepared(
    update(DEPARTED_LABELS)
    .where(L.label == bindparam("at_label"), L.process == bindparam("at_process"))
    .values(read_uplink=bindparam("to_up"), read_downlink=bindparam("to_down"))
)
_READ_FIRST = Prepared(insert(DEPARTED_LABELS))
_PRUNE = delete(DEPARTED_LABELS).where(L.left_at < bindparam("before"))


@dataclass(frozen=True)
class Departed:
    """What the deleted keys of an account carried in all, and how many they were that carried something."""

    keys: int = 0
    counted: Bytes = NOTHING
    estimated: Bytes = NOTHING


class Totals(NamedTuple):
    """What keys have carried: counted, estimated, the figures shown of both, and what deleted keys did."""

    counted: Bytes
    estimated: Bytes
    figure: Bytes
    departed: Departed


class DepartedLabel(NamedTuple):
    """A label of a deleted key: whose it was, its last reading per process, and whether the key carried nothing yet."""

    account_id: int
    readings: dict[str, LabelReading]
    is_first: bool


def keep(connection: Connection, labels: Sequence[str], at: datetime) -> None:
    """Keep what keys that are about to be deleted for good have carried; the caller takes its turn at booking first."""
    for label in labels:
        found = _SUMS.first(connection, {"at_label": label})
        if found is None:
            continue
        account_id, *sums = (int(number) for number in found)
        _KEEP_LABELS.run(connection, {"at_label": label, "left_at": at})
        _KEEP_OTHERS.run(connection, {"at_label": label, "left_at": at})
        _add(connection, account_id, 1 if any(sums) else 0, sums)


def totals(connection: Connection, account_id: int, *, issued_by: int | None) -> Totals:
    """Return what the keys of an account have carried, and what its deleted keys did.

    With ``issued_by`` the former is that of one token's keys. Keys that are just being deleted count as deleted.
    """
    rows = _OF_ACCOUNT.rows(connection, {"account_id": account_id, "issued_by": issued_by})
    [living] = [sums for kind, _, *sums in rows if kind == _LIVING]
    deleted = [(0, 0, 0, 0, 0), *((keys, *sums) for kind, keys, *sums, _, _ in rows if kind == _DELETED and any(sums))]
    number, *ways = (int(sum(column)) for column in zip(*deleted, strict=True))
    counted, estimated, figure = Bytes(*living[:2]), Bytes(*living[2:4]), Bytes(*living[4:])
    return Totals(counted, estimated, figure, Departed(number, Bytes(*ways[:2]), Bytes(*ways[2:])))


def labels(connection: Connection) -> dict[str, DepartedLabel]:
    """Return the labels of deleted keys whose last bytes may still come."""
    accounts: dict[str, int] = {}
    readings: dict[str, dict[str, LabelReading]] = {}
    carried: set[str] = set()
    for label, account_id, process, uplink, downlink in _READINGS.rows(connection, {}):
        accounts[label] = account_id
        readings.setdefault(label, {})[process] = LabelReading(process, uplink, downlink)
        if uplink or downlink:
            carried.add(key_of(label))
    return {
        label: DepartedLabel(account_id, readings[label], key_of(label) not in carried)
        for label, account_id in accounts.items()
    }


def book(
    connection: Connection,
    label: str,
    departed: DepartedLabel,
    now: LabelReading,
    more: Bytes,
    at: datetime,
    *,
    is_estimated: bool = False,
) -> None:
    """Book the last bytes of a deleted key, as counted unless they are estimated."""
    if not more.total:
        return
    if now.process in departed.readings:
        values = {"at_label": label, "at_process": now.process, "to_up": now.uplink, "to_down": now.downlink}
        _READ.run(connection, values)
    else:
        given = (label, now.process, departed.account_id, now.uplink, now.downlink, at)
        _READ_FIRST.run(connection, dict(zip(_COLUMNS, given, strict=True)))
    ways = (*NOTHING, *more) if is_estimated else (*more, *NOTHING)
    _add(connection, departed.account_id, 1 if departed.is_first else 0, ways)


def prune(connection: Connection, before: datetime) -> None:
    """Stop waiting for the last bytes of keys that were deleted long ago."""
    connection.execute(_PRUNE, {"before": before})


def _add(connection: Connection, account_id: int, keys: int, more: Sequence[int]) -> None:
    _OPEN.run(connection, {"account_id": account_id, "keys": 0, **dict.fromkeys(_WAYS, 0)})
    added = {f"more_{name}": number for name, number in zip(_WAYS, more, strict=True)}
    _ADD.run(connection, {"at_account": account_id, "more_keys": keys, **added})
