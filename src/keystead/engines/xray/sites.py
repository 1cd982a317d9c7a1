"""Sort strangers by the name they ask for, where inbounds that share a port hide behind different sites.

Called by ``config.py``. REALITY passes whoever does not authenticate on to one target, so the last inbound of a chain
passes them to a listener of the same core on loopback. That reads the server name of the TLS hello, which it leaves as
it is, and routes the connection to the site the name belongs to; what names none of them, or is no TLS, goes to the
inbound's own target. Customers' handshakes go the same way, since REALITY borrows the site's.
"""

from typing import Any

from keystead.engines.xray.state import XrayInbound

Json = dict[str, Any]

_LOOPBACK = "127.0.0.1"


def listener(inbound: XrayInbound) -> Json:
    """Return the listener that strangers of an inbound are passed on to."""
    host, _, port = inbound.target.rpartition(":")
    return {
        "tag": inbound.sites_tag,
        "listen": _LOOPBACK,
        "port": inbound.sites_port,
        "protocol": "dokodemo-door",
        "settings": {"address": host.strip("[]"), "port": int(port), "network": "tcp"},
        "sniffing": {"enabled": True, "destOverride": ["tls"], "routeOnly": True},
    }


def outbounds(inbound: XrayInbound) -> list[Json]:
    """Return a way out for each site."""
    return [_outbound(inbound, target) for target in _targets(inbound)]


def rules(inbound: XrayInbound) -> list[Json]:
    """Return the rules that lead to the sites, by name; the last one is for everything else."""
    named = [
        {
            "inboundTag": [inbound.sites_tag],
            "domain": [f"full:{name}" for name, target in inbound.sites if target == site],
            "outboundTag": _tag(inbound, site),
        }
        for site in _targets(inbound)
        if site != inbound.target
    ]
    return [*named, {"inboundTag": [inbound.sites_tag], "outboundTag": _tag(inbound, inbound.target)}]


def _targets(inbound: XrayInbound) -> list[str]:
    return list(dict.fromkeys([inbound.target, *(target for _, target in inbound.sites)]))


def _tag(inbound: XrayInbound, target: str) -> str:
    return f"{inbound.sites_tag}-{_targets(inbound).index(target)}"


def _outbound(inbound: XrayInbound, target: str) -> Json:
    """Return the way to a site; the operator named it, so that it may be on this machine or in a private network."""
    settings = {"redirect": target, "finalRules": [{"action": "allow"}]}
    return {"tag": _tag(inbound, target), "protocol": "freedom", "settings": settings}
