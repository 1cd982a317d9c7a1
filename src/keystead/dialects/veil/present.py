"""From values of the core to the veil wire's JSON: names, integers and Unix seconds as documented."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

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


@dataclass(frozen=True)
class PartOfList:
    """Some keys of a list, as JSON without the brackets, and how many they are."""

    text: bytes
    count: int


def part_of_list(keys: Sequence[VpnKey]) -> PartOfList:
    """Present some keys of a list."""
    return PartOfList(orjson.dumps([key(value) for value in keys])[1:-1], len(keys))


def key_list(parts: Sequence[PartOfList]) -> dict[str, Any]:
    """Present all keys, of parts that are presented already."""
    listed = b",".join(part.text for part in parts if part.count)
    return {"keys": orjson.Fragment(b"[%b]" % listed), "total": sum(part.count for part in parts)}


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
