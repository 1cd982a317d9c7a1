"""Marzban: its SQLite database, or the answer of ``GET /api/users``; and the configuration of Xray beside it.

A user is known by the username and may use every inbound of a protocol that is not excluded. The key pair stands in the
configuration only. docs/import/marzban.md lists the facts and their sources.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from keystead.importing import fields, jsonfile, marzusers, sqlitefile, xrayjson
from keystead.importing.fields import Record
from keystead.importing.found import Found, FoundCustomer, NotCarried, Source, What, broken
from keystead.importing.marzusers import Usage
from keystead.importing.xrayjson import Listeners
from keystead.kit.errors import Invalid

EXPECTED = "Marzban's database, usually /var/lib/marzban/db.sqlite3; with MySQL, export GET /api/users instead"
EXPECTED_CONFIG = "the configuration of Xray that Marzban uses: xray_config.json, or the answer of GET /api/core/config"
EXPECTED_USERS = "the answer of GET /api/users without a limit"
_USER = (
    "id",
    "username",
    "status",
    "used_traffic",
    "data_limit",
    "data_limit_reset_strategy",
    "expire",
    "created_at",
)
_USER_SINCE = ("on_hold_expire_duration", "on_hold_timeout")
_HOST_SINCE = ("is_disabled",)


@dataclass
class _Member:
    """A user of the database with the rows of other tables that belong to it."""

    record: Record
    proxies: list[Record] = field(default_factory=list)
    before_resets_bytes: int = 0
    last_reset_at: datetime | None = None


def read(database: Path, config: Path, *, now: datetime) -> Found:
    """Read a database with its configuration; raise Invalid when either is something else."""
    del now  # every moment stands in the database
    listeners, by_tag = xrayjson.read_listeners(
        jsonfile.read_object(config, expected=EXPECTED_CONFIG), expected=EXPECTED_CONFIG
    )
    with sqlitefile.opened(database, expected=EXPECTED) as tables:
        members = {row["id"]: _Member(row) for row in tables.rows("users", _USER, optional=_USER_SINCE)}
        proxies = tables.rows("proxies", ("id", "user_id", "type", "settings"))
        excluded = tables.rows("exclude_inbounds_association", ("proxy_id", "inbound_tag"))
        known = {str(row["tag"]) for row in tables.rows("inbounds", ("tag",))}
        hosts = tables.rows("hosts", ("inbound_tag", "port", "sni"), optional=_HOST_SINCE)
        resets = tables.rows("user_usage_logs", ("user_id", "used_traffic_at_reset", "reset_at"))
        followed = {row["user_id"] for row in _next_plans(tables)}
    _add_resets(members, resets)
    for proxy in proxies:
        if proxy["user_id"] in members:
            members[proxy["user_id"]].proxies.append(proxy)
    kept_out: dict[object, set[str]] = {}
    for row in excluded:
        kept_out.setdefault(row["proxy_id"], set()).add(str(row["inbound_tag"]))
    tags = {tag: fields.text(raw, "protocol").lower() for tag, raw in by_tag.items() if tag in known}
    names = _server_names(hosts, listeners)
    customers = [_customer(member, tags, kept_out, listeners, names, followed) for member in members.values()]
    return Found(
        Source.MARZBAN, listeners.inbounds, tuple(customers), (marzusers.SIGNED_TOKENS, *_other_ports(hosts, listeners))
    )


def read_export(users: Path, config: Path, *, now: datetime) -> Found:
    """Read the answers of the API; raise Invalid when a file is something else, or holds a part of the users only."""
    del now  # see read
    listeners, by_tag = xrayjson.read_listeners(
        jsonfile.read_object(config, expected=EXPECTED_CONFIG), expected=EXPECTED_CONFIG
    )
    records = jsonfile.read_pages(users, of="users", expected=EXPECTED_USERS)
    customers = [_exported(record, by_tag, listeners) for record in records]
    return Found(Source.MARZBAN, listeners.inbounds, tuple(customers), (marzusers.SIGNED_TOKENS,))


def _next_plans(tables: sqlitefile.Tables) -> list[Record]:
    return tables.rows("next_plans", ("user_id",)) if tables.has("next_plans") else []


def _add_resets(members: Mapping[object, _Member], resets: Iterable[Record]) -> None:
    for row in resets:
        member = members.get(row["user_id"])
        if member is None:
            continue
        try:
            reset_at = fields.moment_text(row, "reset_at")
            member.before_resets_bytes += fields.size(row, "used_traffic_at_reset")
        except Invalid:
            continue  # a lost line of the log costs some lifetime, and nobody their key
        if reset_at is not None and (member.last_reset_at is None or reset_at > member.last_reset_at):
            member.last_reset_at = reset_at


def _customer(
    member: _Member,
    tags: Mapping[str, str],
    kept_out: Mapping[object, set[str]],
    listeners: Listeners,
    names: Mapping[str, str],
    followed: set[object],
) -> FoundCustomer:
    record = dict(member.record)
    username = str(record["username"])
    try:
        used = fields.size(record, "used_traffic")
        vless: Record = {}
        mine: list[str] = []
        for proxy in member.proxies:
            protocol = str(proxy["type"]).lower()
            mine += [tag for tag, of in tags.items() if of == protocol and tag not in kept_out.get(proxy["id"], ())]
            vless = fields.json_text(proxy, "settings") if protocol == "vless" else vless
    except Invalid as error:
        return broken(username, fields.shown_name(username), error.message)
    record["next_plan"] = record["id"] in followed
    usage = Usage(used + member.before_resets_bytes, member.last_reset_at)
    return marzusers.customer(record, vless=vless, tags=mine, usage=usage, listeners=listeners, server_names=names)


def _exported(record: Record, by_tag: Mapping[str, Record], listeners: Listeners) -> FoundCustomer:
    username = str(record.get("username") or "")
    try:
        proxies = fields.mapping(record, "proxies")
        listed = fields.mapping(record, "inbounds")
        vless = fields.mapping(proxies, "vless")
        tags = [tag for protocol in listed for tag in fields.texts(listed, protocol)]
        usage = Usage(fields.size(record, "lifetime_used_traffic"), is_known=False)
    except Invalid as error:
        return broken(username, fields.shown_name(username), error.message)
    mine = [tag for tag in by_tag if tag in tags] + [tag for tag in tags if tag not in by_tag]
    return marzusers.customer(record, vless=vless, tags=mine, usage=usage, listeners=listeners)


def _server_names(hosts: Iterable[Record], listeners: Listeners) -> dict[str, str]:
    """Return by tag the first server name that host settings put into links and that the inbound accepts."""
    names: dict[str, str] = {}
    for row in hosts:
        inbound = listeners.carried.get(str(row["inbound_tag"]))
        if inbound is None or row.get("is_disabled"):
            continue
        for written in str(row["sni"] or "").split(","):
            if written.strip() in inbound.server_names:
                names.setdefault(inbound.tag, written.strip())
    return names


def _other_ports(hosts: Iterable[Record], listeners: Listeners) -> Iterable[NotCarried]:
    """Yield the inbounds whose links lead to another port than the one they listen on."""
    for row in hosts:
        inbound = listeners.carried.get(str(row["inbound_tag"]))
        if inbound is not None and row["port"] and row["port"] != inbound.port and not row.get("is_disabled"):
            sentence = f"links to inbound {fields.shown_name(inbound.tag)} lead to port {row['port']} (host settings)"
            yield NotCarried(What.MACHINE, f"{sentence}; whatever leads from there to port {inbound.port} has to stay")
