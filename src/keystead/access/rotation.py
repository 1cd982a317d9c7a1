"""Rotation of the root key and of the data key that seals columns, while everything else goes on.

    1. the root key file holds the new key and the old one          (a file; not with a root key from the settings)
    2. all data keys are wrapped by the new root key, a new one of purpose ``secrets`` seals, the old one is retired
    3. every sealed column is opened and sealed again, in small transactions
    4. no row is left under a retired key: those are deleted
    5. the root key file holds the new key alone

A kill between or within any two steps loses nothing: what is stored opens with what is at hand, and the next call goes
on where the last one ended. The key of the audit chain is wrapped anew and never changed.
"""

import asyncio
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Table

from keystead.access.datakeys import (
    PREVIOUS_ROOT_KEY_SETTING,
    ROOT_KEY_SETTING,
    RootKey,
    open_keys,
    ring_of,
    unwrap,
    wrap,
    write_root_key,
)
from keystead.access.store import datakeys as store
from keystead.access.store.datakeys import Purpose, SealedRows
from keystead.db.session import Database
from keystead.kit.clock import Clock
from keystead.kit.crypto import KeyRing, Place, new_key, sealed_prefix
from keystead.kit.errors import Misconfigured

# What is sealed again in one transaction, about a millisecond: reads that come meanwhile wait no longer than that.
_BATCH = 10


class SealedColumn:
    """A column whose values are sealed, and the columns that name the row a value is bound to."""

    def __init__(self, table: Table, keys: Sequence[Column[Any]], column: Column[Any]) -> None:
        self._table = table
        self._keys = keys
        self._column = column

    @functools.cached_property
    def rows(self) -> SealedRows:
        """Return the statements over the column; only a rotation needs them."""
        return SealedRows(self._table, self._keys, self._column)

    def place(self, *keys: object) -> Place:
        """Return the place of a row's value: subjects seal with it and rotation opens with it."""
        if len(keys) != len(self._keys):
            raise ValueError(f"{self._table.name} has {len(self._keys)} key columns")
        return Place(self._table.name, "/".join(str(key) for key in keys), self._column.name)


@dataclass
class Progress:
    """How far a rotation is: of so many values that were to be sealed again when it began, so many are."""

    total: int = 0
    resealed: int = 0


@dataclass(frozen=True)
class Rotated:
    """What a rotation did."""

    root: RootKey
    resealed: int
    keys_deleted: int


async def rotate(
    database: Database,
    root: RootKey,
    ring: KeyRing,
    columns: Sequence[SealedColumn],
    *,
    clock: Clock,
    progress: Progress | None = None,
) -> Rotated:
    """Rotate the keys, or finish a rotation that was cut; return the root key that holds from now on.

    ``ring`` is the one that everything else seals and opens with; it learns the new key on the way. ``progress`` is
    kept up to date for whoever looks on. One rotation at a time. Raises Misconfigured when a root key from the settings
    has no successor there.
    """
    root = await _begun(database, root, clock)
    ring.adopt(await database.write(lambda connection: _rewrap(connection, root, clock.now())))
    progress = progress or Progress()
    for column in columns:
        progress.total += await database.read(functools.partial(_count, ring=ring, column=column))
    while True:
        for column in columns:
            await _reseal(database, ring, column, clock, progress)
        deleted = await database.write(lambda connection: _delete_retired(connection, ring, columns))
        if deleted is not None:
            break
    if root.path is not None:
        root = RootKey(root.current, None, root.path)
        await asyncio.to_thread(write_root_key, root)
    return Rotated(root, progress.resealed, deleted)


async def _begun(database: Database, root: RootKey, clock: Clock) -> RootKey:
    keys = await database.write(lambda connection: open_keys(connection, root, clock.now()))
    if keys.is_rotation_unfinished:
        return root
    if root.path is None:
        raise Misconfigured(
            f"everything is locked with the present {ROOT_KEY_SETTING}; to rotate, set {PREVIOUS_ROOT_KEY_SETTING} to "
            f"it and {ROOT_KEY_SETTING} to a new one (openssl rand -base64 32), restart, and rotate again"
        )
    begun = RootKey(new_key(), root.current, root.path)
    await asyncio.to_thread(write_root_key, begun)
    return begun


def _rewrap(connection: Connection, root: RootKey, now: datetime) -> KeyRing:
    """Wrap all data keys by the present root key and retire the sealing one, unless that is done already."""
    stored = store.all_keys(connection)
    keys = {key.name: unwrap(root, key) for key in stored}
    if any(key.wrapped_by != root.name for key in stored):
        for key in stored:
            purpose = Purpose.AUDIT if key.purpose is Purpose.AUDIT else Purpose.RETIRED
            store.replace_key(connection, wrap(root, keys[key.name], purpose))
        fresh = new_key()
        wrapped = wrap(root, fresh, Purpose.SECRETS)
        store.insert_key(connection, wrapped, now)
        keys[wrapped.name] = fresh
    return ring_of(store.all_keys(connection), keys)


def _count(connection: Connection, *, ring: KeyRing, column: SealedColumn) -> int:
    return column.rows.count_outdated(connection, sealed_prefix(ring.newest))


async def _reseal(database: Database, ring: KeyRing, column: SealedColumn, clock: Clock, progress: Progress) -> None:
    """Seal a column's outdated values again in small transactions.

    After each of them everybody else has processor and writer to themselves for as long as it took.
    """
    after: Sequence[object] | None = None
    while True:
        batch = functools.partial(_reseal_batch, ring=ring, column=column, after=after)
        began_s = clock.monotonic_s()
        count, after = await database.write(batch)
        progress.resealed += count
        if after is None:
            return
        await clock.sleep(clock.monotonic_s() - began_s)


def _reseal_batch(
    connection: Connection, *, ring: KeyRing, column: SealedColumn, after: Sequence[object] | None
) -> tuple[int, Sequence[object] | None]:
    count = 0
    keys: Sequence[object] | None = None
    for *keys, sealed in column.rows.outdated(connection, sealed_prefix(ring.newest), after, _BATCH):
        place = column.place(*keys)
        count += column.rows.replace(connection, keys, sealed, ring.seal(ring.open(sealed, place), place))
    return count, keys


def _delete_retired(connection: Connection, ring: KeyRing, columns: Iterable[SealedColumn]) -> int | None:
    """Delete the retired keys; return how many, or None when a value sealed with one has come in meanwhile."""
    for column in columns:
        column.rows.hold_writers(connection)
        if column.rows.count_outdated(connection, sealed_prefix(ring.newest)):
            return None
    return store.delete_retired(connection)
