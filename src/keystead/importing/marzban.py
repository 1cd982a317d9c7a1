"""Marzban: its SQLite database, or the answer of ``GET /api/users``; and the configuration of Xray beside it.

A user is known by the username and may use every inbound of a protocol that is not excluded. The key pair stands in the
configuration only. docs/import/marzban.md lists the facts and their sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from keystead.importing import fields, jsonfile, marzusers, sqlitefile, xrayjson
from keystead.importing.fields import Record
from keystead.importing.found import Found, FoundCustomer, Source, broken
from keystead.importing.marzusers import NO_RESETS, Resets, Usage
from keystead.importing.xrayjson import Listeners
from keystead.kit.errors import Invalid

EXPECTED = "Marzban's database, usually /var/lib/marzban/db.sqlite3; with MySQL, export GET /api/users instead"
EXPECTED_CONFIG = (
    "the configuration of Xray that Marzban uses: xray_config.json without comments, "
    "or the answer of GET /api/core/config"
)
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


@dataclass
class _Member:
    """A user of the database with the rows of other tables that belong to it."""

    record: Record
    proxies: list[Record] = field(default_factory=list)
    resets: Resets = NO_RESETS


def read(database: Path, config: Path, *, now: datetime) -> Found:
    """Read a database with its configuration; raise Invalid when either is something else."""
    del now  # every moment stands in the database
    listeners, by_tag = xrayjson.read_listeners(
        jsonfile.read_object(config, expected=EXPECTED_CONFIG), expected=EXPECTED_CONFIG
    )
    with sqlitefile.opened(database, expected=EXPECTED) as tables:
        users = tables.rows("users", _USER, optional=_USER_SINCE)
        proxies = tables.rows("proxies", ("id", "user_id", "type", "settings"))
        excluded = tables.rows("exclude_inbounds_association", ("proxy_id", "inbound_tag"))
        known = {str(row["tag"]) for row in tables.rows("inbounds", ("tag",))}
        hosts = marzusers.hosts(tables)
        resets = marzusers.resets(tables)
        followed = marzusers.followed(tables)
    members = {row["id"]: _Member(row, resets=resets.get(row["id"], NO_RESETS)) for row in users}
    for proxy in proxies:
        if proxy["user_id"] in members:
            members[proxy["user_id"]].proxies.append(proxy)
    kept_out: dict[object, set[str]] = {}
    for row in excluded:
        kept_out.setdefault(row["proxy_id"], set()).add(str(row["inbound_tag"]))
    tags = {tag: fields.text(raw, "protocol").lower() for tag, raw in by_tag.items() if tag in known}
    names = marzusers.server_names(hosts, listeners)
    customers = [_customer(member, tags, kept_out, listeners, names, followed) for member in members.values()]
    notes = (*tables.cautions, marzusers.SIGNED_TOKENS, *marzusers.other_ports(hosts, listeners))
    return Found(Source.MARZBAN, listeners.inbounds, tuple(customers), notes)


def read_export(users: Path, config: Path, *, now: datetime) -> Found:
    """Read the answers of the API; raise Invalid when a file is something else, or holds a part of the users only."""
    del now  # see read
    listeners, by_tag = xrayjson.read_listeners(
        jsonfile.read_object(config, expected=EXPECTED_CONFIG), expected=EXPECTED_CONFIG
    )
    records = jsonfile.read_pages(users, of="users", expected=EXPECTED_USERS)
    customers = [_exported(record, by_tag, listeners) for record in records]
    return Found(Source.MARZBAN, listeners.inbounds, tuple(customers), (marzusers.SIGNED_TOKENS,))


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
    usage = Usage(used + member.resets.bytes_before, member.resets.last_at)
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
