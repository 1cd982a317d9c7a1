"""The chain over the audit trail: every record sealed with a key that is not in the database in the clear.

One worker seals what is visible and unsealed, in the order of numbers, right after the records are written. On
PostgreSQL numbers may become visible out of order, so the chain's order is its own: ``position``, without gaps from 1.
A seal is HMAC-SHA256 over the canonical JSON of the record, its position and the seal before it.

The *head*, position and seal of the last record, is also kept in a file outside the database. Without it somebody who
can write to the database could cut the end of the trail off. The file may lag behind after a crash; it is never ahead.
"""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

import orjson
from sqlalchemy import Connection

from keystead.access.store import audit as store
from keystead.access.store.audit import ChainLink
from keystead.kit.crypto import mac
from keystead.kit.errors import Broken, Misconfigured
from keystead.kit.files import write_private
from keystead.kit.secret import Secret

HEAD_FILE = "audit.head"
_BEFORE_THE_FIRST = "0" * 64
_PAGE = 500
_FINDINGS_MAX = 100


@dataclass(frozen=True)
class Head:
    """The end of the chain. ``position`` is also the number of sealed records."""

    position: int
    seal: str


class Finding(StrEnum):
    """What is wrong with the trail at one place."""

    CHANGED = "changed"
    DELETED = "deleted"
    TRUNCATED = "truncated"
    REWRITTEN = "rewritten"
    STRIPPED = "stripped"
    HEAD_MISSING = "head missing"


@dataclass(frozen=True)
class Discrepancy:
    """One finding, in words that name the record."""

    finding: Finding
    message: str


@dataclass(frozen=True)
class VerifyReport:
    """What a check of the whole chain found; only the first hundred discrepancies are told in words."""

    sealed: int
    unsealed: int
    discrepancy_count: int
    discrepancies: tuple[Discrepancy, ...]

    @property
    def is_intact(self) -> bool:
        """Tell whether nothing was found."""
        return self.discrepancy_count == 0


def seal_batch(
    connection: Connection, key: Secret[bytes], *, head: Head | None = None, limit: int = _PAGE
) -> Head | None:
    """Seal the next unsealed records inside the caller's transaction; return the new head, None when there were none.

    After the commit the caller writes the head to its file. ``head`` is what that file holds: raises Broken when the
    chain no longer contains it, so that a cut trail is not quietly continued.
    """
    _check_contains(connection, head)
    position, seal = store.last_sealed(connection) or (0, _BEFORE_THE_FIRST)
    seals = []
    for link in store.unsealed(connection, limit):
        position += 1
        seal = _seal_of(key, link, position, seal)
        seals.append((link.number, position, seal))
    store.set_seals(connection, seals)
    return Head(position, seal) if seals else None


def has_unsealed(connection: Connection) -> bool:
    """Tell whether any record waits for its seal."""
    return store.count_unsealed(connection) > 0


class Verification:
    """A check of every record, the order, the seals and the end of the chain, a page at a time.

    The trail may be long, and others want to read meanwhile. ``head`` is what the file holds, read before the first
    page: the chain may grow meanwhile.
    """

    def __init__(self, key: Secret[bytes], head: Head | None) -> None:
        self._key = key
        self._head = head
        self._found = _Found()
        self._last = Head(0, _BEFORE_THE_FIRST)

    def check_page(self, connection: Connection) -> VerifyReport | None:
        """Check the next page; return the report when there was none left."""
        after = self._last
        page = store.sealed(connection, after.position, _PAGE)
        for link in page:
            _check_link(self._found, self._key, link, self._last, self._head)
            self._last = Head(link.position or 0, link.seal or "")
        return self._ended(connection) if self._last.position <= after.position else None

    def _ended(self, connection: Connection) -> VerifyReport:
        found = self._found
        for number in store.outside(connection):
            found.add(Finding.STRIPPED, f"record {number} stands outside the chain; it was taken out or put beside it")
        _check_end(found, self._last, self._head)
        return VerifyReport(
            sealed=self._last.position,
            unsealed=store.count_unsealed(connection),
            discrepancy_count=found.count,
            discrepancies=tuple(found.told),
        )


def write_head(data_directory: Path, head: Head) -> None:
    """Replace the head file atomically and durably, readable by its owner alone."""
    write_private(data_directory / HEAD_FILE, orjson.dumps(asdict(head)) + b"\n")


def read_head(data_directory: Path) -> Head | None:
    """Return what the head file holds, None when there is none; raise Misconfigured when it is no head."""
    path = data_directory / HEAD_FILE
    try:
        stored = orjson.loads(path.read_bytes())
        return Head(int(stored["position"]), str(stored["seal"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise Misconfigured(
            f"{path} is damaged; restore it from a backup, or remove it and run: keystead audit verify"
        ) from error


@dataclass
class _Found:
    count: int = 0
    told: list[Discrepancy] = field(default_factory=list)

    def add(self, finding: Finding, message: str) -> None:
        self.count += 1
        if len(self.told) < _FINDINGS_MAX:
            self.told.append(Discrepancy(finding, message))


def _check_contains(connection: Connection, head: Head | None) -> None:
    if head is not None and store.seal_at(connection, head.position) != head.seal:
        raise Broken(
            f"the audit trail does not contain its head at position {head.position}; it was cut or rewritten, or an "
            "older database was put back. See: keystead audit verify"
        )


def _check_link(found: _Found, key: Secret[bytes], link: ChainLink, last: Head, head: Head | None) -> None:
    position = link.position or 0
    if position != last.position + 1:
        found.add(Finding.DELETED, f"records at positions {last.position + 1} to {position - 1} are gone")
    elif link.seal != _seal_of(key, link, position, last.seal):
        found.add(
            Finding.CHANGED,
            f"record {link.number} at position {position} is not what was sealed; it or the one before it was changed, "
            "moved or put in",
        )
    if head is not None and position == head.position and link.seal != head.seal:
        found.add(Finding.REWRITTEN, f"the seal at position {position} is not the one in the head file")


def _check_end(found: _Found, last: Head, head: Head | None) -> None:
    if head is None and last.position > 0:
        found.add(Finding.HEAD_MISSING, "there is no head file, so nobody can tell whether the end was cut off")
    if head is not None and head.position > last.position:
        found.add(
            Finding.TRUNCATED,
            f"the trail ends at position {last.position}, and the head file knows {head.position}; the end was cut off",
        )


def _seal_of(key: Secret[bytes], link: ChainLink, position: int, previous: str) -> str:
    sealed = {**asdict(link), "position": position, "seal": previous}
    return mac(key, orjson.dumps(sealed, option=orjson.OPT_SORT_KEYS))
