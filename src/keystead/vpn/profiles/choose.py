"""Which format a program gets when it does not ask for one: decided by its User-Agent, first matching row first.

The table's order matters, because programs name each other: Hiddify says ``like ClashMeta v2ray sing-box``, NekoBox
``Prefer ClashMeta Format``. Sources: Marzban app/routers/subscription.py, the response rules of PasarGuard and
Remnawave, and the User-Agents quoted beside the rows.
"""

import re
from enum import StrEnum


class Format(StrEnum):
    """A form a subscription can be read in; the value is its name in a path."""

    BASE64 = "base64"
    LINKS = "links"
    XRAY = "xray"
    SING_BOX = "sing-box"
    MIHOMO = "mihomo"
    PAGE = "page"


_RULES: tuple[tuple[re.Pattern[str], Format], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), form)
    for pattern, form in (
        # HiddifyNext/4.1.1 (android) like ClashMeta v2ray sing-box; Karing names other programs too. Both are built
        # on sing-box and keep a REALITY outbound exactly as it is written.
        (r"hiddify|karing", Format.SING_BOX),
        # v2rayN/6.40, v2rayNG/1.8.29, v2raytun/ios, Shadowrocket/2070 CFNetwork/…, Streisand/…, Happ/1.63.1, V2Box/…,
        # NekoBox/Android/1.3.1 (Prefer ClashMeta Format): all are Xray-like and keep their own routing and DNS
        # settings only when they import links.
        (r"v2rayn|v2raytun|shadowrocket|streisand|\bhapp\b|v2box|nekobox|nekoray|foxray|throne", Format.BASE64),
        # SFA/1.12.0 (466; sing-box 1.12.0; language en_US), SFI, SFM, SFT and the bare core.
        (r"sing-?box|^sf[aimt]/", Format.SING_BOX),
        # mihomo/1.19, ClashMetaForAndroid/2.11, clash-verge/v2.0, FlClash/0.8, Stash/3.0, clash.meta.
        (r"mihomo|clash|\bstash\b", Format.MIHOMO),
    )
)


def choose(user_agent: str, accept: str) -> Format:
    """Return the format for a program; a browser (one that accepts HTML) gets the page, the unknown get base64.

    Base64 is the default because it is the oldest form, and a client that cannot say its name is an old one.
    """
    for pattern, form in _RULES:
        if pattern.search(user_agent):
            return form
    return Format.PAGE if "text/html" in accept.lower() else Format.BASE64
