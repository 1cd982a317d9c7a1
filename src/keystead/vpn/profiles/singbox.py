"""A sing-box client configuration: for SFA, SFI, SFM, Karing and Hiddify.

Valid for sing-box 1.12 to 1.14: DNS servers in the typed form of 1.12 (the old one is gone in 1.14), rule actions in
place of the special outbounds removed in 1.13, ``default_domain_resolver`` for the server's own name
(sing-box.sagernet.org/migration and /deprecated).

Choices, with reasons:

- A TUN inbound and nothing else. A SOCKS port on a phone would tell every other app there the address of the server.
- The TUN ``stack`` is left out: the best one depends on how the app was built, and the app knows.
- No rule sets: they would have to be downloaded before the first connection.
- The server's name is resolved by the system's resolver; everything else by DNS over HTTPS inside the tunnel.
- A selector is always there, since apps show groups; automatic choice appears when there is something to choose from.
"""

import json
from collections.abc import Sequence

from keystead.vpn.profiles.titles import titled
from keystead.vpn.values import ClientProfile

_SELECTOR = "proxy"
_AUTOMATIC = "auto"
_DIRECT = "direct"


def render(profiles: Sequence[ClientProfile], title: str) -> str:
    """Return the configuration with one outbound per profile."""
    named = titled(profiles, title, reserved=(_SELECTOR, _AUTOMATIC, _DIRECT))
    return json.dumps(_configuration(named), ensure_ascii=False, indent=2) + "\n"


def outbound(name: str, profile: ClientProfile) -> dict[str, object]:
    """Return the VLESS outbound of a profile."""
    flow = {"flow": profile.flow} if profile.flow else {}
    return {
        "type": "vless",
        "tag": name,
        "server": profile.host,
        "server_port": profile.port,
        "uuid": profile.uuid,
        **flow,
        "packet_encoding": "xudp",
        "tls": {
            "enabled": True,
            "server_name": profile.server_name,
            "utls": {"enabled": True, "fingerprint": profile.fingerprint},
            "reality": {"enabled": True, "public_key": profile.public_key, "short_id": profile.short_id},
        },
    }


def _configuration(named: Sequence[tuple[str, ClientProfile]]) -> dict[str, object]:
    return {
        "log": {"level": "warn"},
        "dns": {
            "servers": [
                {"type": "https", "tag": "dns-tunnel", "server": "1.1.1.1", "detour": _SELECTOR},
                {"type": "local", "tag": "dns-system"},
            ],
            "final": "dns-tunnel",
            "strategy": "prefer_ipv4",
        },
        "inbounds": [
            {
                "type": "tun",
                "tag": "tun",
                "address": ["172.19.0.1/30", "fdfe:dcba:9876::1/126"],
                "auto_route": True,
                "strict_route": True,
            }
        ],
        "outbounds": [
            *_groups([name for name, _ in named]),
            *(outbound(name, profile) for name, profile in named),
            {"type": "direct", "tag": _DIRECT},
        ],
        "route": {
            "rules": [
                {"action": "sniff"},
                {"protocol": "dns", "action": "hijack-dns"},
                {"ip_is_private": True, "outbound": _DIRECT},
            ],
            "final": _SELECTOR,
            "auto_detect_interface": True,
            "default_domain_resolver": "dns-system",
        },
    }


def _groups(names: list[str]) -> list[dict[str, object]]:
    if len(names) == 1:
        return [{"type": "selector", "tag": _SELECTOR, "outbounds": names}]
    return [
        {"type": "selector", "tag": _SELECTOR, "outbounds": [_AUTOMATIC, *names], "default": _AUTOMATIC},
        {"type": "urltest", "tag": _AUTOMATIC, "outbounds": names},
    ]
