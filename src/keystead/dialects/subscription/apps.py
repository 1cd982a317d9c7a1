"""Client programs the page recommends: where to get them on each platform, and the address that adds a subscription.

Import addresses, with sources:

- Happ ``happ://add/<url>``: happ.su/main/dev-docs, deep links.
- v2RayTun ``v2raytun://import/<url>``: docs.v2raytun.com/deep-link.
- Streisand ``streisand://import/<url>#<name>``: Marzban documentation, url-scheme.
- Hiddify ``hiddify://import/<url>#<name>``: hiddify/hiddify.com docs/app/URL-Scheme.md.
- sing-box ``sing-box://import-remote-profile?url=<encoded>#<encoded>``: sing-box.sagernet.org/clients/general.
- Clash family ``clash://install-config?url=<encoded>&name=<encoded>``: docs.cfw.lbyczf.com, urlscheme; kept by
  clash-verge-rev and FlClash.

The first program of a platform is the one that needs the fewest steps.
"""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from keystead.vpn.families import Family
from keystead.vpn.profiles.forms import Format


class Platform(StrEnum):
    """A kind of device, in the order the page shows them."""

    IOS = "ios"
    ANDROID = "android"
    WINDOWS = "windows"
    MACOS = "macos"
    LINUX = "linux"


@dataclass(frozen=True)
class App:
    """A client program as one row of the page: where to get it, and the address that adds the subscription."""

    name: str
    install_url: str
    add_url: str


_SCHEMES = {
    "Happ": "happ://add/{url}",
    "v2RayTun": "v2raytun://import/{url}",
    "Streisand": "streisand://import/{url}#{name}",
    "Hiddify": "hiddify://import/{url}#{name}",
    "sing-box": "sing-box://import-remote-profile?url={sing_box}#{name}",
    "Clash Verge": "clash://install-config?url={mihomo}&name={name}",
    "FlClash": "clash://install-config?url={mihomo}&name={name}",
}

_FAMILIES = {
    "Happ": Family.HAPP,
    "v2RayTun": Family.V2RAYTUN,
    "Streisand": Family.STREISAND,
    "Hiddify": Family.HIDDIFY,
    "sing-box": Family.SING_BOX,
    "Clash Verge": Family.MIHOMO,
    "FlClash": Family.MIHOMO,
}

_APP_STORE = "https://apps.apple.com/app/"
_PLAY = "https://play.google.com/store/apps/details?id="
_GITHUB = "https://github.com/"
_HAPP_DESKTOP = f"{_GITHUB}Happ-proxy/happ-desktop/releases/latest"
_HIDDIFY_DESKTOP = f"{_GITHUB}hiddify/hiddify-app/releases/latest"
_CLASH_VERGE = f"{_GITHUB}clash-verge-rev/clash-verge-rev/releases/latest"
_FLCLASH = f"{_GITHUB}chen08209/FlClash/releases/latest"

_CATALOGUE: dict[Platform, tuple[tuple[str, str], ...]] = {
    Platform.IOS: (
        ("Happ", f"{_APP_STORE}happ-proxy-utility/id6504287215"),
        ("v2RayTun", f"{_APP_STORE}v2raytun/id6476628951"),
        ("Streisand", f"{_APP_STORE}streisand/id6450534064"),
        ("Hiddify", f"{_APP_STORE}hiddify-proxy-vpn/id6596777532"),
        ("sing-box", f"{_APP_STORE}sing-box-vt/id6673731168"),
    ),
    Platform.ANDROID: (
        ("Happ", f"{_PLAY}com.happproxy"),
        ("v2RayTun", f"{_PLAY}com.v2raytun.android"),
        ("Hiddify", f"{_PLAY}app.hiddify.com"),
        ("sing-box", f"{_PLAY}io.nekohasekai.sfa"),
        ("FlClash", _FLCLASH),
    ),
    Platform.WINDOWS: (("Happ", _HAPP_DESKTOP), ("Hiddify", _HIDDIFY_DESKTOP), ("Clash Verge", _CLASH_VERGE)),
    Platform.MACOS: (
        ("Happ", _HAPP_DESKTOP),
        ("Streisand", f"{_APP_STORE}streisand/id6450534064"),
        ("Hiddify", _HIDDIFY_DESKTOP),
        ("Clash Verge", _CLASH_VERGE),
    ),
    Platform.LINUX: (("Happ", _HAPP_DESKTOP), ("Hiddify", _HIDDIFY_DESKTOP), ("Clash Verge", _CLASH_VERGE)),
}

# Order matters: an Android device also says Linux, an iPhone also says Mac OS X.
_SIGNS = (
    ("android", Platform.ANDROID),
    ("iphone", Platform.IOS),
    ("ipad", Platform.IOS),
    ("windows", Platform.WINDOWS),
    ("mac os", Platform.MACOS),
    ("macintosh", Platform.MACOS),
    ("linux", Platform.LINUX),
)


def platform(user_agent: str) -> Platform:
    """Return the device a browser runs on; Android, the most common one, when it does not say."""
    said = user_agent.lower()
    return next((found for sign, found in _SIGNS if sign in said), Platform.ANDROID)


def apps(
    subscription_url: str, title: str, refused: frozenset[Family] = frozenset()
) -> dict[Platform, tuple[App, ...]]:
    """Return the programs of every platform with addresses that add this subscription under its title.

    Programs of a family that cannot connect are left out.
    """
    values = {
        "url": subscription_url,
        "sing_box": quote(f"{subscription_url}/{Format.SING_BOX}", safe=""),
        "mihomo": quote(f"{subscription_url}/{Format.MIHOMO}", safe=""),
        "name": quote(title, safe="", errors="replace"),
    }
    return {
        device: tuple(
            App(name, install_url, _SCHEMES[name].format_map(values))
            for name, install_url in rows
            if _FAMILIES[name] not in refused
        )
        for device, rows in _CATALOGUE.items()
    }
