"""The answers of Remnawave's API, by libs/contract: users, internal squads, config profiles."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.panels import parts
from tests.support.panels.parts import CREATED, GIB, NOW

FAR = datetime(2099, 1, 1, tzinfo=UTC)
PAGE = 500


def own_id(number: int) -> str:
    """Return the id of a user, a squad or an inbound, which is no VLESS id."""
    return str(uuid.UUID(int=10**31 + number, version=4))


def iso(moment: datetime) -> str:
    """Return a moment as JavaScript writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Remnawave:
    """Users in internal squads, squads with inbounds, and config profiles."""

    def __init__(self) -> None:
        self.profiles: list[dict[str, Any]] = []
        self.squads: list[dict[str, Any]] = []
        self.users: list[dict[str, Any]] = []

    def profile(self, name: str, *inbounds: dict[str, Any]) -> None:
        """Add a config profile."""
        self.profiles.append(
            {"uuid": own_id(900 + len(self.profiles)), "name": name, "config": parts.config(*inbounds)}
        )

    def squad(self, name: str, *tags: str) -> None:
        """Add an internal squad."""
        inbounds = [{"uuid": own_id(800), "tag": tag, "type": "vless"} for tag in tags]
        self.squads.append({"uuid": own_id(700 + len(self.squads)), "name": name, "inbounds": inbounds})

    def user(self, username: str, number: int, *squads: str, used: int = 0, lifetime: int = 0, **more: object) -> None:
        """Add a user to squads."""
        active = [{"uuid": squad["uuid"], "name": squad["name"]} for squad in self.squads if squad["name"] in squads]
        self.users.append(
            {
                "uuid": own_id(number),
                "id": number,
                "shortUuid": f"short{number:011d}",
                "username": username,
                "status": "ACTIVE",
                "trafficLimitBytes": 0,
                "trafficLimitStrategy": "NO_RESET",
                "expireAt": iso(FAR),
                "trojanPassword": "secret",
                "vlessUuid": parts.uuid_of(number),
                "ssPassword": "secret",
                "hwidDeviceLimit": None,
                "lastTrafficResetAt": None,
                "createdAt": iso(CREATED),
                "activeInternalSquads": active,
                "userTraffic": {"usedTrafficBytes": used, "lifetimeUsedTrafficBytes": max(used, lifetime)},
                **more,
            }
        )

    def write(self, directory: Path) -> tuple[Path, Path, Path]:
        """Write the answers for users, squads and profiles; users in pages, as the API gives them."""
        pages = [
            {"response": {"users": self.users[start : start + PAGE], "total": len(self.users)}}
            for start in range(0, max(len(self.users), 1), PAGE)
        ]
        squads = {"response": {"total": len(self.squads), "internalSquads": self.squads}}
        profiles = {"response": {"total": len(self.profiles), "configProfiles": self.profiles}}
        return (
            parts.write_json(directory / "users.json", pages),
            parts.write_json(directory / "squads.json", squads),
            parts.write_json(directory / "profiles.json", profiles),
        )


def shop() -> Remnawave:
    """Return a panel with one user of each kind; nobody can wait for the first use there."""
    panel = Remnawave()
    panel.profile("main", parts.inbound("VLESS REALITY", 443), parts.trojan("TROJAN", 8443), parts.xhttp("XHTTP", 8080))
    panel.squad("plain", "VLESS REALITY")
    panel.squad("trojan", "TROJAN")
    panel.squad("xhttp", "XHTTP")
    ends, ended = iso(NOW + timedelta(days=20)), iso(NOW - timedelta(days=3))
    panel.user("normal", 1, "plain", used=3 * GIB, trafficLimitBytes=50 * GIB, expireAt=ends)
    panel.user("disabled", 2, "plain", status="DISABLED")
    panel.user("limited", 3, "plain", status="LIMITED", used=3 * GIB, trafficLimitBytes=2 * GIB)
    panel.user("expired", 4, "plain", status="EXPIRED", expireAt=ended)
    panel.user(parts.UNICODE_NAME, 6, "plain")
    panel.user("twin", 7, "plain")
    panel.user("other twin", 8, "plain", vlessUuid=parts.twin_of(parts.uuid_of(7)))
    panel.user("other protocol", 9, "trojan")
    panel.user("other transport", 10, "xhttp")
    return panel


def crowd(count: int) -> Remnawave:
    """Return a panel with many users."""
    panel = Remnawave()
    panel.profile("main", parts.inbound("VLESS REALITY", 443))
    panel.squad("plain", "VLESS REALITY")
    for number in range(1, count + 1):
        panel.user(f"user {number}", number, "plain")
    return panel
