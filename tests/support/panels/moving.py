"""Panels whose customers can be dialled: each behind the same target, at a port and with a pair of its own.

Every panel has one customer with terms and traffic, and one of whom nothing can be carried.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from keystead.importing.found import Source
from keystead.keeper.ports import free_loopback_port
from tests.support import xray
from tests.support.panels import parts
from tests.support.panels.marzban import Marzban
from tests.support.panels.parts import GIB, SHORT_IDS, VISION
from tests.support.panels.pasarguard import PasarGuard
from tests.support.panels.remnawave import Remnawave, iso
from tests.support.panels.veilxray import VeilXray

TAG = "vless-reality"
QUOTA, USED = 50 * GIB, 3 * GIB
ENDS = datetime.now(UTC).replace(microsecond=0) + timedelta(days=20)


@dataclass(frozen=True)
class Moving:
    """A panel as it is left: its files, the links it handed out, and what they were sold with.

    ``listener`` is what the panel has its Xray run; ``left`` are those who stay behind, with a word of the reason.
    """

    source: Source
    files: tuple[Path, ...]
    listener: Mapping[str, Any]
    links: Mapping[str, xray.Profile]
    left: Mapping[str, str]
    terms: Mapping[str, object] = field(default_factory=dict)


def all_of(directory: Path, target_port: int) -> list[Moving]:
    """Make every panel, with customers of different UUIDs."""
    makers: list[Callable[[Path, dict[str, Any]], Moving]] = [_marzban, _pasarguard, _remnawave, _veil_xray]
    made = []
    for number, maker in enumerate(makers):
        own = directory / f"panel-{number}"
        own.mkdir()
        made.append(maker(own, listener(number, target_port)))
    return made


def listener(number: int, target_port: int) -> dict[str, Any]:
    """Return an inbound that hides behind a target on loopback, with the pair of a number."""
    target = {"dest": f"127.0.0.1:{target_port}", "serverNames": [xray.SERVER_NAME]}
    reality = parts.reality(number, **target)
    stream = parts.stream(number, realitySettings=reality)
    return parts.inbound(TAG, free_loopback_port(), number=number, listen="127.0.0.1", streamSettings=stream)


def _link(listener: Mapping[str, Any], number: int, ident: int, short_id: str) -> xray.Profile:
    key = parts.pair(number).public_key
    return xray.Profile("127.0.0.1", listener["port"], parts.uuid_of(ident), key, short_id, flow=VISION)


def _with_client(listener: dict[str, Any], ident: int) -> dict[str, Any]:
    """Return a listener as the panel has it run with a customer."""
    client = {"id": parts.uuid_of(ident), "flow": VISION, "email": f"{ident}"}
    return {**listener, "settings": {"clients": [client], "decryption": "none"}}


def _marzban(directory: Path, listener: dict[str, Any]) -> Moving:
    panel = Marzban(listener, parts.trojan("TROJAN", 8443))
    panel.user("maria", 11, data_limit=QUOTA, used_traffic=USED, expire=parts.seconds(ENDS))
    panel.user("mario", 12, proxies={"trojan": {"password": "secret"}})
    links = {"maria": _link(listener, 0, 11, SHORT_IDS[1])}
    return Moving(
        Source.MARZBAN, panel.write(directory), _with_client(listener, 11), links, {"mario": "trojan"}, _terms()
    )


def _pasarguard(directory: Path, listener: dict[str, Any]) -> Moving:
    panel = PasarGuard()
    panel.core("main", listener, parts.trojan("TROJAN", 8443))
    panel.groups = {"plain": [TAG], "trojan": ["TROJAN"]}
    panel.user("paula", 21, "plain", data_limit=QUOTA, used_traffic=USED, expire=parts.naive(ENDS))
    panel.user("paul", 22, "trojan")
    links = {"paula": _link(listener, 1, 21, SHORT_IDS[0])}
    return Moving(
        Source.PASARGUARD, (panel.write(directory),), _with_client(listener, 21), links, {"paul": "trojan"}, _terms()
    )


def _remnawave(directory: Path, listener: dict[str, Any]) -> Moving:
    panel = Remnawave()
    panel.profile("main", listener, parts.trojan("TROJAN", 8443))
    panel.squad("plain", TAG)
    panel.squad("trojan", "TROJAN")
    panel.user("rosa", 31, "plain", used=USED, trafficLimitBytes=QUOTA, expireAt=iso(ENDS))
    panel.user("ross", 32, "trojan")
    links = {"rosa": _link(listener, 2, 31, SHORT_IDS[1])}
    return Moving(
        Source.REMNAWAVE, panel.write(directory), _with_client(listener, 31), links, {"ross": "trojan"}, _terms()
    )


def _veil_xray(directory: Path, listener: dict[str, Any]) -> Moving:
    panel = VeilXray()
    panel.inbounds[0] = listener
    panel.key("vera", 41)
    panel.traffic.append({"key_id": 41, "upload": GIB, "download": 2 * GIB, "updated_at": parts.seconds(parts.CREATED)})
    panel.key("twin", 42)
    panel.key("other twin", 43, uuid=parts.twin_of(parts.uuid_of(42)))
    links = {"vera": _link(listener, 3, 41, SHORT_IDS[0])}
    left = {"twin": "other twin", "other twin": "twin"}
    return Moving(Source.VEIL_XRAY, panel.write(directory), _with_client(listener, 41), links, left)


def _terms() -> dict[str, object]:
    return {"quota_bytes": QUOTA, "expires_at": ENDS}
