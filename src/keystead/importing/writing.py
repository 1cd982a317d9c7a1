"""Keystead's own JSON of an account's VPN side, as it is written: key by key, so that memory does not hold them all.

What is kept until the end is the sealed part, some 700 bytes a key at the moment when it is encrypted as a whole. The
plain part's digest is taken while it is written, in the canonical form that ``document.py`` compares with: sorted
names, no spaces.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import IO

import orjson

from keystead.importing import termform
from keystead.importing.document import FORMAT, SCHEMA, SEALED, Head
from keystead.kit import age
from keystead.kit.age import Lock
from keystead.kit.secret import Secret
from keystead.vpn.portable import PortableInbound, PortableKey

_KEYS = b'"keys":[]'


def write(target: IO[bytes], head: Head, keys: Iterable[PortableKey], *, lock: Lock | None) -> int:
    """Write a document and return how many keys it has; without a lock it has no secrets and says so."""
    plain = _plain(head, "left out" if lock is None else SEALED)
    before, _, after = orjson.dumps({**plain, "keys": []}, option=orjson.OPT_SORT_KEYS).partition(_KEYS)
    digest = hashlib.sha256(before + _KEYS[:-1])
    secrets = _Secrets({inbound.tag: inbound.private_key for inbound in head.inbounds})
    target.write(b"{\n")
    for name, value in plain.items():
        target.write(_field(name, value) + b",\n")
    target.write(b'"keys": [')
    count = 0
    for key in keys:
        line = orjson.dumps(_key(key), option=orjson.OPT_SORT_KEYS)
        digest.update(b"," + line if count else line)
        target.write((b",\n  " if count else b"\n  ") + line)
        if lock is not None:
            secrets.add(key)
        count += 1
    digest.update(_KEYS[-1:] + after)
    target.write(b"\n]")
    if lock is not None:
        target.write(b",\n" + orjson.dumps(SEALED) + b': "')
        # orjson would set eight times its size aside for a text that has nothing to escape.
        target.write(base64.b64encode(age.sealed(secrets.written(digest.hexdigest()), lock)))
        target.write(b'"')
    target.write(b"\n}\n")
    return count


class _Secrets:
    """The sealed part, gathered as JSON."""

    def __init__(self, private_keys: Mapping[str, Secret[str] | None]) -> None:
        self._private_keys = {tag: secret.reveal() for tag, secret in private_keys.items() if secret is not None}
        self._uuids, self._tokens = bytearray(), bytearray()

    def add(self, key: PortableKey) -> None:
        for gathered, secret in ((self._uuids, key.uuid), (self._tokens, key.subscription_token)):
            if secret is not None:
                gathered += (b"," if gathered else b"") + orjson.dumps(key.public_id) + b":"
                gathered += orjson.dumps(secret.reveal())

    def written(self, digest: str) -> bytes:
        begun = orjson.dumps({"of": digest, "private_keys": self._private_keys})[:-1]
        return b"".join((begun, b',"uuids":{', self._uuids, b'},"tokens":{', self._tokens, b"}}"))


def _plain(head: Head, secrets: str) -> dict[str, object]:
    """Return the plain part without its keys."""
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "made_at": head.made_at.isoformat(),
        "secrets": secrets,
        "public_host": head.public_host,
        "inbounds": [_inbound(inbound) for inbound in head.inbounds],
        "plans": [
            {
                "name": plan.name,
                "starts": plan.starts.value,
                "placement": plan.placement,
                "terms": termform.written(plan.terms),
            }
            for plan in head.plans
        ],
    }


def _field(name: str, value: object) -> bytes:
    """Return a field as text, a list with an item a line."""
    if not isinstance(value, list) or not value:
        return orjson.dumps(name) + b": " + orjson.dumps(value)
    items = b",\n  ".join(map(orjson.dumps, value))
    return orjson.dumps(name) + b": [\n  " + items + b"\n]"


def _inbound(inbound: PortableInbound) -> dict[str, object]:
    return {
        "tag": inbound.tag,
        "placement": inbound.placement.value,
        "listen": inbound.listen,
        "port": inbound.port,
        "public_key": inbound.public_key,
        "target": inbound.target,
        "server_names": list(inbound.server_names),
        "short_ids": list(inbound.short_ids),
        "flow": inbound.flow,
    }


def _key(key: PortableKey) -> dict[str, object]:
    return {
        "public_id": key.public_id,
        "number": key.number,
        "name": key.name,
        "inbound": key.inbound,
        "flow": key.flow,
        "short_id": key.short_id,
        "server_name": key.server_name,
        "is_enabled": key.is_enabled,
        "created_at": key.created_at.isoformat(),
        "lifetime": termform.written_bytes(key.lifetime),
        "shown": termform.written_bytes(key.shown),
        "terms": None if key.held is None else termform.written(key.held.terms),
        "progress": None if key.held is None else termform.written_progress(key.held.progress),
    }
