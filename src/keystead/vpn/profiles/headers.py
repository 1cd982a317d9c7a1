"""Response headers that client programs read beside a subscription: name, traffic, when to come again.

Sources: the README of v2board-era clients for ``subscription-userinfo``; happ.su/main/dev-docs/app-management and
docs.v2raytun.com/overview/supported-headers for the others; Hiddify's wiki for ``base64:``. Which of them a page in a
browser gets is left to the dialect.
"""

import base64
from dataclasses import dataclass
from urllib.parse import quote

from keystead.vpn.profiles.titles import printable
from keystead.vpn.values import Usage

# Happ cuts a longer title off in the middle of its base64 (happ.su, app-management, profile-title).
TITLE_LENGTH_MAX = 25
# Happ's limit of an announcement (same page).
ANNOUNCE_LENGTH_MAX = 200
_URL_SAFE = ":/?#[]@!$&'()*+,;=%-._~"


@dataclass(frozen=True)
class Card:
    """What a client shows about a subscription; ``announce`` is a line for the customer to read."""

    title: str
    usage: Usage
    update_interval_h: int
    support_url: str | None = None
    web_page_url: str | None = None
    announce: str | None = None


def headers(card: Card, *, extension: str) -> dict[str, str]:
    """Return the headers, all ASCII, for a body that would be saved under this file name extension."""
    found = {
        "subscription-userinfo": userinfo(card.usage),
        "profile-title": text_value(card.title, TITLE_LENGTH_MAX),
        "profile-update-interval": str(card.update_interval_h),
        "content-disposition": disposition(card.title, extension),
        "cache-control": "no-store",
    }
    if card.support_url:
        found["support-url"] = url_value(card.support_url)
    if card.web_page_url:
        found["profile-web-page-url"] = url_value(card.web_page_url)
    if card.announce:
        found["announce"] = text_value(card.announce, ANNOUNCE_LENGTH_MAX)
    return found


def userinfo(usage: Usage) -> str:
    """Return the traffic line: bytes, ``total=0`` for no quota, ``expire`` in Unix seconds and 0 for never."""
    expire = int(usage.expires_at.timestamp()) if usage.expires_at else 0
    return f"upload={usage.upload}; download={usage.download}; total={usage.total_quota or 0}; expire={expire}"


def text_value(text: str, length_max: int) -> str:
    """Return a text as a header value: as it is when plain ASCII, else ``base64:`` over UTF-8; cut with an ellipsis."""
    line = printable(text)
    if len(line) > length_max:
        line = f"{line[: length_max - 1].rstrip()}…"
    if line.isascii() and not line.startswith("base64:"):
        return line
    return f"base64:{base64.b64encode(line.encode()).decode()}"


def url_value(url: str) -> str:
    """Return an address as a header value."""
    return quote(url, safe=_URL_SAFE)


def disposition(title: str, extension: str) -> str:
    """Return a download name in ASCII and in UTF-8 (RFC 6266); Clash Verge names the profile after it."""
    name = "".join(letter for letter in printable(title) if letter not in '/\\"') or "VPN"
    plain = "".join(letter if letter.isascii() else "_" for letter in name)
    fallback = plain if plain.strip("_ .") else "vpn"
    return f"attachment; filename=\"{fallback}{extension}\"; filename*=UTF-8''{quote(name + extension, safe='')}"
