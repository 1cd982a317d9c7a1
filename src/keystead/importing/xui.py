"""3x-ui: its database ``x-ui.db``, of any version that keeps clients inside the settings of inbounds.

A client is known by its email. It stands in the JSON of every inbound it may use; its traffic, quota and end are one
row of ``client_traffics``. docs/import/3x-ui.md lists the facts and their sources.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from keystead.importing import fields, particulars, sqlitefile, xrayjson
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
    rolling_since,
    without_duplicates,
)
from keystead.importing.xrayjson import Listeners
from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.vpn.accounting import Bytes
from keystead.vpn.periods import Period, Reset
from keystead.vpn.termvalue import LAST_YEAR

EXPECTED = "the database of 3x-ui, x-ui.db (menu: Panel Settings, Backup; or a copy of /etc/x-ui/x-ui.db)"
_INBOUND = ("id", "enable", "listen", "port", "protocol", "settings", "stream_settings", "tag")
_INBOUND_SINCE = ("node_id", "traffic_reset", "traffic_reset_day", "total", "expiry_time")
_STAT = ("email", "enable", "up", "down", "total", "expiry_time")
_STAT_SINCE = ("reset", "all_time", "reset_day", "reset_weekday", "reset_max", "reset_count")
_WEEK_DAYS = 7
_CYCLES = {"daily": Reset.DAY, "weekly": Reset.WEEK, "monthly": Reset.MONTH}
_NEVER = ("", "never")


@dataclass(frozen=True)
class _Database:
    inbounds: list[Record]
    stats: Mapping[str, Record]
    clients: list[Record]
    settings: Mapping[str, str]
    cautions: tuple[NotCarried, ...]

    @property
    def zone(self) -> str:
        """Return the panel's time zone where it names one; UTC for the machine's own, which the file does not tell."""
        try:
            return Period(zone=self.settings.get("timeLocation") or "UTC").zone
        except Invalid:
            return "UTC"


# One inbound a client stands in: the inbound's row and tag, and the client's record there.
_Entry = tuple[Record, str, Record]


@dataclass(frozen=True)
class _Person:
    """One email with one UUID, and every inbound it stands in."""

    source_id: str
    email: str
    uuid: str
    entries: list[_Entry]

    @property
    def record(self) -> Record:
        """Return the client's record, from a VLESS inbound if it has one."""
        return next((record for row, _, record in self.entries if row["protocol"] == "vless"), self.entries[0][2])


def read(path: Path, *, now: datetime) -> Found:
    """Read a database; raise Invalid when the file is none of 3x-ui's."""
    database = _load(path)
    listeners, entries = Listeners(), dict[str, list[_Entry]]()
    strangers: list[FoundCustomer] = []
    for row in database.inbounds:
        tag = _tag(row)
        listeners.add(tag, _inbound(tag, row))
        strangers += _gather(entries, tag, row)
    people = [person for email, of_email in entries.items() for person in _people(email, of_email)]
    shared = _shared_tokens(people)
    customers = [_customer(person, database, listeners, shared, now) for person in people]
    customers += strangers
    customers += _without_inbound(database, set(entries))
    return Found(
        Source.XUI,
        listeners.inbounds,
        tuple(customers),
        notes=(*database.cautions, *_limits(database.inbounds)),
        subscription_path=database.settings.get("subPath") or "/sub/",
    )


def _load(path: Path) -> _Database:
    with sqlitefile.opened(path, expected=EXPECTED) as tables:
        inbounds = tables.rows("inbounds", _INBOUND, optional=_INBOUND_SINCE)
        stats = tables.rows("client_traffics", _STAT, optional=_STAT_SINCE)
        clients = tables.rows("clients", ("email",)) if tables.has("clients") else []
        settings = tables.rows("settings", ("key", "value")) if tables.has("settings") else []
    return _Database(
        inbounds,
        {str(row["email"]): row for row in stats},
        clients,
        {str(row["key"]): str(row["value"] or "") for row in settings},
        tables.cautions,
    )


def _tag(row: Record) -> str:
    return str(row["tag"] or f"inbound-{row['id']}")


def _inbound(tag: str, row: Record) -> FoundInbound | NotCarried:
    if row.get("node_id") is not None:
        sentence = f"inbound {fields.shown_name(tag)} is served by another machine (node {row['node_id']})"
        return NotCarried(What.MACHINE, f"{sentence}; import that machine's own database")
    try:
        stream = fields.json_text(row, "stream_settings")
        raw = {
            "listen": row["listen"],
            "port": row["port"],
            "protocol": row["protocol"],
            "settings": fields.json_text(row, "settings"),
            "streamSettings": stream,
        }
        inside = fields.mapping(fields.mapping(stream, "realitySettings"), "settings")
        found = xrayjson.read_inbound(
            tag,
            raw,
            shown_public_key=fields.text(inside, "publicKey"),
            is_enabled=fields.flag(row, "enable", True),
        )
    except Invalid as error:
        return NotCarried(What.INBOUND, f"inbound {fields.shown_name(tag)} is not carried: {error.message}")
    return _with_proxies(found, stream)


