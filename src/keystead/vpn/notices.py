"""The data of events about VPN keys: what webhooks are told, and nothing that lets anybody connect.

A key's UUID, link and subscription are secrets of its holder and are in no event; whoever needs them asks the API.
Bytes are whole numbers. Called by verbs, right before ``work.emit``.
"""

from datetime import datetime
from typing import Literal

from keystead.vpn.keyvalue import VpnKey

Data = dict[str, object]


def about(key: VpnKey) -> Data:
    """Return the data of every event about a key; those below add to it."""
    return {
        "key": {
            "id": key.public_id,
            "number": key.number,
            "name": key.name,
            "placement": key.placement.value,
            "is_active": key.is_active,
            "created_at": key.created_at,
        }
    }


def first_used(key: VpnKey, *, at: datetime) -> Data:
    """Return what to say when a key has carried its first bytes."""
    return {**about(key), "first_used_at": at}


def warned(key: VpnKey, *, used_bytes: int, quota_bytes: int, threshold_percent: int) -> Data:
    """Return what to say when a key has used a part of its quota that is worth a warning."""
    return {**_measured(key, used_bytes, quota_bytes), "threshold_percent": threshold_percent}


def cut(key: VpnKey, *, used_bytes: int, quota_bytes: int, action: Literal["cut", "slow", "tell"]) -> Data:
    """Return what to say when a key has reached its quota, and what was done about it."""
    return {**_measured(key, used_bytes, quota_bytes), "action": action}


def expired(key: VpnKey, *, expired_at: datetime) -> Data:
    """Return what to say when a key's time is over."""
    return {**about(key), "expired_at": expired_at}


def device_refused(
    key: VpnKey, *, reason: Literal["full", "unnamed"], device_limit: int, system: str, model: str
) -> Data:
    """Return what to say when a device may not fetch a key's subscription: there are enough, or it has no id."""
    told = {"reason": reason, "device_limit": device_limit, "system": system, "model": model}
    return {**about(key), **told}


def address_refused(key: VpnKey, *, address_limit: int, active_addresses: int, at: datetime) -> Data:
    """Return what to say when a key is used from too many addresses at a time; no address is told."""
    told = {"address_limit": address_limit, "active_addresses": active_addresses, "refused_at": at}
    return {**about(key), **told}


def reset(key: VpnKey, *, upload: int, download: int, by: Literal["caller", "period"]) -> Data:
    """Return what to say when a key's traffic starts at zero: the figures that ended, in bytes, and who asked."""
    return {**about(key), "upload": upload, "download": download, "total": upload + download, "by": by}


def _measured(key: VpnKey, used_bytes: int, quota_bytes: int) -> Data:
    return {**about(key), "used_bytes": used_bytes, "quota_bytes": quota_bytes}
