"""Keystead's own JSON of an account's VPN side, as it is read. docs/import/keystead-json.md; written by ``writing.py``.

What opens a door (private keys, UUIDs, subscription tokens) stands in one part, ``sealed``, which is encrypted as
backups are. The rest is plain and can be read by eye; the sealed part holds its digest, so that nobody changes it
unnoticed. ``found`` makes of a document what readers of other panels make, so that the same plan judges it.
"""

import base64
import binascii
import hashlib
import ipaddress
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from keystead.engines.xray.keys import public_of
from keystead.importing import fields, termform
from keystead.importing.fields import Record
from keystead.importing.found import (
    Found,
    FoundCustomer,
    FoundInbound,
    FoundLink,
    FoundTerms,
    NotCarried,
    Source,
    What,
)
from keystead.kit import age
from keystead.kit.age import Unlock
from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.vpn.placement import Placement
from keystead.vpn.portable import PortableInbound, PortableKey, PortablePlan
from keystead.vpn.termvalue import Held, Starts

FORMAT = "keystead-vpn"
SCHEMA = 1
SIZE_BYTES_MAX = 256 << 20
SEALED = "sealed"
_SEALED_PART = "the sealed part of the file"


@dataclass(frozen=True)
class Head:
    """What a document says before its keys; ``public_host`` is the name or address in the links of its keys."""

    made_at: datetime
    public_host: str
    inbounds: tuple[PortableInbound, ...]
    plans: tuple[PortablePlan, ...]


@dataclass(frozen=True)
class Document:
    """An account's VPN side at one moment."""

    head: Head
    keys: tuple[PortableKey, ...]


def read(content: bytes, *, unlock: Unlock | None) -> Document:
    """Return a document; without an unlock its secrets are None.

    Raises Invalid for another file, an unknown schema, a sealed part that does not open, or one that belongs to another
    plain part.
    """
    if len(content) > SIZE_BYTES_MAX:
        raise Invalid(f"the file is larger than {SIZE_BYTES_MAX >> 20} MiB")
    try:
        parsed = fields.as_mapping(orjson.loads(content), "the file")
    except orjson.JSONDecodeError:
        raise Invalid("the file does not hold JSON; it should be an export of Keystead") from None
    if parsed.get("format") != FORMAT:
        raise Invalid(f"the file is no export of Keystead: its format is not {FORMAT}")
    if parsed.get("schema") != SCHEMA:
        raise Invalid(f"the file has schema {parsed.get('schema')!r:.20}, and this Keystead reads schema {SCHEMA}")
    head = Head(
        made_at=termform.needed_moment(parsed, "made_at"),
        public_host=fields.text(parsed, "public_host"),
        inbounds=tuple(_read_inbound(record) for record in fields.mappings(parsed, "inbounds")),
        plans=tuple(_read_plan(record) for record in fields.mappings(parsed, "plans")),
    )
    plain = Document(head, tuple(_read_key(record) for record in fields.mappings(parsed, "keys")))
    return plain if unlock is None else _with_secrets(plain, _opened(parsed, unlock))


def found(document: Document) -> Found:
    """Return a document as a source that can be planned; raise Invalid when it names something twice or not at all.

    A key whose UUID is missing is listed, and cannot be carried.
    """
    tags = [inbound.tag for inbound in document.head.inbounds]
    _check_once("inbound", tags)
    _check_once("plan", [plan.name for plan in document.head.plans])
    _check_once("key", [key.public_id for key in document.keys])
    missing = {key.inbound for key in document.keys} - set(tags)
    if missing:
        raise Invalid(f"the file has keys of the inbound {fields.shown_name(min(missing))}, and not the inbound itself")
    inbounds = [_found_inbound(inbound) for inbound in document.head.inbounds]
    carried = {inbound.tag for inbound in inbounds if inbound is not None}
    customers = tuple(_found_customer(key, carried) for key in document.keys)
    used = tuple(inbound for inbound in inbounds if inbound is not None)
    return Found(Source.KEYSTEAD, used, customers, plans=document.head.plans)


def _found_inbound(inbound: PortableInbound) -> FoundInbound | None:
    """Return an inbound; None for one without its private key. Raises Invalid for a key that is another one."""
    if inbound.private_key is None:
        return None
    shown = fields.shown_name(inbound.tag)
    if public_of(inbound.private_key) != inbound.public_key:
        raise Invalid(f"the keys of the inbound {shown} do not belong together")
    if not inbound.server_names or not inbound.short_ids or not 1 <= inbound.port <= 65535:
        raise Invalid(f"the inbound {shown} lacks a server name, a short id or a port")
    return FoundInbound(
        tag=inbound.tag,
        listen=_address(inbound.listen),
        port=inbound.port,
        private_key=inbound.private_key,
        public_key=inbound.public_key,
        target=inbound.target,
        server_names=inbound.server_names,
        short_ids=inbound.short_ids,
        placement=inbound.placement,
    )