def _with_proxies(found: FoundInbound | NotCarried, stream: Record) -> FoundInbound | NotCarried:
    """Refuse an inbound whose links lead to other addresses: where these lead to is not known."""
    if isinstance(found, NotCarried) or not fields.sequence(stream, "externalProxy"):
        return found
    sentence = f"the links of inbound {fields.shown_name(found.tag)} lead to other addresses (external proxies)"
    return NotCarried(What.MACHINE, f"{sentence}; remove these in 3x-ui if they are out of use, and import again")


def _gather(entries: dict[str, list[_Entry]], tag: str, row: Record) -> list[FoundCustomer]:
    """Add the clients of an inbound by their email; return those whose record is none."""
    strangers = []
    try:
        clients = fields.sequence(fields.json_text(row, "settings"), "clients")
    except Invalid:
        return []  # they are told by their traffic, see _without_inbound
    for number, client in enumerate(clients, 1):
        nameless = f"{tag} client {number}"
        try:
            record = fields.as_mapping(client if client is not None else "", "client")
            email = fields.text(record, "email") or nameless
            fields.text(record, "id")
        except Invalid as error:
            strangers.append(broken(nameless, nameless, error.message))
            continue
        entries.setdefault(email, []).append((row, tag, record))
    return strangers


def _people(email: str, entries: list[_Entry]) -> list[_Person]:
    """Return the customers behind an email: one, or as many as it has VLESS ids."""
    by_uuid: dict[str, list[_Entry]] = {}
    others = []
    for entry in entries:
        if entry[0]["protocol"] == "vless":
            by_uuid.setdefault(fields.text(entry[2], "id"), []).append(entry)
        else:
            others.append(entry)
    if not by_uuid:
        return [_Person(email, email, "", others)]
    (first, its), *more = by_uuid.items()
    return [
        _Person(email, email, first, [*its, *others]),
        *(_Person(f"{email} at {its[0][1]}", email, uuid, its) for uuid, its in more),
    ]


def _shared_tokens(people: Iterable[_Person]) -> set[str]:
    """Return the subscription ids that stand for several customers."""
    count: dict[str, int] = {}
    for person in people:
        token = person.record.get("subId")
        if isinstance(token, str):
            count[token] = count.get(token, 0) + 1
    return {token for token, times in count.items() if times > 1}


def _customer(
    person: _Person, database: _Database, listeners: Listeners, shared: set[str], now: datetime
) -> FoundCustomer:
    try:
        return _carried(person, database, listeners, shared, now)
    except Invalid as error:
        return broken(person.source_id, fields.shown_name(person.email), error.message)


def _carried(
    person: _Person, database: _Database, listeners: Listeners, shared: set[str], now: datetime
) -> FoundCustomer:
    record, left = person.record, list[NotCarried]()
    uuid = None
    if person.uuid:
        uuid, is_written = fields.vless_uuid(person.uuid)
        if not is_written:
            left.append(NotCarried(What.NAME, "the VLESS id is a text; it becomes the UUID that Xray makes of it"))
    links: list[FoundLink] = []
    for row, tag, entry in person.entries:
        its, reasons = listeners.links([tag], flow=fields.text(entry, "flow"))
        links += its if row["protocol"] == "vless" else []
        left += reasons
    stat = database.stats.get(person.email, {})
    terms, notes = _terms(record, stat, person.entries[0][0], database.zone, now)
    token, told = _token(record, shared)
    made = particulars.made(lambda: _created_at(record))
    addresses = particulars.address_limit(record, "limitIp")
    devices = particulars.device_limit(record, "limitHwid")
    return FoundCustomer(
        source_id=person.source_id,
        name=fields.shown_name(person.email),
        uuid=uuid,
        links=tuple(links),
        is_enabled=_is_enabled(record, stat, terms, now),
        created_at=made.at,
        terms=replace(terms, address_limit=addresses.most, device_limit=devices.most),
        subscription_token=token,
        not_carried=without_duplicates([*left, *notes, *told, *made.told, *addresses.told, *devices.told]),
    )


def _token(record: Record, shared: set[str]) -> tuple[Secret[str] | None, list[NotCarried]]:
    written = fields.text(record, "subId")
    if not written:
        return None, []
    if written in shared:
        return None, [
            NotCarried(What.SUBSCRIPTION, "the subscription address is one for several clients; it is not carried")
        ]
    return Secret(written), []


def _created_at(record: Record) -> datetime | None:
    created_ms = fields.whole(record, "created_at")
    return fields.moment_ms(created_ms, "created_at") if created_ms > 0 else None


