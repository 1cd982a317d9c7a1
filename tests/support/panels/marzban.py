"""Marzban's database and the answers of its API, by app/db/models.py, app/models/proxy.py and app/models/user.py."""

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.support.panels import parts
from tests.support.panels.parts import CREATED, GIB, NOW, VISION

# SQLAlchemy stores the names of an Enum's members: those of ProxyTypes are not its values.
_TYPES = {"vless": "VLESS", "vmess": "VMess", "trojan": "Trojan", "shadowsocks": "Shadowsocks"}

SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, username VARCHAR(34) UNIQUE, status VARCHAR(8) NOT NULL,
    used_traffic BIGINT, data_limit BIGINT, data_limit_reset_strategy VARCHAR(8) NOT NULL, expire INTEGER,
    admin_id INTEGER, sub_revoked_at DATETIME, created_at DATETIME, note VARCHAR(500), online_at DATETIME,
    on_hold_expire_duration BIGINT, on_hold_timeout DATETIME, edit_at DATETIME);
CREATE TABLE proxies (id INTEGER PRIMARY KEY, user_id INTEGER, type VARCHAR(11) NOT NULL, settings JSON NOT NULL);
CREATE TABLE inbounds (id INTEGER PRIMARY KEY, tag VARCHAR(256) UNIQUE NOT NULL);
CREATE TABLE exclude_inbounds_association (proxy_id INTEGER, inbound_tag VARCHAR(256));
CREATE TABLE hosts (id INTEGER PRIMARY KEY, remark VARCHAR(256), address VARCHAR(256), port INTEGER,
    sni VARCHAR(1000), security VARCHAR(15), inbound_tag VARCHAR(256) NOT NULL, is_disabled BOOLEAN);
CREATE TABLE user_usage_logs (id INTEGER PRIMARY KEY, user_id INTEGER, used_traffic_at_reset BIGINT NOT NULL,
    reset_at DATETIME);
CREATE TABLE next_plans (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, data_limit BIGINT NOT NULL);
"""


class Marzban:
    """Users with their proxies, and the configuration they use."""

    def __init__(self, *inbounds: dict[str, Any]) -> None:
        self.inbounds = list(inbounds)
        self.users: list[dict[str, Any]] = []
        self.proxies: dict[str, dict[str, Any]] = {}
        self.excluded: dict[str, list[str]] = {}
        self.hosts: list[dict[str, Any]] = []
        self.resets: list[dict[str, Any]] = []

    def user(
        self,
        username: str,
        number: int,
        *,
        proxies: dict[str, Any] | None = None,
        excluded: Iterable[str] = (),
        **more: object,
    ) -> None:
        """Add a user; the inbounds it is kept out of are named by their tags."""
        self.users.append(
            {
                "id": number,
                "username": username,
                "status": "active",
                "used_traffic": 0,
                "data_limit": None,
                "data_limit_reset_strategy": "no_reset",
                "expire": None,
                "created_at": parts.naive(CREATED),
                "on_hold_expire_duration": None,
                "on_hold_timeout": None,
                **more,
            }
        )
        self.proxies[username] = proxies or {"vless": {"id": parts.uuid_of(number), "flow": VISION}}
        self.excluded[username] = list(excluded)

    def write(self, directory: Path) -> tuple[Path, Path]:
        """Write the database and the configuration."""
        proxies, excluded = [], []
        for user in self.users:
            for kind, settings in self.proxies[user["username"]].items():
                number = len(proxies) + 1
                proxies.append(
                    {"id": number, "user_id": user["id"], "type": _TYPES[kind], "settings": json.dumps(settings)}
                )
                excluded += [{"proxy_id": number, "inbound_tag": tag} for tag in self.excluded[user["username"]]]
        database = parts.write_sqlite(
            directory / "db.sqlite3",
            SCHEMA,
            {
                "users": self.users,
                "proxies": proxies,
                "inbounds": [{"tag": inbound["tag"]} for inbound in self.inbounds],
                "exclude_inbounds_association": excluded,
                "hosts": self.hosts,
                "user_usage_logs": self.resets,
            },
        )
        return database, self.write_config(directory)

    def write_config(self, directory: Path) -> Path:
        """Write the configuration."""
        return parts.write_json(directory / "xray_config.json", parts.config(*self.inbounds))

    def write_export(self, directory: Path) -> tuple[Path, Path]:
        """Write the answers of the API."""
        users = [self._exported(user) for user in self.users]
        path = parts.write_json(directory / "users.json", {"users": users, "total": len(users)})
        return path, self.write_config(directory)

    def _exported(self, user: dict[str, Any]) -> dict[str, Any]:
        name = user["username"]
        listed = {
            kind: [
                inbound["tag"]
                for inbound in self.inbounds
                if inbound["protocol"] == kind and inbound["tag"] not in self.excluded[name]
            ]
            for kind in self.proxies[name]
        }
        before = sum(row["used_traffic_at_reset"] for row in self.resets if row["user_id"] == user["id"])
        shown = {key: value for key, value in user.items() if key != "id"}
        return {
            **shown,
            "created_at": user["created_at"].replace(" ", "T"),
            "lifetime_used_traffic": before + user["used_traffic"],
            "proxies": self.proxies[name],
            "inbounds": listed,
            "subscription_url": "/sub/YW5uYSwxNzAwMDAwMDAwabcdefghij",
        }


def shop() -> Marzban:
    """Return a panel with one user of each kind."""
    panel = Marzban(parts.inbound("VLESS REALITY", 443), parts.trojan("TROJAN", 8443), parts.xhttp("XHTTP", 8080))
    vless_only = ["XHTTP"]
    ends, ended = parts.seconds(NOW + timedelta(days=20)), parts.seconds(NOW - timedelta(days=3))
    panel.user("normal", 1, excluded=vless_only, data_limit=50 * GIB, used_traffic=3 * GIB, expire=ends)
    panel.user("disabled", 2, excluded=vless_only, status="disabled")
    panel.user("limited", 3, excluded=vless_only, status="limited", data_limit=2 * GIB, used_traffic=3 * GIB)
    panel.user("expired", 4, excluded=vless_only, status="expired", expire=ended)
    panel.user("held", 5, excluded=vless_only, status="on_hold", on_hold_expire_duration=30 * parts.DAY_S)
    panel.user(parts.UNICODE_NAME, 6, excluded=vless_only)
    panel.user("twin", 7, excluded=vless_only)
    twin = {"vless": {"id": parts.twin_of(parts.uuid_of(7)), "flow": VISION}}
    panel.user("other twin", 8, excluded=vless_only, proxies=twin)
    panel.user("other protocol", 9, proxies={"trojan": {"password": "secret"}})
    panel.user("other transport", 10, excluded=["VLESS REALITY"])
    return panel


def crowd(count: int) -> Marzban:
    """Return a panel with many users."""
    panel = Marzban(parts.inbound("VLESS REALITY", 443))
    for number in range(1, count + 1):
        panel.user(f"user_{number}", number)
    return panel
