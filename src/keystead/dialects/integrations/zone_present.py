"""From zones, domains and records to the integrations wire's JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from keystead.dialects.integrations.errors import Family, told_of
from keystead.kit.errors import Invalid, KeysteadError
from keystead.operations.domains.records import RecordOutcome
from keystead.operations.domains.zones import SettingsChanged, SyncedAll
from keystead.providers.cloudflare_answers import Json
from keystead.vault.store.zones import Domain, Zone


def zones(found: Sequence[Zone]) -> dict[str, Any]:
    """Present zones."""
    return {"ok": True, "zones": [_zone(one) for one in found]}


def zone(found: Zone) -> dict[str, Any]:
    """Present one zone."""
    return {"ok": True, "zone": _zone(found)}


def synced(found: SyncedAll) -> dict[str, Any]:
    """Present a sync; what could not be taken over is said."""
    body: dict[str, Any] = {"ok": True, "zones_synced": found.zones, "domains_synced": found.domains}
    errors = [f"{name}: zone_belongs_to_another_account" for name in found.foreign]
    errors += [f"key {one.credential_id}: {told_of(one.error, Family.ZONES).row.error}" for one in found.failures]
    return body | ({"errors": errors} if errors else {})


def domains(found: Sequence[Domain]) -> dict[str, Any]:
    """Present domains."""
    return {
        "ok": True,
        "domains": [
            {
                "id": one.id,
                "domain_name": one.name,
                "zone_id": one.zone_id,
                "key_id": one.credential_id,
                "role": one.role,
                "blocked": one.is_blocked,
            }
            for one in found
        ],
    }


def records(found: Sequence[Json]) -> dict[str, Any]:
    """Present records, as Cloudflare writes them."""
    return {"ok": True, "records": list(found)}


def record(found: Json) -> dict[str, Any]:
    """Present one record."""
    return {"ok": True, "record": found}


def batch(outcomes: Sequence[RecordOutcome]) -> dict[str, Any]:
    """Present a batch, in the order it was asked for."""
    failed = sum(one.error is not None for one in outcomes)
    results = [_outcome(one) for one in outcomes]
    return {"ok": failed == 0, "results": results, "succeeded": len(outcomes) - failed, "failed": failed}


def settings(found: Sequence[Json]) -> dict[str, Any]:
    """Present settings by name."""
    shown = {str(one.get("id")): one.get("value") for one in found}
    fixed = sorted(str(one.get("id")) for one in found if one.get("editable") is False)
    return {"ok": True, "settings": shown, "read_only": fixed}


def settings_changed(found: SettingsChanged) -> dict[str, Any]:
    """Present settings that are in force, and those that were refused."""
    body: dict[str, Any] = {"ok": not found.refused, "settings": dict(found.changed)}
    return body | ({"errors": {name: failure(one) for name, one in found.refused.items()}} if found.refused else {})


def root(domain: str, found: Zone | None, error: KeysteadError | None) -> dict[str, Any]:
    """Present one root domain of several."""
    if error is not None or found is None:
        return {"domain": domain, "ok": False} | ({} if error is None else failure(error))
    return {"domain": domain, "ok": True, "zone": _zone(found)}


def unreadable(domain: str, word: str, error: Invalid) -> dict[str, Any]:
    """Present one domain of several that is none, or for which nobody can be asked."""
    return {"domain": domain, "ok": False, "error": word, "recoverable": False, "message": error.message}


def roots(results: Sequence[Json]) -> dict[str, Any]:
    """Present several root domains."""
    failed = sum(not one["ok"] for one in results)
    return {"ok": failed == 0, "results": list(results), "succeeded": len(results) - failed, "failed": failed}


def failure(error: KeysteadError, family: Family = Family.ZONES) -> dict[str, Any]:
    """Present why one of several things failed."""
    told = told_of(error, family)
    return {"error": told.row.error, "recoverable": told.row.is_recoverable, **told.extra}


def _outcome(one: RecordOutcome) -> dict[str, Any]:
    head = {"action": one.change.action.value} | ({"id": one.change.record_id} if one.change.record_id else {})
    if one.error is not None:
        return {**head, "ok": False, **failure(one.error, Family.RECORDS)}
    return {**head, "ok": True, "record": one.record}


def _zone(found: Zone) -> dict[str, Any]:
    return {
        "id": found.id,
        "account_id": found.account_id,
        "key_id": found.credential_id,
        "cf_zone_id": found.remote_id,
        "root_domain": found.name,
        "status": found.status,
        "plan": found.plan,
        "ns_expected": ",".join(found.name_servers),
        "verified": found.status == "active",
        "missing_since": _moment(found.missing_since),
        "last_sync_at": _moment(found.synced_at),
    }


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
