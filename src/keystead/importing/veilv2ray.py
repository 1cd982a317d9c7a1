"""veil-v2ray: its SQLite database or the older ``keys.json``, and the configuration of Xray beside it.

Each key has an inbound of its own, on its own port; all share one key pair, which stands in the configuration. What the
configuration says is what customers connect to, so ports, names and short ids are taken from there.
docs/import/veil-v2ray.md lists the facts and their sources.
"""

import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from keystead.importing import envfile, fields, jsonfile, particulars, sqlitefile, xrayjson
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
    broken,
    without_duplicates,
)
from keystead.importing.xrayjson import Listeners
from keystead.kit.errors import Invalid
from keystead.vpn.accounting import Bytes
from keystead.vpn.placement import Placement

EXPECTED = "veil-v2ray's database (data/vpn.db), or the keys.json of an older version"
EXPECTED_CONFIG = "the configuration of Xray that veil-v2ray writes (config/config.json)"
EXPECTED_ENV = "veil-v2ray's keys.env"
EXPECTED_HISTORY = "the traffic_history.json of an older veil-v2ray"
_KEY = ("id", "name", "uuid", "created_at", "is_active", "short_id")
_KEY_SINCE = ("port", "sni")
_SQLITE = b"SQLite format 3"

# A client of the configuration: the inbound's tag as shown here, and the flow.
_Places = Mapping[str, list[tuple[str, str]]]


def read(keys: Path, config: Path, *, now: datetime, env: Path | None = None, history: Path | None = None) -> Found:
    """Read keys with their configuration; ``history`` is the traffic of a version that kept it in a file.

    Raises Invalid when a file is something else.
    """
    del now  # every moment stands in the database
    settings = envfile.read(env, expected=EXPECTED_ENV)
    listeners, places = _listeners(config, settings.get("PUBLIC_KEY", "").rpartition(" ")[2])
    records, carried, cautions = _records(keys)
    if history is not None:
        kept = jsonfile.read_object(history, expected=EXPECTED_HISTORY)
        carried = {**carried, **fields.mapping(kept, "keys_history")}
    customers = [_customer(record, carried, listeners, places) for record in records]
    known = set(_uuids(records))
    strays = [_stray(vless_uuid) for vless_uuid in places if vless_uuid not in known]
    return Found(Source.VEIL_V2RAY, listeners.inbounds, (*customers, *strays), cautions)


def _listeners(config: Path, public_key: str) -> tuple[Listeners, _Places]:
    listeners, places = Listeners(), dict[str, list[tuple[str, str]]]()
    content = jsonfile.read_object(config, expected=EXPECTED_CONFIG)
    for _, raw in xrayjson.read_inbounds(content, expected=EXPECTED_CONFIG):
        tag = _shown_tag(raw, listeners)
        found, clients = xrayjson.read_inbound(tag, raw, shown_public_key=public_key), list(_clients(raw))
        if isinstance(found, FoundInbound) and len(clients) == 1:
            found = replace(found, placement=Placement.OWN_PORT)
        listeners.add(tag, found)
        for vless_uuid, flow in clients:
            places.setdefault(vless_uuid, []).append((tag, flow))
    return listeners, places


def _shown_tag(raw: Record, listeners: Listeners) -> str:
    """Return a tag by the port: the panel's own tag holds the UUID, which is a secret."""
    tag = f"port {fields.shown_name(str(raw.get('port')))}"
    taken = len([known for known in (*listeners.carried, *listeners.refused) if known.partition(" #")[0] == tag])
    return f"{tag} #{taken + 1}" if taken else tag


def _clients(raw: Record) -> Iterable[tuple[str, str]]:
    """Yield the UUIDs of an inbound's clients, each with its flow."""
    for written, flow in xrayjson.clients(raw):
        with suppress(Invalid):
            yield fields.vless_uuid(written)[0], flow


def _records(keys: Path) -> tuple[list[Record], Mapping[str, object], tuple[NotCarried, ...]]:
    """Return the keys, what the database says they carried by UUID, and what is to be known of the file."""
    try:
        with keys.open("rb") as file:
            is_database = file.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        raise Invalid(f"{keys} cannot be read: {error.strerror}") from error
    if not is_database:
        listed = jsonfile.read(keys, expected=EXPECTED)
        if not isinstance(listed, list):
            raise Invalid(f"{keys.name} should be {EXPECTED}")
        return [record if isinstance(record, Mapping) else {} for record in listed], {}, ()
    with sqlitefile.opened(keys, expected=EXPECTED) as tables:
        records = tables.rows("keys", _KEY, optional=_KEY_SINCE)
        traffic = tables.rows("traffic_history", ("key_uuid", "payload")) if tables.has("traffic_history") else []
    return records, {str(row["key_uuid"]): row["payload"] for row in traffic}, tables.cautions


def _customer(record: Record, carried: Mapping[str, object], listeners: Listeners, places: _Places) -> FoundCustomer:
    source_id = str(record.get("id") or record.get("uuid") or "")
    shown = str(record.get("name") or "")
    try:
        return _carried(record, source_id, shown, carried, listeners, places)
    except Invalid as error:
        return broken(source_id, fields.shown_name(shown), error.message)


def _carried(
    record: Record,
    source_id: str,
    shown: str,
    carried: Mapping[str, object],
    listeners: Listeners,
    places: _Places,
) -> FoundCustomer:
    written = fields.text(record, "uuid")
    vless_uuid, _ = fields.vless_uuid(written)
    links: list[FoundLink] = []
    left: list[NotCarried] = []
    for tag, flow in places.get(vless_uuid, []):
        names = {tag: fields.text(record, "sni")}
        its, reasons = listeners.links(
            [tag], flow=flow, short_id=fields.text(record, "short_id").lower(), server_names=names
        )
        links += its
        left += reasons
    if vless_uuid not in places:
        left.append(NotCarried(What.INBOUND, "has no inbound in the configuration, so it cannot connect today either"))
    used = _used(carried.get(written))
    made = particulars.made(lambda: fields.moment_text(record, "created_at"))
    return FoundCustomer(
        source_id=source_id,
        name=fields.shown_name(shown),
        uuid=vless_uuid,
        links=tuple(links),
        is_enabled=fields.flag(record, "is_active", True),
        created_at=made.at,
        terms=FoundTerms(used=used, lifetime=used),
        not_carried=without_duplicates([*left, *made.told]),
        public_id=_own_id(source_id),
    )


def _used(history: object) -> Bytes:
    """Return what a key carried; the history keeps one sum, whose directions are not what their names say."""
    entry = fields.json_text({"history": history}, "history")
    return Bytes(0, fields.size(fields.mapping(entry, "total_traffic"), "total_bytes"))


def _own_id(source_id: str) -> str | None:
    """Return the id that bots know a key by, which is a UUID of its own."""
    try:
        return str(uuid.UUID(source_id))
    except ValueError:
        return None


def _uuids(records: Iterable[Record]) -> Iterable[str]:
    """Yield the UUIDs of all keys, those that are unclear otherwise too."""
    for record in records:
        with suppress(Invalid):
            yield fields.vless_uuid(fields.text(record, "uuid"))[0]


def _stray(vless_uuid: str) -> FoundCustomer:
    """Return a client of the configuration whom the database does not know; keys that were deleted look like this."""
    name = f"unknown client {sha256(vless_uuid.encode()).hexdigest()[:8]}"
    reason = NotCarried(What.RECORD, "stands in the configuration and not among the keys; deleted keys look like this")
    return FoundCustomer(name, name, None, not_carried=(reason,))
