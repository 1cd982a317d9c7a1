"""A mihomo (Clash.Meta) configuration in YAML: for mihomo, Clash Verge, FlClash and Stash.

Classic Clash knows no VLESS and is not served. Field names are those of wiki.metacubex.one (proxies/vless, dns).

Choices, with reasons:

- No ``GEOIP``/``GEOSITE`` rules and no ``fallback`` DNS: mihomo would download its databases before it starts.
- The values of a proxy are always quoted: a short id such as ``7e450505`` is a number to a YAML 1.2 parser, and a
  server that expects ``7e450505`` never sees it.
- The proxy's own host name is resolved by the system's resolver, other names inside the tunnel.
- TUN stays the app's own switch; the mixed port listens on this machine alone.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import yaml

from keystead.vpn.profiles.private import NETWORKS
from keystead.vpn.profiles.titles import titled
from keystead.vpn.values import ClientProfile

if TYPE_CHECKING:
    from yaml.nodes import ScalarNode

_SELECTOR = "PROXY"
_AUTOMATIC = "AUTO"
_BUILT_IN = ("DIRECT", "REJECT", "REJECT-DROP", "PASS", "COMPATIBLE", "GLOBAL")
# Both answer 204 without a body; plain HTTP measures the tunnel and not a second TLS handshake.
_PROBE_URL = "http://www.gstatic.com/generate_204"


class _Quoted(str):
    """A text that YAML must show in double quotes."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """The safe dumper, with quoted texts and without aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _quoted(dumper: _Dumper, text: _Quoted) -> "ScalarNode":
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"')


_Dumper.add_representer(_Quoted, _quoted)


def render(profiles: Sequence[ClientProfile], title: str) -> str:
    """Return the configuration with one proxy per profile."""
    named = titled(profiles, title, reserved=(_SELECTOR, _AUTOMATIC, *_BUILT_IN))
    return str(yaml.dump(_configuration(named), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000))


def _configuration(named: Sequence[tuple[str, ClientProfile]]) -> dict[str, object]:
    return {
        "mixed-port": 7890,
        "allow-lan": False,
        "mode": "rule",
        "log-level": "warning",
        "ipv6": True,
        "profile": {"store-selected": True},
        "dns": {
            "enable": True,
            "ipv6": True,
            "enhanced-mode": "fake-ip",
            "fake-ip-range": "198.18.0.1/16",
            "fake-ip-filter": ["*.lan", "*.local"],
            "default-nameserver": ["system", "1.1.1.1"],
            "nameserver": [f"https://1.1.1.1/dns-query#{_SELECTOR}"],
            "proxy-server-nameserver": ["system"],
        },
        "proxies": [_proxy(name, profile) for name, profile in named],
        "proxy-groups": _groups([_Quoted(name) for name, _ in named]),
        "rules": [*(_direct(network) for network in NETWORKS), f"MATCH,{_SELECTOR}"],
    }


def _proxy(name: str, profile: ClientProfile) -> dict[str, object]:
    flow = {"flow": _Quoted(profile.flow)} if profile.flow else {}
    return {
        "name": _Quoted(name),
        "type": "vless",
        "server": _Quoted(profile.host),
        "port": profile.port,
        "uuid": _Quoted(profile.uuid),
        "network": "tcp",
        "udp": True,
        "tls": True,
        "servername": _Quoted(profile.server_name),
        **flow,
        "packet-encoding": "xudp",
        "client-fingerprint": _Quoted(profile.fingerprint),
        "reality-opts": {"public-key": _Quoted(profile.public_key), "short-id": _Quoted(profile.short_id)},
    }


def _groups(names: list[_Quoted]) -> list[dict[str, object]]:
    if len(names) == 1:
        return [{"name": _SELECTOR, "type": "select", "proxies": names}]
    return [
        {"name": _SELECTOR, "type": "select", "proxies": [_AUTOMATIC, *names]},
        {"name": _AUTOMATIC, "type": "url-test", "proxies": names, "url": _PROBE_URL, "interval": 300},
    ]


def _direct(network: str) -> str:
    kind = "IP-CIDR6" if ":" in network else "IP-CIDR"
    return f"{kind},{network},DIRECT,no-resolve"
