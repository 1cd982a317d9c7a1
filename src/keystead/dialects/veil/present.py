"""From values of the core to the veil wire's JSON: names, integers and Unix seconds as documented."""

from typing import Any

from keystead.vpn.keys import KeyPage
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.traffic import SyncReport, Usage

SERVICE = "veil-xray-api"
API_VERSION = "1.3.1"


def key(value: VpnKey) -> dict[str, Any]:
    """Present a key."""
    return {
        "key_id": value.number,
        "uuid": value.uuid,
        "short_id": value.short_id,
        "name": value.name,
        "created_at": int(value.created_at.timestamp()),
        "is_active": value.is_active,
    }


def key_list(page: KeyPage) -> dict[str, Any]:
    """Present all keys."""
    return {"keys": [key(value) for value in page.keys], "total": page.total}


def deleted(value: VpnKey) -> dict[str, Any]:
    """Present a deletion."""
    return {"success": True, "message": f"Key {value.number} deleted successfully"}


def link(value: VpnKey, vless_link: str) -> dict[str, Any]:
    """Present a link."""
    return {"key_id": value.number, "vless_link": vless_link}


def config(value: VpnKey, vless_link: str) -> dict[str, Any]:
    """Present a link under every name clients read it by."""
    return link(value, vless_link) | dict.fromkeys(("client_config", "vless_url", "config"), vless_link)


def traffic(usage: Usage) -> dict[str, Any]:
    """Present what a key has carried since its last reset."""
    return {
        "key_id": usage.key.number,
        "upload": usage.visible.uplink,
        "download": usage.visible.downlink,
        "total": usage.visible.total,
        "last_updated": int(usage.read_at.timestamp()),
    }


def traffic_reset(ended: Usage) -> dict[str, Any]:
    """Present the figures a reset ended."""
    return {
        "success": True,
        "message": f"Traffic reset successfully for key {ended.key.number}",
        "key_id": ended.key.number,
        "previous_upload": ended.visible.uplink,
        "previous_download": ended.visible.downlink,
        "previous_total": ended.visible.total,
    }


def traffic_sync(report: SyncReport) -> dict[str, Any]:
    """Present how a sync went."""
    return {
        "success": report.errors == 0,
        "message": f"Synced {report.updated} keys, {report.errors} errors",
        "updated": report.updated,
        "errors": report.errors,
    }


def service() -> dict[str, Any]:
    """Present liveness: the two documented fields first, then what other clients of the same paths read."""
    return {"status": "ok", "service": SERVICE, "message": "VPN Key Management API", "version": API_VERSION}
