"""From values of the core to the native API's JSON: times are RFC 3339, sets are sorted lists."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from keystead.access.permissions import written_permissions
from keystead.access.principal import Principal
from keystead.access.rotation import Progress, Rotated
from keystead.access.seal import VerifyReport
from keystead.access.store.audit import AuditRecord
from keystead.access.store.roles import Role
from keystead.access.store.tokens import Token
from keystead.access.store.users import User
from keystead.access.tokens import NewToken
from keystead.dialects.v1 import term_present
from keystead.kit.page import Page
from keystead.operations.instance.doctor import Diagnosis
from keystead.reconcile.plan import Plan
from keystead.vpn.accounting import Bytes
from keystead.vpn.connections import Presence, ShownUse
from keystead.vpn.history import History
from keystead.vpn.terms import KeyTerms, KeyTermsPage
from keystead.vpn.traffic import AccountUsage, Usage

JSON = "application/json"


def answer(body: object) -> Response:
    """Return a 200; nothing of this API may be kept by a cache."""
    return Response(dumped(body), headers={"cache-control": "no-store"}, media_type=JSON)


def empty() -> Response:
    """Return a 204."""
    return Response(status_code=204, headers={"cache-control": "no-store"})


def dumped(body: object) -> bytes:
    """Return JSON; aware moments become RFC 3339 in UTC."""
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)


def accepted(body: object) -> Response:
    """Return a 202: it has begun, and goes on by itself."""
    return Response(dumped(body), 202, {"cache-control": "no-store"}, JSON)


def created(body: object) -> Response:
    """Return a 201."""
    return Response(dumped(body), 201, {"cache-control": "no-store"}, JSON)


def key(shown: KeyTerms, presence: Presence) -> dict[str, Any]:
    """Present a key with its terms, and whether it is connected."""
    value = shown.key
    return {
        "id": value.public_id,
        "number": value.number,
        "name": value.name,
        "uuid": value.uuid,
        "placement": value.placement.value,
        "port": value.port,
        "short_id": value.short_id,
        "server_name": value.server_name,
        "flow": value.flow,
        "is_active": value.is_active,
        "is_enabled": value.is_enabled,
        "state": shown.status.value,
        "created_at": value.created_at,
        "terms": term_present.terms(shown),
        "online": presence.online,
        "last_seen_at": presence.last_seen_at,
        "addresses": presence.addresses,
        "address_use": _address_use(presence.use),
    }


def _address_use(use: ShownUse | None) -> dict[str, Any] | None:
    if use is None:
        return None
    return {"active": use.active, "refused": use.refused, "refused_addresses": use.addresses}


def key_list(page: KeyTermsPage, presence: Mapping[int, Presence]) -> dict[str, Any]:
    """Present a page of keys."""
    items = [key(shown, presence[shown.key.number]) for shown in page.items]
    return {"items": items, "total": page.total, "next": page.next}


def traffic(usage: Usage) -> dict[str, Any]:
    """Present what a key has carried."""
    lifetime = usage.lifetime
    return {
        "id": usage.key.public_id,
        **_both_ways(usage.visible),
        "lifetime_upload": lifetime.uplink,
        "lifetime_download": lifetime.downlink,
        "lifetime_total": lifetime.total,
        "billed": _both_ways(usage.counted),
        "estimated": _both_ways(usage.estimated),
        "live": _both_ways(usage.live),
        "quality": usage.quality.value,
        "read_at": usage.read_at,
    }


def history(found: History) -> dict[str, Any]:
    """Present what a key has carried by hours or days."""
    items = [{"start": bucket.start, **_both_ways(bucket.carried)} for bucket in found.buckets]
    return {"id": found.key.public_id, "step": found.step.value, "items": items}


def history_csv(found: History) -> Response:
    """Return the same as a table of comma-separated values."""
    rows = [
        f"{bucket.start:%Y-%m-%dT%H:%M:%SZ},{bucket.carried.uplink},{bucket.carried.downlink},{bucket.carried.total}"
        for bucket in found.buckets
    ]
    text = "\r\n".join(["start,upload,download,total", *rows, ""])
    return Response(text, headers={"cache-control": "no-store"}, media_type="text/csv")


def account_traffic(found: AccountUsage) -> dict[str, Any]:
    """Present what an account's keys have carried."""
    gone = found.departed
    return {
        "billed": _both_ways(found.counted),
        "estimated": _both_ways(found.estimated),
        "live": _both_ways(found.live),
        "quality": found.quality.value,
        "deleted": None
        if gone is None
        else {"keys": gone.keys, "billed": _both_ways(gone.counted), "estimated": _both_ways(gone.estimated)},
    }


