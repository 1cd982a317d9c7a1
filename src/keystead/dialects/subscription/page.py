"""The page a customer sees when the subscription's address is opened in a browser.

Pure: a ``PageModel`` becomes HTML text. The page loads nothing: style and script stand inside it and are let through
the content security policy by their hashes. Without scripts everything works except the copy buttons, which then do
not appear; the texts they copy can be selected.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from keystead.dialects.subscription import texts
from keystead.dialects.subscription.apps import App, Platform, apps
from keystead.dialects.subscription.texts import Language
from keystead.vpn import families
from keystead.vpn.families import Family
from keystead.vpn.links import vless_link
from keystead.vpn.profiles import qr
from keystead.vpn.profiles.forms import Format
from keystead.vpn.profiles.titles import titled
from keystead.vpn.values import ClientProfile, Usage

if TYPE_CHECKING:
    import jinja2

_FILES = (
    (Format.BASE64, "v2rayN, v2rayNG, Shadowrocket"),
    (Format.XRAY, "Xray"),
    (Format.SING_BOX, "sing-box"),
    (Format.MIHOMO, "mihomo, Clash"),
    (Format.LINKS, "vless://"),
)


_UNNAMED = frozenset(row.family for row in families.ROWS if row.sends_hwid is False)


@dataclass(frozen=True)
class PageModel:
    """Everything the page shows; ``platform`` is the device whose instructions come first and open.

    With a limit of devices neither the key nor files are shown: they would work on any number of them. Programs of a
    ``refused`` family are not recommended, nor with a limit those that never name their device.
    """

    title: str
    profiles: Sequence[ClientProfile]
    usage: Usage
    is_active: bool
    subscription_url: str
    language: Language
    platform: Platform
    support_url: str | None = None
    devices: tuple[int, int] | None = None
    refused: frozenset[Family] = frozenset()


@dataclass(frozen=True)
class _Assets:
    template: "jinja2.Template"
    style: str
    script: str


def render(model: PageModel) -> str:
    """Return the page as HTML text."""
    assets = _assets()
    useless = model.refused | (_UNNAMED if model.devices else frozenset())
    return assets.template.render(
        model=model,
        t=texts.TEXTS[model.language],
        languages=tuple(Language),
        style=assets.style,
        script=assets.script,
        code=qr.svg_element(model.subscription_url),
        keys=[(name, vless_link(profile)) for name, profile in titled(model.profiles, model.title)],
        platforms=_own_first(apps(model.subscription_url, model.title, useless), model.platform),
        files=_FILES,
        traffic=_traffic(model.usage, model.language),
        expires=texts.day(model.usage.expires_at, model.language) if model.usage.expires_at else None,
    )


@cache
def content_security_policy() -> str:
    """Return the policy of the page: nothing but its own style and script, in no frame."""
    assets = _assets()
    return (
        f"default-src 'none'; style-src {_hash(assets.style)}; script-src {_hash(assets.script)}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@cache
def _assets() -> _Assets:
    import jinja2  # what nobody has looked at yet takes no memory

    folder = files("keystead.dialects.subscription") / "templates"
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.lstrip_blocks = True
    return _Assets(
        template=environment.from_string((folder / "page.html").read_text("utf-8")),
        style=(folder / "page.css").read_text("utf-8"),
        script=(folder / "page.js").read_text("utf-8"),
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _own_first(platforms: Mapping[Platform, tuple[App, ...]], own: Platform) -> dict[Platform, tuple[App, ...]]:
    return {own: platforms[own], **platforms}


def _traffic(usage: Usage, spoken: Language) -> dict[str, object]:
    quota = usage.total_quota
    shown: dict[str, object] = {
        "total": texts.size(usage.total, spoken),
        "upload": texts.size(usage.upload, spoken),
        "download": texts.size(usage.download, spoken),
        "quota": None,
    }
    if quota:
        shown |= {
            "quota": texts.size(quota, spoken),
            "left": texts.size(max(0, quota - usage.total), spoken),
            "share": min(100, round(100 * usage.total / quota)),
        }
    return shown
