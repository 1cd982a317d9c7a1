"""What a bulk is: one order for many keys, the plan it makes, and how either is written down; no row is read here."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from keystead.kit.errors import Invalid
from keystead.vpn.keyvalue import KeyStatus
from keystead.vpn.placement import Placement

COUNT_MAX = 100_000
# Stands in a name for the number of the key in its bulk.
NUMBER_MARK = "{n}"


class Action(StrEnum):
    """What is done to keys."""

    CREATE = "create"
    EXTEND = "extend"
    TOP_UP = "top-up"
    DISABLE = "disable"
    ENABLE = "enable"
    DELETE = "delete"
    MOVE = "move"


@dataclass(frozen=True)
class Where:
    """Which keys: those that meet everything that is said. ``name`` is a pattern with ``*`` and ``?``.

    ``keys`` are numbers, ids and UUIDs. Without anything else ``every`` has to say that all keys are meant.
    """

    plan: str | None = None
    state: KeyStatus | None = None
    name: str | None = None
    placement: Placement | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    expires_after: datetime | None = None
    expires_before: datetime | None = None
    keys: tuple[str, ...] | None = None
    every: bool = False

    def check(self) -> None:
        """Raise Invalid when nothing says which keys, or too many are named."""
        says = [name for name, value in asdict(self).items() if name != "every" and value is not None]
        if not says and not self.every:
            problem = "say which keys, or that every one is meant"
            raise Invalid(f"where: {problem}", fields={"where": problem})
        if self.keys is not None and len(self.keys) > COUNT_MAX:
            raise Invalid(f"keys: at most {COUNT_MAX}", fields={"where.keys": f"at most {COUNT_MAX}"})


@dataclass(frozen=True)
class Creation:
    """Keys to be created alike. ``names`` decide in place of ``count`` and ``name``; ``first`` is the first number.

    ``placement`` None is the plan's, or shared.
    """

    count: int = 0
    name: str | None = None
    first: int = 1
    names: tuple[str, ...] | None = None
    plan: str | None = None
    placement: Placement | None = None
    has_subscriptions: bool = False

    @property
    def total(self) -> int:
        """Return how many keys."""
        return self.count if self.names is None else len(self.names)

    def named(self, begin: int, end: int) -> Sequence[str | None]:
        """Return the names of the keys at some positions."""
        if self.names is not None:
            return self.names[begin:end]
        if self.name is None:
            return [None] * (min(end, self.count) - begin)
        numbers = range(self.first + begin, self.first + min(end, self.count))
        return [self.name.replace(NUMBER_MARK, str(number)) for number in numbers]

    def check(self) -> None:
        """Raise Invalid for a number of keys that is none."""
        if not 1 <= self.total <= COUNT_MAX:
            raise Invalid(f"count: 1 to {COUNT_MAX}", fields={"create.count": f"1 to {COUNT_MAX}"})


@dataclass(frozen=True)
class Order:
    """What to do to many keys: ``creation`` for new ones, ``where`` for those that are there.

    ``days`` goes with an extension, ``size_bytes`` with a top-up, ``placement`` with a move.
    """

    action: Action
    where: Where = Where()
    creation: Creation | None = None
    days: int | None = None
    size_bytes: int | None = None
    placement: Placement | None = None

    def check(self) -> None:
        """Raise Invalid for an order that lacks something or has too much."""
        needed = {Action.EXTEND: "days", Action.TOP_UP: "size_bytes", Action.MOVE: "placement"}.get(self.action)
        for field, name in (("days", "days"), ("size_bytes", "bytes"), ("placement", "placement")):
            if (getattr(self, field) is None) is (field == needed):
                problem = f"{'is needed for' if field == needed else 'does not go with'} {self.action.value}"
                raise Invalid(f"{name}: {problem}", fields={name: problem})
        if (self.creation is None) is (self.action is Action.CREATE):
            problem = "is needed for create" if self.creation is None else f"does not go with {self.action.value}"
            raise Invalid(f"create: {problem}", fields={"create": problem})
        (self.where if self.creation is None else self.creation).check()

    def as_data(self) -> dict[str, Any]:
        """Return the order as JSON values."""
        data: dict[str, Any] = orjson.loads(orjson.dumps(asdict(self)))
        if data["where"]["keys"] is not None:  # they stand in the items
            data["where"]["keys"] = len(data["where"]["keys"])
        return data


def order_of(data: Mapping[str, Any]) -> Order:
    """Return the order that ``as_data`` wrote; which keys are meant stands in the items."""
    creation = data["creation"]
    if creation is not None:
        names, placement = creation["names"], creation["placement"]
        creation = Creation(
            **{
                **creation,
                "names": None if names is None else tuple(names),
                "placement": None if placement is None else Placement(placement),
            }
        )
    placement = data["placement"]
    return Order(
        Action(data["action"]),
        creation=creation,
        days=data["days"],
        size_bytes=data["size_bytes"],
        placement=None if placement is None else Placement(placement),
    )


class Fate(StrEnum):
    """What becomes of a key: it is changed, it is as wanted already, or it cannot be changed."""

    CHANGE = "change"
    SAME = "same"
    REFUSED = "refused"


class Foreseen(NamedTuple):
    """What a bulk would do to one key; ``named`` is what the caller called it, where it is none of ours."""

    fate: Fate
    number: int | None = None
    name: str | None = None
    named: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class BulkPlan:
    """An order with what it would do: to keys that are there, by number, or ``total`` new ones.

    ``terms`` are what new keys get, as text: who approves a plan approves them too.
    """

    order: Order
    foreseen: tuple[Foreseen, ...]
    total: int
    terms: str = ""

    @property
    def counts(self) -> Mapping[Fate, int]:
        """Return how many keys share each fate."""
        counted = Counter(one.fate for one in self.foreseen)
        return {fate: counted[fate] for fate in Fate} | (
            {} if self.order.creation is None else {Fate.CHANGE: self.total}
        )

    @property
    def digest(self) -> str:
        """Return a short digest: what was reviewed is what runs."""
        order = asdict(replace(self.order, where=Where()))
        data = [order, [[one.fate, one.number, one.named] for one in self.foreseen], self.terms]
        return hashlib.sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