def _address(written: str) -> str:
    try:
        return str(ipaddress.ip_address(written))
    except ValueError:
        raise Invalid(f"an inbound listens on {fields.shown_name(written)}, which is no address") from None


def _found_customer(key: PortableKey, carried: set[str]) -> FoundCustomer:
    link = FoundLink(key.inbound, key.flow, key.short_id, key.server_name)
    is_whole = key.uuid is not None and key.inbound in carried
    closed = NotCarried(What.RECORD, "its UUID or its inbound's private key is not in the file")
    try:
        public_id = str(uuid.UUID(key.public_id))
    except ValueError:
        raise Invalid(f"the public_id of key {key.number} is no UUID") from None
    return FoundCustomer(
        source_id=public_id,
        name=fields.shown_name(key.name or ""),
        uuid=None if key.uuid is None else fields.vless_uuid(key.uuid.reveal())[0],
        links=(link,) if is_whole else (),
        is_enabled=key.is_enabled,
        created_at=key.created_at,
        terms=FoundTerms(used=key.shown, lifetime=key.lifetime),
        subscription_token=key.subscription_token,
        not_carried=() if is_whole else (closed,),
        public_id=public_id,
        number=key.number,
        held=key.held,
    )


def _read_inbound(record: Record) -> PortableInbound:
    return PortableInbound(
        tag=termform.needed_text(record, "tag"),
        placement=termform.one_of(Placement, record, "placement"),
        listen=termform.needed_text(record, "listen"),
        port=fields.whole(record, "port"),
        private_key=None,
        public_key=termform.needed_text(record, "public_key"),
        target=termform.needed_text(record, "target"),
        server_names=tuple(fields.texts(record, "server_names")),
        short_ids=tuple(fields.texts(record, "short_ids")),
        flow=fields.text(record, "flow"),
    )


def _read_plan(record: Record) -> PortablePlan:
    terms = termform.read_terms(fields.mapping(record, "terms"))
    # Documents from before plans said where their keys sit have no such field.
    placement = None if record.get("placement") is None else termform.one_of(Placement, record, "placement")
    name, starts = termform.needed_text(record, "name"), termform.one_of(Starts, record, "starts")
    return PortablePlan(name, starts, terms, placement)


def _read_key(record: Record) -> PortableKey:
    name = record.get("name")
    held = None
    if record.get("terms") is not None:
        progress = termform.read_progress(fields.mapping(record, "progress"))
        held = Held(termform.read_terms(fields.mapping(record, "terms")), progress)
    lifetime = termform.read_bytes(fields.mapping(record, "lifetime"))
    return PortableKey(
        public_id=termform.needed_text(record, "public_id"),
        number=fields.whole(record, "number"),
        name=None if name is None else fields.text(record, "name"),
        uuid=None,
        inbound=termform.needed_text(record, "inbound"),
        flow=fields.text(record, "flow"),
        short_id=fields.text(record, "short_id"),
        server_name=termform.needed_text(record, "server_name"),
        is_enabled=fields.flag(record, "is_enabled", True),
        created_at=termform.needed_moment(record, "created_at"),
        lifetime=lifetime,
        shown=lifetime if record.get("shown") is None else termform.read_bytes(fields.mapping(record, "shown")),
        held=held,
        subscription_token=None,
    )


def _opened(parsed: Record, unlock: Unlock) -> Record:
    """Return the secrets; raise Invalid unless they belong to this very plain part."""
    try:
        locked = base64.b64decode(fields.text(parsed, SEALED), validate=True)
    except binascii.Error:
        locked = b""
    if not locked:
        raise Invalid("the file has no sealed part: it was made without keys, and nothing can be imported from it")
    secrets = fields.as_mapping(orjson.loads(age.opened(locked, unlock, _SEALED_PART)), _SEALED_PART)
    if secrets.get("of") != _digest({name: value for name, value in parsed.items() if name != SEALED}):
        raise Invalid("the plain part of the file was changed after it was made")
    return secrets


def _with_secrets(document: Document, secrets: Record) -> Document:
    private_keys, uuids, tokens = (_secrets_of(secrets, name) for name in ("private_keys", "uuids", "tokens"))
    inbounds = tuple(replace(one, private_key=private_keys.get(one.tag)) for one in document.head.inbounds)
    return Document(
        replace(document.head, inbounds=inbounds),
        tuple(
            replace(key, uuid=uuids.get(key.public_id), subscription_token=tokens.get(key.public_id))
            for key in document.keys
        ),
    )


def _secrets_of(secrets: Record, name: str) -> dict[str, Secret[str]]:
    kept = fields.mapping(secrets, name)
    return {of: Secret(fields.text(kept, of)) for of in kept}


def _digest(plain: Mapping[str, object]) -> str:
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _check_once(what: str, names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise Invalid(f"the file names one {what} twice")
