"""veil-xray: its SQLite database and the configuration of Xray beside it.

Every key is put into each of the panel's inbounds; the link that its API gives is that of the first one. The key pair
stands in the configuration. docs/import/veil-xray.md lists the facts and their sources.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from keystead.engines.xray.state import VISION
from keystead.importing import envfile, fields, jsonfile, particulars, sqlitefile, xrayjson
from keystead.importing.fields import Record
from keystead.importing.found import (
    Found,
    FoundCustomer,
    FoundLink,
    FoundTerms,
    NotCarried,
    Source,
    broken,
    without_duplicates,
)
from keystead.importing.xrayjson import Listeners
from keystead.kit.errors import Invalid
from keystead.vpn.accounting import Bytes

EXPECTED = "veil-xray's database (database/veil_xray.db)"
EXPECTED_CONFIG = "the configuration of Xray that veil-xray writes (/usr/local/etc/xray/config.json)"
EXPECTED_ENV = "veil-xray's .env"
FIRST_TAG = "vless-reality"
_FIRST_TAG_SETTING = "XRAY_VLESS_REALITY_INBOUND_TAG"
_KEY = ("id", "uuid", "short_id", "name", "created_at", "is_active")
_TRAFFIC = ("key_id", "upload", "download", "updated_at")

# By tag of an inbound: the flow of each client that stands in it.
_Flows = Mapping[str, Mapping[str, str]]


def read(database: Path, config: Path, *, now: datetime, env: Path | None = None) -> Found:
    """Read a database with its configuration; raise Invalid when a file is something else."""
    del now  # every moment stands in the database
    settings = envfile.read(env, expected=EXPECTED_ENV)
    first = settings.get(_FIRST_TAG_SETTING) or FIRST_TAG
    by_tag = dict(
        xrayjson.read_inbounds(jsonfile.read_object(config, expected=EXPECTED_CONFIG), expected=EXPECTED_CONFIG)
    )
    listeners = Listeners()
    for tag in sorted(by_tag, key=lambda tag: tag != first):
        shown = settings.get("REALITY_PUBLIC_KEY", "") if tag == first else ""
        listeners.add(tag, xrayjson.read_inbound(tag, by_tag[tag], shown_public_key=shown))
    with sqlitefile.opened(database, expected=EXPECTED) as tables:
        keys = tables.rows("keys", _KEY)
        traffic = tables.rows("traffic_stats", _TRAFFIC)
    latest = _latest(traffic)
    flows = {tag: dict(xrayjson.clients(raw)) for tag, raw in by_tag.items()}
    order = [first, *(tag for tag in by_tag if tag != first)] if first in by_tag else list(by_tag)
    customers = [_customer(key, latest.get(key["id"], {}), order, flows, listeners, settings) for key in keys]
    return Found(Source.VEIL_XRAY, listeners.inbounds, tuple(customers), tables.cautions)


def _latest(traffic: list[Record]) -> Mapping[object, Record]:
    """Return the newest figures of each key."""
    latest: dict[object, Record] = {}
    for row in sorted(traffic, key=lambda row: row["updated_at"] if isinstance(row["updated_at"], int) else 0):
        latest[row["key_id"]] = row
    return latest


def _customer(
    key: Record,
    traffic: Record,
    order: list[str],
    flows: _Flows,
    listeners: Listeners,
    settings: Mapping[str, str],
) -> FoundCustomer:
    source_id, shown = str(key["id"]), str(key["name"] or "")
    try:
        used = Bytes(fields.size(traffic, "upload"), fields.size(traffic, "download"))
        vless_uuid, _ = fields.vless_uuid(fields.text(key, "uuid"))
        links, left = _links(key, order, flows, listeners, settings)
        made = particulars.made(lambda: fields.moment_s(fields.whole(key, "created_at"), "created_at"))
        return FoundCustomer(
            source_id=source_id,
            name=fields.shown_name(shown),
            uuid=vless_uuid,
            links=links,
            is_enabled=fields.flag(key, "is_active", True),
            created_at=made.at,
            terms=FoundTerms(used=used, lifetime=used),
            not_carried=without_duplicates([*left, *made.told]),
            number=fields.whole(key, "id"),
        )
    except Invalid as error:
        return broken(source_id, fields.shown_name(shown), error.message)


def _links(
    key: Record, order: list[str], flows: _Flows, listeners: Listeners, settings: Mapping[str, str]
) -> tuple[tuple[FoundLink, ...], list[NotCarried]]:
    """Return a key's links, that of the API first; a key that only the running core knows has the usual flow."""
    links: list[FoundLink] = []
    left: list[NotCarried] = []
    for tag in order:
        usual = settings.get("REALITY_FLOW", VISION) if tag == order[0] else ""
        its, reasons = listeners.links(
            [tag],
            flow=flows[tag].get(fields.text(key, "uuid"), usual),
            short_id=fields.text(key, "short_id").lower(),
            server_names={tag: settings.get("REALITY_SNI", "")},
        )
        links += its
        left += reasons
    return tuple(links), left
