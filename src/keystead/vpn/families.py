"""The table of client families: how each is known, which forms it reads, and what it says of itself to a server.

One row for each family of programs and one for each core they are built on; every fact has its source beside it.
``docs/compatibility.md`` is made of this table, the choice of a subscription's form, the compatibility of keys and the
warnings of an upgrade are answered from it. Pure: who may connect with which server is in ``compatibility``.

Rows are tried from the top by User-Agent, and their order matters, because programs name each other: Hiddify says
``like ClashMeta v2ray sing-box``, NekoBox ``Prefer ClashMeta Format``.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from keystead.vpn.profiles.forms import Format

Version = tuple[int, int, int]

_NEWEST: Version = (255, 255, 255)


class Family(StrEnum):
    """Client programs that behave alike; the value is how it is stored and named on the wires."""

    HIDDIFY = "hiddify"
    KARING = "karing"
    HAPP = "happ"
    V2RAYTUN = "v2raytun"
    STREISAND = "streisand"
    SHADOWROCKET = "shadowrocket"
    NEKOBOX = "nekobox"
    XRAY = "xray"
    SING_BOX = "sing-box"
    CLASH = "clash"
    MIHOMO = "mihomo"
    STASH = "stash"
    OTHER = "other"


class Offer(StrEnum):
    """Whether clients send an X25519MLKEM768 key share: all of them, some releases, none, or nobody knows."""

    ALL = "all"
    SOME = "some"
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Core:
    """What programs are built on, as REALITY's server sees it.

    ``says`` are the lowest and the highest client version that it writes into its first message, None when nobody
    knows; ``has_vless`` is false for one that cannot speak VLESS at all.
    """

    name: str
    says: tuple[Version, Version] | None
    post_quantum: Offer
    sources: tuple[str, ...]
    has_vless: bool = True


XRAY_CORE = Core(
    "Xray",
    # Its own release; REALITY came with 1.8.0.
    ((1, 8, 0), _NEWEST),
    Offer.SOME,
    ("XTLS/Xray-core af7eb680 (infra/conf/transport_security.go)", "MHSanaei/3x-ui#6321", "MHSanaei/3x-ui#6568"),
)
SING_BOX_CORE = Core(
    "sing-box",
    ((1, 8, 1), (1, 8, 1)),
    Offer.NONE,
    ("SagerNet/sing-box common/tls/reality_client.go", "SagerNet/sing-box#4520"),
)
MIHOMO_CORE = Core(
    "mihomo",
    ((1, 8, 2), (1, 8, 2)),
    # Only with reality-opts.support-x25519mlkem768, which the profiles made here do not have.
    Offer.NONE,
    ("MetaCubeX/mihomo#2967 (component/tls/reality.go)", "MHSanaei/3x-ui#6451", "MHSanaei/3x-ui#6568"),
)
SHADOWROCKET_CORE = Core(
    "Shadowrocket's own",
    # Refused by the default of 26.7.11, served by lower ones: the version itself is not public.
    ((1, 8, 0), (26, 3, 26)),
    Offer.NONE,
    ("MHSanaei/3x-ui#5957", "Shadowrocket/config#4"),
)
CLASH_CORE = Core(
    "Clash",
    None,
    Offer.UNKNOWN,
    ("Dreamacro/clash, documentation of outbounds: Shadowsocks, VMess, Trojan, Snell, SOCKS5, HTTP",),
    has_vless=False,
)
UNKNOWN_CORE = Core("unknown", None, Offer.UNKNOWN, ())


@dataclass(frozen=True)
class Row:
    """A family: its programs, how they are recognised, the form they are given unless they ask for one, what they read.

    ``sends_hwid`` says whether its programs name the device with ``x-hwid``; None when only some do, or only when their
    user says so.
    """

    family: Family
    programs: str
    user_agent: re.Pattern[str]
    core: Core
    given: Format
    reads: tuple[Format, ...]
    sends_hwid: bool | None
    sources: tuple[str, ...] = field(default=())


def _agent(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_LINKS = (Format.BASE64, Format.LINKS)
_LINKS_AND_XRAY = (*_LINKS, Format.XRAY)
_HWID = "docs.rw/docs/features/hwid-device-limit (supported applications)"

# Xray's own JSON: v2rayN from 6.40, v2rayNG from 1.8.29, Happ from 1.63.1. Programs that take links are given links,
# because they keep their own routing and DNS settings only then.
ROWS = (
    # HiddifyNext/4.1.1 (android) like ClashMeta v2ray sing-box. It and Karing keep a REALITY outbound as it is written.
    Row(
        Family.HIDDIFY,
        "Hiddify",
        _agent(r"hiddify"),
        SING_BOX_CORE,
        Format.SING_BOX,
        (Format.SING_BOX, Format.BASE64),
        False,
        ("hiddify/hiddify-app, wiki",),
    ),
    Row(
        Family.KARING,
        "Karing",
        _agent(r"karing"),
        SING_BOX_CORE,
        Format.SING_BOX,
        (Format.SING_BOX, Format.BASE64),
        None,
        ("KaringX/karing#1952", "KaringX/clashmi#576"),
    ),
    # Happ/1.63.1/ios
    Row(
        Family.HAPP,
        "Happ",
        _agent(r"\bhapp\b"),
        XRAY_CORE,
        Format.BASE64,
        _LINKS_AND_XRAY,
        True,
        ("happ.su/main/dev-docs/app-management", _HWID, "MHSanaei/3x-ui#6568"),
    ),
    # v2raytun/ios
    Row(
        Family.V2RAYTUN,
        "v2RayTun",
        _agent(r"v2raytun"),
        XRAY_CORE,
        Format.BASE64,
        _LINKS,
        True,
        ("docs.v2raytun.com/overview/supported-headers", _HWID),
    ),
    Row(
        Family.STREISAND,
        "Streisand",
        _agent(r"streisand"),
        XRAY_CORE,
        Format.BASE64,
        _LINKS_AND_XRAY,
        None,
        ("Marzban app/routers/subscription.py",),
    ),
    # Shadowrocket/2070 CFNetwork/1410 Darwin/22.6.0
    Row(
        Family.SHADOWROCKET,
        "Shadowrocket",
        _agent(r"shadowrocket"),
        SHADOWROCKET_CORE,
        Format.BASE64,
        _LINKS,
        None,
        (_HWID,),
    ),
    # NekoBox/Android/1.3.1 (Prefer ClashMeta Format)
    Row(
        Family.NEKOBOX,
        "NekoBox, NekoRay, Throne",
        _agent(r"nekobox|nekoray|throne"),
        SING_BOX_CORE,
        Format.BASE64,
        _LINKS,
        None,
        ("MHSanaei/3x-ui#5957", _HWID),
    ),
    # v2rayN/6.40, v2rayNG/1.8.29
    Row(
        Family.XRAY,
        "v2rayN, v2rayNG, V2Box, FoXray",
        _agent(r"v2rayn|v2box|foxray"),
        XRAY_CORE,
        Format.BASE64,
        _LINKS_AND_XRAY,
        False,
        ("MHSanaei/3x-ui#6321", "2dust/v2rayNG#5134"),
    ),
    # SFA/1.12.0 (466; sing-box 1.12.0; language en_US), SFI, SFM, SFT and the bare core.
    Row(
        Family.SING_BOX,
        "sing-box (SFA, SFI, SFM, SFT)",
        _agent(r"sing-?box|^sf[aimt]/"),
        SING_BOX_CORE,
        Format.SING_BOX,
        (Format.SING_BOX,),
        False,
        ("sing-box.sagernet.org/clients",),
    ),
    # ClashforWindows/0.20.39, ClashForAndroid/2.5.12, ClashX/1.118.0; "ClashX Meta" is mihomo.
    Row(
        Family.CLASH,
        "Clash for Windows, Clash for Android, ClashX",
        _agent(r"clash-?for-?(windows|android)|clashx(?!.?meta)"),
        CLASH_CORE,
        Format.MIHOMO,
        (),
        False,
    ),
    # Stash/3.0.0
    Row(
        Family.STASH,
        "Stash",
        _agent(r"\bstash\b"),
        UNKNOWN_CORE,
        Format.MIHOMO,
        (Format.MIHOMO,),
        False,
        ("stash.wiki/en/proxy-protocols/proxy-types",),
    ),
    # mihomo/1.19, ClashMetaForAndroid/2.11, clash-verge/v2.0, FlClash/0.8, clash.meta.
    Row(
        Family.MIHOMO,
        "mihomo, Clash Verge, FlClash, Clash Meta for Android",
        _agent(r"mihomo|clash"),
        MIHOMO_CORE,
        Format.MIHOMO,
        (Format.MIHOMO,),
        False,
        ("wiki.metacubex.one/config/proxies/vless", "MetaCubeX/mihomo#3132"),
    ),
)
BY_FAMILY = {row.family: row for row in ROWS}


def of_program(user_agent: str) -> Row | None:
    """Return the family a program belongs to by what it calls itself; None for one that nobody knows."""
    return next((row for row in ROWS if row.user_agent.search(user_agent)), None)
