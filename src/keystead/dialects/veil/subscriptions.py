"""The names under which the wire's clients ask for a subscription body, and what each is given."""

import base64
from collections.abc import Callable, Mapping

from keystead.kit.errors import Invalid
from keystead.vpn.profiles import links, singbox, xray
from keystead.vpn.values import ClientProfile

_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"

Render = Callable[[list[ClientProfile], str], str]


def _singbox_base64(profiles: list[ClientProfile], title: str) -> str:
    return base64.b64encode(singbox.render(profiles, title).encode()).decode()


FORMATS: Mapping[str, tuple[Render, str]] = {
    "base64": (links.render, _TEXT),
    "plain": (links.render_plain, _TEXT),
    "singbox": (singbox.render, _JSON),
    "singbox_b64": (_singbox_base64, _TEXT),
    "happ_json": (xray.render, _JSON),
    "xray": (xray.render, _JSON),
    "xray_json": (xray.render, _JSON),
}


def render(name: str, profile: ClientProfile) -> tuple[str, str]:
    """Return body and media type; raise Invalid for a format the wire does not have."""
    found = FORMATS.get(name)
    if found is None:
        raise Invalid(f"unknown format {name[:32]!r}", fields={"format": f"one of {', '.join(FORMATS)}"})
    return found[0]([profile], profile.name or "VPN"), found[1]
