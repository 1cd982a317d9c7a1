"""Every event there is, and the body in which a webhook gets one.

The body is that of the Standard Webhooks specification: ``{"type", "timestamp", "data"}``. Names are stable; a version
may add events and fields, never take one away. The data of events about keys is made in ``vpn/notices.py``, of those
about domains and credentials in ``vault/notices.py``.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import orjson


class Event(StrEnum):
    """What can have happened."""

    VPN_KEY_CREATED = "vpn.key.created"
    VPN_KEY_FIRST_USED = "vpn.key.first_used"
    VPN_KEY_WARNED = "vpn.key.warned"
    VPN_KEY_CUT = "vpn.key.cut"
    VPN_KEY_EXPIRED = "vpn.key.expired"
    VPN_KEY_RESET = "vpn.key.reset"
    VPN_KEY_ADDRESS_REFUSED = "vpn.key.address_refused"
    VPN_KEY_ENABLED = "vpn.key.enabled"
    VPN_KEY_DISABLED = "vpn.key.disabled"
    VPN_KEY_REVOKED = "vpn.key.revoked"
    VPN_KEY_DEVICE_REFUSED = "vpn.key.device_refused"
    DOMAIN_EXPIRING = "domain.expiring"
    DOMAIN_DRIFTED = "domain.drifted"
    CREDENTIAL_EXPIRING = "credential.expiring"
    CREDENTIAL_DRIFTED = "credential.drifted"
    CREDENTIAL_REFUSED = "credential.refused"
    CREDENTIAL_BALANCE_LOW = "credential.balance_low"
    ENGINE_DOWN = "engine.down"
    ENGINE_UP = "engine.up"
    WEBHOOK_TEST = "webhook.test"


def body_of(event: Event, at: datetime, data: Mapping[str, object]) -> str:
    """Return the JSON text that is stored, signed and sent, the same at every attempt."""
    return orjson.dumps({"type": event.value, "timestamp": at, "data": data}, option=orjson.OPT_UTC_Z).decode()
