"""Full Xray client configurations: for ``xray run``, v2rayN ≥ 6.40, v2rayNG ≥ 1.8.29, Happ ≥ 1.63.1 and Streisand.

One profile is one object, so that the file also starts with ``xray run -config``; several are an array of complete
configurations, which these clients show as one entry each under its ``remarks`` (a key the core itself ignores).

Choices, with reasons:

- Nothing names ``geoip:`` or ``geosite:``: without the data files the core would not start, and a first start through
  a blocked network cannot download them. Private ranges are written out.
- ``publicKey``, not the newer ``password``: the core reads both (infra/conf/transport_internet.go, v26.7.28), the older
  cores inside client apps read only the first.
- DNS servers are named: Happ builds a balancer from several entries and fails with an empty DNS section.
- Sniffing is for routing only, so that the server dials the address the customer's own resolver found.
- The local SOCKS and HTTP inbounds listen on 127.0.0.1 alone.
"""

import json
from collections.abc import Sequence

from keystead.vpn.profiles.private import NETWORKS
from keystead.vpn.profiles.titles import titled
from keystead.vpn.values import ClientProfile

SOCKS_PORT = 10808
HTTP_PORT = 10809
_SNIFFING = {"enabled": True, "destOverride": ["http", "tls", "quic"], "routeOnly": True}


def render(profiles: Sequence[ClientProfile], title: str) -> str:
    """Return one configuration for one profile, or an array of them for several."""
    files = [_configuration(name, profile) for name, profile in titled(profiles, title)]
    return json.dumps(files[0] if len(files) == 1 else files, ensure_ascii=False, indent=2) + "\n"


def outbound(profile: ClientProfile) -> dict[str, object]:
    """Return the VLESS outbound of a profile, tagged ``proxy``."""
    user = {"id": profile.uuid, "encryption": "none", "flow": profile.flow}
    return {
        "tag": "proxy",
        "protocol": "vless",
        "settings": {"vnext": [{"address": profile.host, "port": profile.port, "users": [user]}]},
        "streamSettings": {
            "network": "tcp",
            "security": "reality",
            "realitySettings": {
                "serverName": profile.server_name,
                "fingerprint": profile.fingerprint,
                "publicKey": profile.public_key,
                "shortId": profile.short_id,
            },
        },
    }


def _configuration(name: str, profile: ClientProfile) -> dict[str, object]:
    return {
        "remarks": name,
        "log": {"loglevel": "warning"},
        "dns": {"servers": ["1.1.1.1", "8.8.8.8"]},
        "inbounds": [
            _inbound("socks", SOCKS_PORT, {"auth": "noauth", "udp": True}),
            _inbound("http", HTTP_PORT, {}),
        ],
        "outbounds": [
            outbound(profile),
            {"tag": "direct", "protocol": "freedom"},
            {"tag": "block", "protocol": "blackhole"},
        ],
        "routing": {
            "domainStrategy": "AsIs",
            "rules": [{"type": "field", "ip": list(NETWORKS), "outboundTag": "direct"}],
        },
    }


def _inbound(protocol: str, port: int, settings: dict[str, object]) -> dict[str, object]:
    return {
        "tag": protocol,
        "protocol": protocol,
        "listen": "127.0.0.1",
        "port": port,
        "settings": settings,
        "sniffing": _SNIFFING,
    }