def token(value: Token) -> dict[str, Any]:
    """Present a token."""
    return {
        "id": value.id,
        "name": value.name,
        "kind": value.kind.value,
        "hint": value.hint,
        "permissions": written_permissions(value.permissions),
        "addresses": list(value.addresses),
        "is_confined": value.is_confined,
        "is_rate_limited": value.is_rate_limited,
        "is_owner": value.is_owner,
        "user_id": value.user_id,
        "created_at": value.created_at,
        "expires_at": value.expires_at,
        "revoked_at": value.revoked_at,
        "last_used_at": value.last_used_at,
    }


def new_token(made: NewToken) -> dict[str, Any]:
    """Present a token with its secret."""
    return token(made.token) | {"secret": made.secret.reveal()}


def without_secret(body: bytes) -> bytes:
    """Return the answer of a token's creation as it may be kept for a repeated request."""
    return dumped(orjson.loads(body) | {"secret": None})


def user(value: User) -> dict[str, Any]:
    """Present a user."""
    return {"id": value.id, "login": value.login, "is_active": value.is_active, "created_at": value.created_at}


def role(value: Role) -> dict[str, Any]:
    """Present a role."""
    return {"name": value.name, "permissions": written_permissions(value.permissions)}


def numbered(items: list[dict[str, Any]], page: Page, *, by: str = "id") -> dict[str, Any]:
    """Present a page of things that have numbers; there may be more when the page is full."""
    return {"items": items, "next": items[-1][by] if len(items) == page.limit else None}


def audit_record(value: AuditRecord) -> dict[str, Any]:
    """Present an audit record."""
    return {
        "number": value.number,
        "at": value.at,
        "request_id": value.request_id,
        "actor": value.actor,
        "verb": value.verb,
        "subject": value.subject,
        "outcome": value.outcome,
        "facts": value.facts,
        "is_sealed": value.position is not None,
    }


def verified(report: VerifyReport) -> dict[str, Any]:
    """Present a check of the audit trail."""
    return {
        "is_intact": report.is_intact,
        "sealed": report.sealed,
        "unsealed": report.unsealed,
        "discrepancies": [{"finding": found.finding.value, "message": found.message} for found in report.discrepancies],
    }


def plan(value: Plan) -> dict[str, Any]:
    """Present a plan."""
    return {**value.as_data(), "digest": value.digest, "text": str(value)}


def rotated(done: Rotated) -> dict[str, Any]:
    """Present a rotation."""
    return {"root_key": done.root.name, "resealed": done.resealed, "keys_deleted": done.keys_deleted}


def rotating(is_running: bool, progress: Progress) -> dict[str, Any]:
    """Present how far a rotation is."""
    return {"is_running": is_running, "total": progress.total, "resealed": progress.resealed}


def who(principal: Principal) -> dict[str, Any]:
    """Present the caller."""
    return {
        "actor": principal.actor,
        "account_id": principal.account_id,
        "token_id": principal.token_id,
        "user_id": principal.user_id,
        "is_confined": principal.confined_to_token is not None,
        "permissions": written_permissions(principal.permissions),
    }


def diagnosis(found: Diagnosis) -> dict[str, Any]:
    """Present the doctor's findings."""
    return {
        "status": found.status.value,
        "checks": [
            {"name": check.name, "status": check.status.value, "message": check.message, "next": check.next}
            for check in found.checks
        ],
        "settings": [
            {"name": setting.name, "value": setting.value, "origin": setting.origin} for setting in found.settings
        ],
    }


def _both_ways(carried: Bytes) -> dict[str, int]:
    return {"upload": carried.uplink, "download": carried.downlink, "total": carried.total}
