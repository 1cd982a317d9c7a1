"""From overviews of the core to the JSON of ``/api/system/*``: what the document names and what clients read besides.

Where two readers know one thing by two names, both are there. Moments of these endpoints are Unix seconds; those inside
``port_assignments`` are ISO 8601, as the original's.
"""

import time
from collections.abc import Sequence
from typing import Any

from keystead.dialects.vpnkeys.present import moment
from keystead.operations.vpn.overview import PortView
from keystead.vpn.overview import Comparison, OpenInbound
from keystead.vpn.store.keys import OwnPort

# The engine's own listener for us, which this wire counts beside those of keys.
_API_INBOUNDS = 1


def stamped(body: dict[str, Any]) -> dict[str, Any]:
    """Add the moment of an answer."""
    return {**body, "timestamp": int(time.time())}


def done(status: str, message: str) -> dict[str, Any]:
    """Present something that was carried out."""
    return {"message": message, "status": status}


def validation(found: Comparison) -> dict[str, Any]:
    """Present how database and engine agree."""
    wanted = [port.key.uuid for port in found.wanted]
    return {
        "synced": found.is_same,
        "synchronized": found.is_same,
        "uuid_synced": found.has_same_keys,
        **short_ids(found),
        "key_uuids": wanted,
        "config_uuids": list(found.held),
        "missing_in_config": [port.key.uuid for port in found.missing],
        "extra_in_config": list(found.extra),
        "total_keys": len(wanted),
        "total_config_clients": len(found.held),
    }


def short_ids(found: Comparison) -> dict[str, Any]:
    """Present whether each key is served where its short id is."""
    mismatches = [{"uuid": port.key.uuid, "port": port.port, "short_id": port.key.short_id} for port in found.misplaced]
    return {
        "short_id_synced": not mismatches,
        "keys_count": len(found.wanted),
        "config_count": len(found.held),
        "short_id_mismatches": mismatches,
        "short_id_mismatches_count": len(mismatches),
    }


def config_status(found: Comparison) -> dict[str, Any]:
    """Present which keys there are and which the engine holds."""
    return {
        "synchronized": found.is_same,
        "keys_json_count": len(found.wanted),
        "config_json_count": len(found.held),
        "keys_json_uuids": [port.key.uuid for port in found.wanted],
        "config_json_uuids": list(found.held),
    }


def xray_config_status(found: Comparison) -> dict[str, Any]:
    """Present what the engine has open."""
    open_now = len(found.inbounds)
    return stamped(
        {
            "status": "valid" if found.is_same else "invalid",
            "total_inbounds": open_now + _API_INBOUNDS,
            "vless_inbounds": open_now,
            "api_inbound": True,
            "api_inbounds": _API_INBOUNDS,
            "port_assignments": {str(inbound.port.port): list(inbound.uuids) for inbound in found.inbounds},
            "config_valid": found.is_same,
        }
    )


def inbound(found: OpenInbound) -> dict[str, Any]:
    """Present an inbound that the engine has open."""
    return {
        "tag": found.port.tag,
        "port": found.port.port,
        "client_count": len(found.uuids),
        "uuids": list(found.uuids),
        "short_ids": list(found.port.short_ids),
        "dest": found.port.target,
        "server_names": list(found.port.server_names),
    }


def ports(view: PortView) -> dict[str, Any]:
    """Present which ports are taken, and by which of the caller's keys."""
    allowed, shown = view.allowed, view.overview.ports
    moments = [port.key.created_at for port in shown]
    return {
        "port_assignments": {
            "used_ports": {str(port.port): _by_port(port) for port in shown},
            "port_assignments": {port.key.uuid: _by_uuid(port) for port in shown},
            "created_at": moment(min(moments)) if moments else None,
            "last_updated": moment(max(moments)) if moments else None,
        },
        "used_ports": len(allowed) - view.free,
        "available_ports": view.free,
        "max_ports": len(allowed),
        "port_range": f"{allowed.start}-{allowed.stop - 1}",
    }


def port_validation(view: PortView, issues: Sequence[str]) -> dict[str, Any]:
    """Present what is wrong with the ports."""
    numbers = {port.port for port in view.overview.ports}
    return {
        "valid": not issues,
        "issues": list(issues),
        "total_assignments": len(view.overview.ports),
        "total_used_ports": len(numbers),
    }


def _by_uuid(port: OwnPort) -> dict[str, Any]:
    return {
        "port": port.port,
        "key_id": port.key.public_id,
        "key_name": port.key.name or "",
        "assigned_at": moment(port.key.created_at),
    }


def _by_port(port: OwnPort) -> dict[str, Any]:
    told = _by_uuid(port)
    del told["port"]
    return {"uuid": port.key.uuid, **told, "is_active": port.key.is_active}
