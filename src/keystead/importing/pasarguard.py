"""PasarGuard: its SQLite database, or the answers of its API for users, groups and cores.

A user is known by the username and may use the inbounds of its groups. The configurations of Xray, with the key pairs,
are in the database. One of them is imported: the others belong to other machines. docs/import/pasarguard.md lists the
facts and their sources.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from keystead.importing import fields, jsonfile, marzusers, sqlitefile, xrayjson
from keystead.importing.fields import Record
from keystead.importing.found import Found, FoundCustomer, NotCarried, Source, What, broken
from keystead.importing.marzusers import NO_RESETS, Usage
from keystead.importing.xrayjson import NOTHING_SAID, Listeners
from keystead.kit.errors import Invalid

EXPECTED = (
    "PasarGuard's database, usually /var/lib/pasarguard/db.sqlite3; with another database, export its API instead"
)
EXPECTED_USERS = "the answer of PasarGuard's GET /api/users without a limit"
EXPECTED_GROUPS = "the answer of PasarGuard's GET /api/groups without a limit"
EXPECTED_CORES = "the answer of PasarGuard's GET /api/cores"
_USER = (
    "id",
    "username",
    "status",
    "used_traffic",
    "data_limit",
    "data_limit_reset_strategy",
    "expire",
    "created_at",
    "proxy_settings",
)
_USER_SINCE = ("on_hold_expire_duration", "on_hold_timeout", "hwid_limit")
_XRAY = "xray"


@dataclass(frozen=True)
class _Core:
    """A configuration of Xray with its name, and the tags that users are kept out of."""

    name: str
    config: Record
    excluded: frozenset[str]


def read(database: Path, *, now: datetime, core: str | None = None) -> Found:
    """Read a database; ``core`` names one of several configurations.

    Raises Invalid when the file is something else, or when it has several configurations and none is named.
    """
    del now  # every moment stands in the database
    with sqlitefile.opened(database, expected=EXPECTED) as tables:
        users = tables.rows("users", _USER, optional=_USER_SINCE)
        tags = {row["id"]: str(row["tag"]) for row in tables.rows("inbounds", ("id", "tag"))}
        disabled = {row["id"] for row in tables.rows("groups", ("id", "is_disabled")) if row["is_disabled"]}
        of_group = tables.rows("inbounds_groups_association", ("inbound_id", "group_id"))
        memberships = tables.rows("users_groups_association", ("user_id", "groups_id"))
        cores = tables.rows("core_configs", ("name", "config"), optional=("type", "exclude_inbound_tags"))
        hosts, resets, followed = marzusers.hosts(tables), marzusers.resets(tables), marzusers.followed(tables)
    listeners, excluded = _listeners([_stored(row) for row in cores if row.get("type", _XRAY) == _XRAY], core)
    names = marzusers.server_names(hosts, listeners)
    groups: dict[object, list[str]] = {}
    for row in of_group:
        if row["group_id"] not in disabled and row["inbound_id"] in tags:
            groups.setdefault(row["group_id"], []).append(tags[row["inbound_id"]])
    mine: dict[object, list[object]] = {}
    for row in memberships:
        mine.setdefault(row["user_id"], []).append(row["groups_id"])
    customers = []
    for row in users:
        reset = resets.get(row["id"], NO_RESETS)
        usage = Usage(reset.bytes_before + _used(row), reset.last_at)
        record = {**row, "next_plan": row["id"] in followed}
        its = _tags(mine.get(row["id"], []), groups, excluded)
        customers.append(_customer(record, its, usage, listeners, names))
    notes = (*tables.cautions, marzusers.SIGNED_TOKENS, *marzusers.other_ports(hosts, listeners))
    return Found(Source.PASARGUARD, listeners.inbounds, tuple(customers), notes)


def read_export(users: Path, groups: Path, cores: Path, *, now: datetime, core: str | None = None) -> Found:
    """Read the answers of the API; raise Invalid as ``read`` does, and for a part of the users only."""
    del now  # see read
    records = jsonfile.read_pages(users, of="users", expected=EXPECTED_USERS)
    by_group: dict[object, list[str]] = {}
    for row in jsonfile.read_pages(groups, of="groups", expected=EXPECTED_GROUPS):
        if not row.get("is_disabled"):
            by_group[fields.whole(row, "id")] = fields.texts(row, "inbound_tags")
    listed = jsonfile.read_pages(cores, of="cores", expected=EXPECTED_CORES)
    exported = [_exported(row) for row in listed if (row.get("type") or row.get("backend_type") or _XRAY) == _XRAY]
    listeners, excluded = _listeners(exported, core)
    customers = tuple(_exported_user(record, by_group, excluded, listeners) for record in records)
    return Found(Source.PASARGUARD, listeners.inbounds, customers, (marzusers.SIGNED_TOKENS,))


def _exported_user(
    record: Record, by_group: Mapping[object, list[str]], excluded: frozenset[str], listeners: Listeners
) -> FoundCustomer:
    try:
        groups = [fields.whole({"group_ids": group}, "group_ids") for group in fields.sequence(record, "group_ids")]
    except Invalid as error:
        username = str(record.get("username") or "")
        return broken(username, fields.shown_name(username), error.message)
    usage = Usage(_whole(record, "lifetime_used_traffic"), is_known=False)
    return _customer(record, _tags(groups, by_group, excluded), usage, listeners, NOTHING_SAID)


def _listeners(cores: Sequence[_Core], wanted: str | None) -> tuple[Listeners, frozenset[str]]:
    """Return the listeners of one configuration, with those of the others refused, and the tags kept from users."""
    chosen = [core for core in cores if wanted is None or core.name == wanted]
    if len(chosen) != 1:
        names = ", ".join(fields.shown_name(core.name) for core in cores) or "none"
        raise Invalid(f"name one of the configurations of Xray (cores) in PasarGuard; there are: {names}")
    [core] = chosen
    listeners, _ = xrayjson.read_listeners(core.config, expected="a configuration of Xray")
    for other in cores:
        for tag, _raw in (
            xrayjson.read_inbounds(other.config, expected="a configuration of Xray") if other != core else ()
        ):
            sentence = f"inbound {fields.shown_name(tag)} belongs to the core {fields.shown_name(other.name)}"
            if tag not in listeners.carried:
                listeners.refused.setdefault(
                    tag, NotCarried(What.MACHINE, f"{sentence}; import that one on the machine that runs it")
                )
    return listeners, core.excluded


def _stored(row: Record) -> _Core:
    excluded = (tag.strip() for tag in str(row.get("exclude_inbound_tags") or "").split(","))
    return _Core(str(row["name"]), fields.json_text(row, "config"), frozenset(excluded) - {""})


def _exported(row: Record) -> _Core:
    excluded = frozenset(fields.texts(row, "exclude_inbound_tags"))
    return _Core(fields.text(row, "name"), fields.mapping(row, "config"), excluded)


def _tags(groups: Iterable[object], by_group: Mapping[object, list[str]], excluded: frozenset[str]) -> list[str]:
    """Return the tags of the groups' inbounds, each once."""
    tags = [tag for group in groups for tag in by_group.get(group, ())]
    return [tag for tag in dict.fromkeys(tags) if tag not in excluded]


def _customer(
    record: Record, tags: list[str], usage: Usage, listeners: Listeners, names: Mapping[str, str]
) -> FoundCustomer:
    username = str(record.get("username") or "")
    try:
        vless = fields.mapping(fields.json_text(record, "proxy_settings"), "vless")
    except Invalid as error:
        return broken(username, fields.shown_name(username), error.message)
    made = marzusers.customer(record, vless=vless, tags=tags, usage=usage, listeners=listeners, server_names=names)
    if tags or made.not_carried:
        return made
    return replace(made, not_carried=(NotCarried(What.INBOUND, "is in no group that has inbounds"),))


def _used(row: Record) -> int:
    return _whole(row, "used_traffic")


def _whole(row: Record, name: str) -> int:
    """Return a figure; one that makes no sense is told where the customer is made."""
    value = row.get(name)
    return value if isinstance(value, int) and value > 0 else 0
