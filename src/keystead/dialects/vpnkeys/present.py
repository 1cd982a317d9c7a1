"""From values of the core to the vpnkeys wire's JSON of keys, traffic and status: names and moments as documented."""

from datetime import datetime
from typing import Any

from keystead.operations.instance.health import Report
from keystead.operations.instance.resources import Resources
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.traffic import Usage

SERVICE = "VPN Key Management API"
API_VERSION = "2.3.4"
# What the wire calls the conditions of a health check.
_CONDITIONS = {"ok": "healthy"}
_RUNNING = "running"


def key(value: VpnKey) -> dict[str, Any]:
    """Present a key."""
    return {
        "id": value.public_id,
        "name": value.name or "",
        "uuid": value.uuid,
        "created_at": moment(value.created_at),
        "is_active": value.is_active,
        "port": value.port,
        "short_id": value.short_id,
        "sni": value.server_name,
    }


def config(value: VpnKey, vless_link: str) -> dict[str, Any]:
    """Present a key with its link."""
    return {
        "key": key(value),
        "client_config": vless_link,
        "vless_url": vless_link,
        "short_id": value.short_id,
    }


def link(value: VpnKey, vless_link: str) -> dict[str, Any]:
    """Present a link under every name that clients read it by."""
    return {"key_id": value.public_id, "vless_link": vless_link, **config(value, vless_link)}


def deleted() -> dict[str, Any]:
    """Present a deletion."""
    return {"message": "Key deleted successfully"}


def traffic(usage: Usage) -> dict[str, Any]:
    """Present what a key has carried since its creation or its last reset."""
    return {
        "status": "success",
        "key_id": usage.key.public_id,
        "key_uuid": usage.key.uuid,
        "total_bytes": usage.visible.total,
        "timestamp": second(usage.read_at),
    }


def traffic_reset(ended: Usage) -> dict[str, Any]:
    """Present a reset."""
    return {
        "status": "success",
        "message": "Traffic reset successfully",
        "key_id": ended.key.public_id,
        "key_uuid": ended.key.uuid,
        "timestamp": second(ended.read_at),
    }


def service() -> dict[str, Any]:
    """Present liveness, where no other dialect shares the door."""
    return {"message": SERVICE, "version": API_VERSION, "status": _RUNNING}


def health(report: Report, left: Resources, now: datetime, uptime_s: float) -> dict[str, Any]:
    """Present how the service is doing: what runs, and what is left of the machine."""
    reasons = [*report.reasons, *left.reasons]
    status = "degraded" if reasons and report.status == "ok" else _CONDITIONS.get(report.status, report.status)
    is_serving = report.engine is not None and report.engine.is_serving
    return {
        "status": status,
        "timestamp": second(now),
        "version": API_VERSION,
        "services": {
            "xray": _RUNNING if is_serving else (report.engine or "unknown"),
            "api": _RUNNING,
            "storage": "unavailable" if report.engine is None else _RUNNING,
        },
        "resources": {
            "memory_usage_percent": left.memory_used_percent,
            "memory_available_mb": left.free_memory_mb,
            "disk_usage_percent": left.disk_used_percent,
            "disk_free_gb": left.free_disk_gb,
        },
        "uptime_seconds": int(uptime_s),
        "reasons": reasons,
    }


def moment(at: datetime) -> str:
    """Present a moment as ISO 8601 with microseconds, in UTC and without saying so."""
    return at.replace(tzinfo=None).isoformat(timespec="microseconds")


def second(at: datetime) -> str:
    """Present a moment as ISO 8601 without a fraction, in UTC and without saying so."""
    return at.replace(tzinfo=None).isoformat(timespec="seconds")
