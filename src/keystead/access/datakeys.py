"""The envelope: a root key outside the database wraps a few data keys inside it, and those seal secrets.

The root key is a file in the data directory, made at the first start, or a setting. ``open_keys`` unwraps the data keys
at start. Who rotates them is ``rotation``.
"""

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from keystead.access.store import datakeys as store
from keystead.access.store.datakeys import Purpose, WrappedKey
from keystead.kit.crypto import KeyRing, Place, decode_key, encode_key, key_name, mac, new_key
from keystead.kit.errors import Broken, Misconfigured
from keystead.kit.files import write_private
from keystead.kit.secret import Secret

ROOT_KEY_FILE = "root.key"
ROOT_KEY_SETTING = "KEYSTEAD_ROOT_KEY"
PREVIOUS_ROOT_KEY_SETTING = "KEYSTEAD_ROOT_KEY_PREVIOUS"


@dataclass(frozen=True)
class RootKey:
    """The present root key, the one before it while a rotation is under way, and the file they are in, if any."""

    current: Secret[bytes]
    previous: Secret[bytes] | None
    path: Path | None

    @property
    def name(self) -> str:
        """Return the public name of the present key."""
        return key_name(self.current)

    @property
    def ring(self) -> KeyRing:
        """Return a ring that wraps with the present key and unwraps with both."""
        keys = [self.current] if self.previous is None else [self.current, self.previous]
        return KeyRing({key_name(key): key for key in keys}, newest=self.name)

    @property
    def lines(self) -> bytes:
        """Return the content of its file: the present key on the first line."""
        keys = [self.current] if self.previous is None else [self.current, self.previous]
        return "".join(f"{encode_key(key)}\n" for key in keys).encode()

    @property
    def source(self) -> str:
        """Return where a person finds the key."""
        return ROOT_KEY_SETTING if self.path is None else str(self.path)


@dataclass(frozen=True)
class OpenKeys:
    """The unwrapped data keys: the ring that seals columns, and the key of the audit chain."""

    ring: KeyRing
    audit_key: Secret[bytes]
    is_rotation_unfinished: bool

    @property
    def marking_key(self) -> Secret[bytes]:
        """Return the key of hashes that stand for secrets in the clear; it stays the same for an installation's life.

        It is derived from the one key that no rotation replaces, under a name of its own.
        """
        return Secret(bytes.fromhex(mac(self.audit_key, b"keystead marks of secrets")))


def load_root_key(
    data_directory: Path, environment: Secret[str] | None, *, previous: Secret[str] | None = None
) -> RootKey:
    """Return the root key of the settings, else of the file, which the first start makes with mode 0600.

    Raises Misconfigured for a key of the wrong form and for a file that others may read.
    """
    if environment is not None:
        return RootKey(
            current=decode_key(environment.reveal(), source=ROOT_KEY_SETTING),
            previous=None if previous is None else decode_key(previous.reveal(), source=PREVIOUS_ROOT_KEY_SETTING),
            path=None,
        )
    path = data_directory / ROOT_KEY_FILE
    if not path.exists():
        created = RootKey(new_key(), None, path)
        write_root_key(created)
        return created
    return _read_root_key(path)


def write_root_key(root: RootKey) -> None:
    """Replace the file of a root key; raise Broken for one from the settings."""
    if root.path is None:
        raise Broken("a root key from the settings has no file to write")
    write_private(root.path, root.lines)


def open_keys(connection: Connection, root: RootKey, now: datetime) -> OpenKeys:
    """Unwrap the data keys, making them at the first start.

    Raises Misconfigured when they are wrapped by a root key that is not at hand.
    """
    stored = store.all_keys(connection)
    if not stored:
        for purpose in (Purpose.SECRETS, Purpose.AUDIT):
            store.insert_key(connection, wrap(root, new_key(), purpose), now)
        stored = store.all_keys(connection)
    keys = {key.name: unwrap(root, key) for key in stored}
    return OpenKeys(
        ring=ring_of(stored, keys),
        audit_key=keys[_only(stored, Purpose.AUDIT).name],
        is_rotation_unfinished=any(key.purpose is Purpose.RETIRED or key.wrapped_by != root.name for key in stored)
        or (root.path is not None and root.previous is not None),
    )


def wrap(root: RootKey, key: Secret[bytes], purpose: Purpose) -> WrappedKey:
    """Return a data key wrapped by the present root key."""
    name = key_name(key)
    return WrappedKey(name, purpose, root.name, root.ring.seal(Secret(encode_key(key)), _place(name)))


def unwrap(root: RootKey, key: WrappedKey) -> Secret[bytes]:
    """Return a data key; raise Misconfigured when the root key that wraps it is not at hand."""
    at_hand = {root.name} | (set() if root.previous is None else {key_name(root.previous)})
    if key.wrapped_by not in at_hand:
        raise Misconfigured(
            f"the database's secrets are locked with root key {key.wrapped_by}, and {root.source} holds {root.name}; "
            f"put the right key back, or set {PREVIOUS_ROOT_KEY_SETTING} to it"
        )
    plain = root.ring.open(key.wrapped, _place(key.name))
    return decode_key(plain.reveal(), source=f"data key {key.name}")


def ring_of(stored: list[WrappedKey], keys: Mapping[str, Secret[bytes]]) -> KeyRing:
    """Return the ring of the keys that open columns; the one of purpose ``secrets`` seals."""
    opening = {key.name: keys[key.name] for key in stored if key.purpose is not Purpose.AUDIT}
    return KeyRing(opening, newest=_only(stored, Purpose.SECRETS).name)


def _only(stored: list[WrappedKey], purpose: Purpose) -> WrappedKey:
    found = [key for key in stored if key.purpose is purpose]
    if len(found) != 1:
        raise Broken(f"there are {len(found)} data keys of purpose {purpose.value} instead of one")
    return found[0]


def _place(name: str) -> Place:
    return Place("data_keys", name, "wrapped")


def _read_root_key(path: Path) -> RootKey:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Misconfigured(f"{path} has mode {mode:04o} and may be read by others; run: chmod 600 {path}")
    lines = path.read_text(encoding="ascii", errors="replace").split()
    if not 1 <= len(lines) <= 2:
        raise Misconfigured(f"{path} must hold one base64 line, or two during a rotation; restore it from a backup")
    keys = [decode_key(line, source=str(path)) for line in lines]
    return RootKey(keys[0], keys[1] if len(keys) == 2 else None, path)
