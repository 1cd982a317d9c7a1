"""From values of the core to the integrations wire's JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

import orjson

from keystead.dialects.integrations import provider_words
from keystead.operations.providers.cloudflare import Result
from keystead.operations.providers.joined import Joined, Standing
from keystead.providers.registrar import RegisteredDomain
from keystead.providers.yandex_metrica import Counter, Day, Goal
from keystead.vault.credentialvalue import Credential

CONFIGURED = "Namecheap integration configured successfully"
UPDATED = "nameservers_updated"


def done() -> dict[str, Any]:
    """Present a change that says no more."""
    return {"ok": True}


def connected(result: Result) -> dict[str, Any]:
    """Present a Cloudflare account that was connected; what is left over is said."""
    body: dict[str, Any] = {"ok": True, "key_id": result.credential.id, "is_rotation": result.is_rotation}
    if result.synced is not None:
        body["sync"] = {"zones": result.synced.zones, "domains": result.synced.domains}
        if result.synced.foreign:
            body["sync"]["errors"] = [f"{name}: zone_belongs_to_another_account" for name in result.synced.foreign]
    if result.sync_problem is not None:
        body["sync_error"] = result.sync_problem
    if result.left:
        body["warnings"] = [left.value for left in result.left]
    return body


def registrar_connected(credential: Credential, balance: str) -> dict[str, Any]:
    """Present a Namecheap user that was connected."""
    return {"ok": True, "key_id": credential.id, "message": CONFIGURED, "balance": balance}


def joined(value: Joined, title: str) -> dict[str, Any]:
    """Present a provider that was connected, with what it said of the account."""
    message = f"{title} integration configured successfully"
    return {"ok": True, "key_id": value.credential.id, "message": message, **value.told}


def standing(value: Standing) -> dict[str, Any]:
    """Present how a key stands, as its provider said now; a refused one with the reason."""
    found = value.credential
    body = {"ok": True, "key_id": found.id, "status": value.status, "checked_at": _moment(found.checked_at)}
    known = None if value.refusal is None else provider_words.refusal(value.refusal)
    return {**body, **value.told} if known is None else {**body, "reason": known[0], **known[1]}


def counters(found: Sequence[Counter]) -> dict[str, Any]:
    """Present counters."""
    return {"ok": True, "counters": [asdict(one) for one in found]}


def visits(found: Sequence[Day]) -> dict[str, Any]:
    """Present visits by day."""
    return {"ok": True, "visits": [{"date": one.day.isoformat(), "visits": one.visits} for one in found]}


def goals(found: Sequence[Goal]) -> dict[str, Any]:
    """Present goals."""
    return {"ok": True, "goals": [{"id": one.id, "name": one.name, "type": one.kind} for one in found]}


def addresses(ips: Sequence[str]) -> dict[str, Any]:
    """Present the addresses that Namecheap sees."""
    return {"ok": True, "ips": list(ips)}


def domains(found: Sequence[RegisteredDomain]) -> dict[str, Any]:
    """Present domains, their ends as month, day and year; one that its registrar does not tell is empty."""
    return {"ok": True, "domains": [{"domain": one.name, "expires": _day(one.expires_on)} for one in found]}


def name_servers_set() -> dict[str, Any]:
    """Present name servers that were set."""
    return {"ok": True, "message": UPDATED}


def keys(found: Sequence[Credential], now: datetime) -> dict[str, Any]:
    """Present a list; the scope is text there, as clients of the original read it."""
    return {"ok": True, "keys": [{**_key(one, now), "provider_scope": _text(one), "client_env": None} for one in found]}


def key(value: Credential, now: datetime, *, is_scope_text: bool) -> dict[str, Any]:
    """Present a key with its scope, an object unless text is asked for."""
    head = _key(value, now)
    shown = {
        **{name: head.pop(name) for name in ("id", "account_id", "provider")},
        "provider_scope": _text(value) if is_scope_text else dict(value.scope),
        **head,
        "client_env": None,
    }
    return {"ok": True, "key": shown}


def _key(value: Credential, now: datetime) -> dict[str, Any]:
    return {
        "id": value.id,
        "account_id": value.account_id,
        "provider": value.provider,
        "key_alias": value.alias,
        "external_account_id": value.external_id,
        "status": value.status_at(now).value,
        "expires_at": _moment(value.expires_at),
        "last_used": _moment(value.last_used_at),
        "created_at": _moment(value.created_at),
    }


def _day(value: date | None) -> str:
    return "" if value is None else value.strftime("%m/%d/%Y")


def _text(value: Credential) -> str:
    return orjson.dumps(dict(value.scope)).decode()


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