def _is_enabled(record: Record, stat: Record, terms: FoundTerms, now: datetime) -> bool:
    """Tell whether nobody disabled a client by hand: the panel uses the same switch when a quota or an end stops it."""
    is_used_up = terms.quota_bytes is not None and terms.used.total >= terms.quota_bytes
    has_ended = terms.expires_at is not None and terms.expires_at <= now
    is_on = fields.flag(record, "enable", True) and fields.flag(stat, "enable", True)
    return is_on or is_used_up or has_ended


def _terms(record: Record, stat: Record, row: Record, zone: str, now: datetime) -> tuple[FoundTerms, list[NotCarried]]:
    used = Bytes(fields.size(stat, "up"), fields.size(stat, "down"))
    all_time = fields.size(stat, "all_time")
    quota = fields.size(stat, "total") if stat else fields.size(record, "totalGB")
    expiry_ms = fields.whole(stat, "expiry_time") if stat else fields.whole(record, "expiryTime")
    plain = FoundTerms(
        quota_bytes=quota or None,
        used=used,
        lifetime=Bytes(used.uplink, all_time - used.uplink) if all_time > used.total else used,
        expires_at=fields.moment_ms(expiry_ms, "expiryTime") if expiry_ms > 0 else None,
        hold_s=-(-abs(expiry_ms) // 1000) if expiry_ms < 0 else None,
    )
    renewed = _renewed(plain, stat or record, zone, now)
    if renewed is not None:
        sentence = "renews itself at its end in 3x-ui; carried as a quota that begins anew, without an end"
        return renewed, [NotCarried(What.TERMS, sentence)] if renewed.expires_at is None else []
    return _cycled(plain, record, row, zone)


def _renewed(terms: FoundTerms, stat: Record, zone: str, now: datetime) -> FoundTerms | None:
    """Return the terms of a client that the panel renews at its end; None for one that ends, or never does."""
    days, day = fields.whole(stat, "reset"), fields.whole(stat, "reset_day")
    weekday = fields.whole(stat, "reset_weekday")
    if not (days or day or weekday) or (terms.expires_at is None and terms.hold_s is None):
        return None
    most, done = fields.whole(stat, "reset_max"), fields.whole(stat, "reset_count")
    if day:
        if most:
            raise Invalid("it is renewed on a day of the month, and only so many times; give it its end by hand")
        return replace(terms, expires_at=None, hold_s=None, period=Period(Reset.MONTH, month_day=day, zone=zone))
    length = _WEEK_DAYS if weekday else days
    anchor = terms.expires_at or now
    period = Period(Reset.ROLLING, days=length)
    return replace(
        terms,
        expires_at=_end_of(anchor, length * max(0, most - done)) if most else None,
        hold_s=None,
        period=period,
        period_began_at=rolling_since(anchor, length, now),
    )


def _end_of(anchor: datetime, days: int) -> datetime | None:
    """Return the end of the last renewal; None, as for one that always renews, where the calendar has no such day."""
    try:
        ends = anchor + timedelta(days=days)
    except OverflowError:
        return None
    return ends if ends.year <= LAST_YEAR else None


def _cycled(terms: FoundTerms, record: Record, row: Record, zone: str) -> tuple[FoundTerms, list[NotCarried]]:
    """Return terms with the cycle in which the panel sets the traffic to zero: the client's own, or its inbound's."""
    own = fields.text(record, "trafficReset")
    cycle, days = (
        (own, record.get("trafficResetDay"))
        if own not in _NEVER
        else (
            fields.text(row, "traffic_reset"),
            row.get("traffic_reset_day"),
        )
    )
    if cycle in _NEVER:
        return terms, []
    if cycle not in _CYCLES:
        raise Invalid(f"its traffic begins anew {fields.shown_name(cycle)}, which Keystead has no period for")
    reset = _CYCLES[cycle]
    day = days if reset is Reset.MONTH and isinstance(days, int) and 1 <= days <= 31 else 1
    notes = []
    if reset is Reset.WEEK:
        notes.append(NotCarried(What.TERMS, "its week begins on Monday, and no longer on Sunday"))
    return replace(terms, period=Period(reset, month_day=day, zone=zone)), notes


def _without_inbound(database: _Database, known: set[str]) -> list[FoundCustomer]:
    """Return the clients that the panel knows, but that stand in no inbound that can be read."""
    emails = [*database.stats, *(str(row["email"]) for row in database.clients)]
    reason = NotCarried(What.INBOUND, "stands in no inbound that can be read")
    return [
        FoundCustomer(email, fields.shown_name(email), None, not_carried=(reason,))
        for email in dict.fromkeys(emails)
        if email not in known
    ]


def _limits(inbounds: Iterable[Record]) -> Iterable[NotCarried]:
    """Yield what inbounds as a whole are limited to."""
    for row in inbounds:
        if row.get("total") or row.get("expiry_time"):
            shown = fields.shown_name(_tag(row))
            yield NotCarried(What.TERMS, f"quota and end of the inbound {shown} itself are not carried")
