"""What users of Marzban and of its descendant PasarGuard share: a status, a quota, an end, a reset strategy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from keystead.importing import fields, particulars
from keystead.importing.fields import Record
from keystead.importing.found import FoundCustomer, FoundTerms, NotCarried, What, broken, without_duplicates
from keystead.importing.sqlitefile import Tables
from keystead.importing.xrayjson import NOTHING_SAID, Listeners
from keystead.kit.errors import Invalid
from keystead.vpn.accounting import Bytes
from keystead.vpn.periods import Period, Reset

STATUSES = ("active", "disabled", "limited", "expired", "on_hold")
_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_NO_RESET = "no_reset"
_HOST = ("inbound_tag", "port", "sni")
_HOST_SINCE = ("is_disabled",)
_TOKENS = "subscription addresses are signed and not stored; customers who poll one need a new one"
SIGNED_TOKENS = NotCarried(What.SUBSCRIPTION, _TOKENS)


@dataclass(frozen=True)
class Usage:
    """What a source says of a user's resets: bytes before the last one, and when that was; None where it does not."""

    lifetime_bytes: int | None = None
    last_reset_at: datetime | None = None
    is_known: bool = True


@dataclass(frozen=True)
class Resets:
    """What the log of resets says of a user: the bytes before the last one, and when that was."""

    bytes_before: int = 0
    last_at: datetime | None = None


NO_RESETS = Resets()


def resets(tables: Tables) -> dict[object, Resets]:
    """Return the resets by user; a line of the log that makes no sense costs some lifetime, and nobody their key."""
    found: dict[object, Resets] = {}
    for row in tables.rows("user_usage_logs", ("user_id", "used_traffic_at_reset", "reset_at")):
        try:
            reset_at, carried = fields.moment_text(row, "reset_at"), fields.size(row, "used_traffic_at_reset")
        except Invalid:
            continue
        before = found.get(row["user_id"], NO_RESETS)
        moments = [moment for moment in (before.last_at, reset_at) if moment is not None]
        found[row["user_id"]] = Resets(before.bytes_before + carried, max(moments, default=None))
    return found


def followed(tables: Tables) -> set[object]:
    """Return the users for whom another plan waits."""
    return {row["user_id"] for row in tables.rows("next_plans", ("user_id",))} if tables.has("next_plans") else set()


def hosts(tables: Tables) -> list[Record]:
    """Return what is written into links in place of the inbounds' own."""
    return [row for row in tables.rows("hosts", _HOST, optional=_HOST_SINCE) if not row.get("is_disabled")]


def server_names(hosts: Iterable[Record], listeners: Listeners) -> dict[str, str]:
    """Return by tag the first server name that host settings put into links and that the inbound accepts."""
    names: dict[str, str] = {}
    for row in hosts:
        inbound = listeners.carried.get(str(row["inbound_tag"]))
        for written in str(row["sni"] or "").split(","):
            if inbound is not None and written.strip() in inbound.server_names:
                names.setdefault(inbound.tag, written.strip())
    return names


def other_ports(hosts: Iterable[Record], listeners: Listeners) -> Iterable[NotCarried]:
    """Yield the inbounds whose links lead to another port than the one they listen on."""
    for row in hosts:
        inbound = listeners.carried.get(str(row["inbound_tag"]))
        if inbound is not None and row["port"] and row["port"] != inbound.port:
            sentence = f"links to inbound {fields.shown_name(inbound.tag)} lead to port {row['port']} (host settings)"
            yield NotCarried(What.MACHINE, f"{sentence}; whatever leads from there to port {inbound.port} has to stay")


def customer(
    record: Record,
    *,
    vless: Record,
    tags: Iterable[str],
    usage: Usage,
    listeners: Listeners,
    server_names: Mapping[str, str] = NOTHING_SAID,
) -> FoundCustomer:
    """Return a user as a customer; one whose record makes no sense is listed with the reason."""
    username = str(record.get("username") or "")
    try:
        return _customer(record, username, vless, tags, usage, listeners, server_names)
    except Invalid as error:
        return broken(username, fields.shown_name(username), error.message)


def _customer(
    record: Record,
    username: str,
    vless: Record,
    tags: Iterable[str],
    usage: Usage,
    listeners: Listeners,
    server_names: Mapping[str, str],
) -> FoundCustomer:
    status = fields.text(record, "status")
    if status not in STATUSES:
        raise Invalid(f"status {fields.shown_name(status) or '(none)'} is not known")
    uuid = fields.vless_uuid(fields.text(vless, "id"))[0] if vless else None
    links, left = listeners.links(tags, flow=fields.text(vless, "flow"), server_names=server_names)
    if uuid is None:
        links = ()
        left.append(NotCarried(What.PROTOCOL, "has no VLESS id"))
    made = particulars.made(lambda: fields.moment_text(record, "created_at"))
    terms, notes = _terms(record, status, usage, made.at)
    return FoundCustomer(
        source_id=username,
        name=fields.shown_name(username),
        uuid=uuid,
        links=links,
        is_enabled=status != "disabled",
        created_at=made.at,
        terms=terms,
        not_carried=without_duplicates([*left, *made.told, *notes]),
    )


def _terms(
    record: Record, status: str, usage: Usage, created_at: datetime | None
) -> tuple[FoundTerms, list[NotCarried]]:
    notes = []
    used = fields.size(record, "used_traffic")
    expires_at = _expire(record)
    hold_s = None
    if status == "on_hold":
        hold_s, expires_at = fields.whole(record, "on_hold_expire_duration") or None, None
        if fields.moment_text(record, "on_hold_timeout") is not None:
            notes.append(
                NotCarried(What.TERMS, "begins with its first use only, and no longer by itself at some moment")
            )
    devices = particulars.device_limit(record, "hwid_limit")
    notes += devices.told
    if record.get("next_plan"):
        notes.append(NotCarried(What.TERMS, "the plan that was to follow is not carried"))
    period = _period(fields.text(record, "data_limit_reset_strategy", _NO_RESET))
    if period.reset is not Reset.NONE and not usage.is_known:
        notes.append(
            NotCarried(What.TERMS, "when its period began is not in the export; it is counted from its creation")
        )
    lifetime = max(used, usage.lifetime_bytes or 0)
    terms = FoundTerms(
        quota_bytes=fields.size(record, "data_limit") or None,
        used=Bytes(0, used),
        lifetime=Bytes(0, lifetime),
        expires_at=expires_at,
        hold_s=hold_s,
        period=period,
        period_began_at=(usage.last_reset_at or created_at) if usage.is_known else None,
        device_limit=devices.most,
    )
    return terms, notes


def _expire(record: Record) -> datetime | None:
    """Return the end: seconds since 1970 in Marzban, a moment in PasarGuard; 0 is no end."""
    if isinstance(record.get("expire"), str):
        return fields.moment_text(record, "expire")
    expire_s = fields.whole(record, "expire")
    return fields.moment_s(expire_s, "expire") if expire_s > 0 else None


def _period(strategy: str) -> Period:
    if strategy == _NO_RESET:
        return Period()
    if strategy not in _DAYS:
        raise Invalid(f"reset strategy {fields.shown_name(strategy)} is not known")
    return Period(Reset.ROLLING, days=_DAYS[strategy])
