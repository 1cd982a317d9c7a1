"""Remnawave: the answers of its API for users, internal squads and config profiles; its database is PostgreSQL.

A user is known by a UUID of its own, and may use the inbounds of its internal squads. The key pairs stand in the config
profiles. One profile is imported: the others belong to other machines. docs/import/remnawave.md lists the facts and
their sources.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from keystead.engines.xray.state import VISION
from keystead.importing import fields, jsonfile, particulars, xrayjson
from keystead.importing.fields import Record
from keystead.importing.found import (
    Found,
    FoundCustomer,
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
from keystead.kit.secret import Secret
from keystead.vpn.accounting import Bytes
from keystead.vpn.periods import Period, Reset

EXPECTED_USERS = "the answers of Remnawave's GET /api/users, all pages in one JSON list"
EXPECTED_SQUADS = "the answer of Remnawave's GET /api/internal-squads"
EXPECTED_PROFILES = "the answer of Remnawave's GET /api/config-profiles"
EXPECTED_CONFIG = "a config profile of Remnawave"
STATUSES = ("ACTIVE", "DISABLED", "LIMITED", "EXPIRED")
_RESETS = {"NO_RESET": Reset.NONE, "DAY": Reset.DAY, "WEEK": Reset.WEEK, "MONTH": Reset.MONTH}
_ROLLING = "MONTH_ROLLING"
_PLAIN = ("tcp", "raw")


def read(users: Path, squads: Path, profiles: Path, *, now: datetime, profile: str | None = None) -> Found:
    """Read the answers of the API; ``profile`` names one of several config profiles.

    Raises Invalid when a file is something else, holds a part of the users only, or has several profiles and none is
    named.
    """
    records = jsonfile.read_pages(users, of="users", expected=EXPECTED_USERS, bare=_bare)
    by_squad = {
        fields.text(squad, "uuid"): [fields.text(inbound, "tag") for inbound in fields.mappings(squad, "inbounds")]
        for squad in jsonfile.read_pages(squads, of="internalSquads", expected=EXPECTED_SQUADS, bare=_bare)
    }
    listed = jsonfile.read_pages(profiles, of="configProfiles", expected=EXPECTED_PROFILES, bare=_bare)
    listeners, flows = _listeners(listed, profile)
    customers = [_customer(record, by_squad, listeners, flows, now) for record in records]
    return Found(Source.REMNAWAVE, listeners.inbounds, tuple(customers), subscription_path="/api/sub/")


def _bare(answer: Record) -> Record:
    """Return what an answer wraps."""
    return fields.mapping(answer, "response") if "response" in answer else answer


def _listeners(profiles: Sequence[Record], wanted: str | None) -> tuple[Listeners, Mapping[str, str]]:
    """Return the listeners of one profile, with those of the others refused, and by tag the flow that users get."""
    chosen = [one for one in profiles if wanted is None or fields.text(one, "name") == wanted]
    if len(chosen) != 1:
        names = ", ".join(fields.shown_name(fields.text(one, "name")) for one in profiles) or "none"
        raise Invalid(f"name one of the config profiles; there are: {names}")
    listeners, by_tag = xrayjson.read_listeners(fields.mapping(chosen[0], "config"), expected=EXPECTED_CONFIG)
    for other in profiles:
        if other is chosen[0]:
            continue
        for tag, _ in xrayjson.read_inbounds(fields.mapping(other, "config"), expected=EXPECTED_CONFIG):
            sentence = f"inbound {fields.shown_name(tag)} belongs to the profile {_shown(other, 'name')}"
            if tag not in listeners.carried:
                reason = NotCarried(What.MACHINE, f"{sentence}; import that one on the machine that runs it")
                listeners.refused.setdefault(tag, reason)
    return listeners, {tag: _flow(raw) for tag, raw in by_tag.items()}


def _flow(raw: Record) -> str:
    """Return the flow that every user of an inbound is given: what its settings say, else Vision where that can be."""
    try:
        said = fields.mapping(raw, "settings").get("flow")
        if said is not None:
            return VISION if said == VISION else ""
        network = fields.text(fields.mapping(raw, "streamSettings"), "network", _PLAIN[0])
        return VISION if network in _PLAIN else ""
    except Invalid:
        return ""


def _customer(
    record: Record,
    by_squad: Mapping[str, list[str]],
    listeners: Listeners,
    flows: Mapping[str, str],
    now: datetime,
) -> FoundCustomer:
    source_id, name = str(record.get("uuid") or record.get("username") or ""), str(record.get("username") or "")
    try:
        return _carried(record, source_id, by_squad, listeners, flows, now)
    except Invalid as error:
        return broken(source_id, fields.shown_name(name), error.message)


def _carried(
    record: Record,
    source_id: str,
    by_squad: Mapping[str, list[str]],
    listeners: Listeners,
    flows: Mapping[str, str],
    now: datetime,
) -> FoundCustomer:
    status = fields.text(record, "status")
    if status not in STATUSES:
        raise Invalid(f"status {fields.shown_name(status) or '(none)'} is not known")
    squads = (fields.text(squad, "uuid") for squad in fields.mappings(record, "activeInternalSquads"))
    tags = dict.fromkeys(tag for squad in squads for tag in by_squad.get(squad, ()))
    links, left = _links(tags, listeners, flows)
    if not tags:
        left.append(NotCarried(What.INBOUND, "is in no internal squad that has inbounds"))
    made = particulars.made(lambda: fields.moment_text(record, "createdAt"))
    terms, told = _terms(record, made.at, now)
    devices = particulars.device_limit(record, "hwidDeviceLimit")
    token = fields.text(record, "shortUuid")
    return FoundCustomer(
        source_id=source_id,
        name=fields.shown_name(fields.text(record, "username")),
        uuid=fields.vless_uuid(fields.text(record, "vlessUuid"))[0],
        links=links,
        is_enabled=status != "DISABLED",
        created_at=made.at,
        terms=replace(terms, device_limit=devices.most),
        subscription_token=Secret(token) if token else None,
        not_carried=without_duplicates([*left, *made.told, *told, *devices.told]),
    )


def _links(
    tags: Iterable[str], listeners: Listeners, flows: Mapping[str, str]
) -> tuple[tuple[FoundLink, ...], list[NotCarried]]:
    links: list[FoundLink] = []
    left: list[NotCarried] = []
    for tag in tags:
        its, reasons = listeners.links([tag], flow=flows.get(tag, ""))
        links += its
        left += reasons
    return tuple(links), left


def _terms(record: Record, created_at: datetime | None, now: datetime) -> tuple[FoundTerms, list[NotCarried]]:
    """Return the terms; older versions have the traffic in the user itself, newer ones beside it."""
    traffic = fields.mapping(record, "userTraffic") or record
    used = fields.size(traffic, "usedTrafficBytes")
    lifetime = max(used, fields.size(traffic, "lifetimeUsedTrafficBytes"))
    strategy = fields.text(record, "trafficLimitStrategy", "NO_RESET")
    told = []
    if strategy == _ROLLING:
        if created_at is None:
            sentence = (
                "its quota begins anew on the day of the month of the import: the day it was created is not known"
            )
            told.append(NotCarried(What.TERMS, sentence))
        period = Period(Reset.MONTH, month_day=(created_at or now).day)
    elif strategy in _RESETS:
        period = Period(_RESETS[strategy])
    else:
        raise Invalid(f"reset strategy {fields.shown_name(strategy)} is not known")
    terms = FoundTerms(
        quota_bytes=fields.size(record, "trafficLimitBytes") or None,
        used=Bytes(0, used),
        lifetime=Bytes(0, lifetime),
        expires_at=fields.moment_text(record, "expireAt"),
        period=period,
    )
    return terms, told


def _shown(record: Record, name: str) -> str:
    return fields.shown_name(fields.text(record, name))
