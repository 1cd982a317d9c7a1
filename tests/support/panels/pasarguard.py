"""PasarGuard's database and the answers of its API, by app/db/models.py and app/models/."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.support.panels import parts
from tests.support.panels.parts import CREATED, GIB, NOW, VISION

SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, username VARCHAR(128) UNIQUE, proxy_settings JSON DEFAULT '{}' NOT NULL,
    status VARCHAR(8) NOT NULL, used_traffic BIGINT, data_limit BIGINT, data_limit_reset_strategy VARCHAR(8) NOT NULL,
    expire DATETIME, created_at DATETIME, on_hold_expire_duration BIGINT, on_hold_timeout DATETIME, hwid_limit BIGINT);
CREATE TABLE inbounds (id INTEGER PRIMARY KEY, tag VARCHAR(256) UNIQUE NOT NULL);
CREATE TABLE groups (id INTEGER PRIMARY KEY, name VARCHAR(64) NOT NULL, is_disabled BOOLEAN DEFAULT 0 NOT NULL);
CREATE TABLE inbounds_groups_association (inbound_id INTEGER, group_id INTEGER, PRIMARY KEY (inbound_id, group_id));
CREATE TABLE users_groups_association (user_id INTEGER, groups_id INTEGER, PRIMARY KEY (user_id, groups_id));
CREATE TABLE hosts (id INTEGER PRIMARY KEY, remark VARCHAR(256), address VARCHAR(256), port INTEGER,
    sni VARCHAR(1000), inbound_tag VARCHAR(256), is_disabled BOOLEAN);
CREATE TABLE core_configs (id INTEGER PRIMARY KEY, name VARCHAR(256) NOT NULL, config JSON NOT NULL,
    type VARCHAR(7) DEFAULT 'xray', exclude_inbound_tags VARCHAR(2048), created_at DATETIME);
CREATE TABLE user_usage_logs (id INTEGER PRIMARY KEY, user_id INTEGER, used_traffic_at_reset BIGINT NOT NULL,
    reset_at DATETIME);
CREATE TABLE next_plans (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL);
"""


class PasarGuard:
    """Users in groups, groups with inbounds, and cores with configurations."""

    def __init__(self) -> None:
        self.cores: list[dict[str, Any]] = []
        self.groups: dict[str, list[str]] = {}
        self.disabled_groups: set[str] = set()
        self.users: list[dict[str, Any]] = []
        self.members: list[tuple[int, str]] = []
        self.hosts: list[dict[str, Any]] = []
        self.resets: list[dict[str, Any]] = []

    def core(self, name: str, *inbounds: dict[str, Any], excluded: str = "", kind: str = "xray") -> None:
        """Add a core."""
        self.cores.append(
            {"name": name, "config": parts.config(*inbounds), "exclude_inbound_tags": excluded, "type": kind}
        )

    def user(self, username: str, number: int, *groups: str, vless: object = None, **more: object) -> None:
        """Add a user to groups; every user has settings for every protocol."""
        settings = {
            "vmess": {"id": parts.uuid_of(number + 500_000)},
            "vless": vless or {"id": parts.uuid_of(number), "flow": VISION},
            "trojan": {"password": "secret"},
            "shadowsocks": {"password": "secret", "method": "chacha20-ietf-poly1305"},
        }
        self.users.append(
            {
                "id": number,
                "username": username,
                "proxy_settings": settings,
                "status": "active",
                "used_traffic": 0,
                "data_limit": None,
                "data_limit_reset_strategy": "no_reset",
                "expire": None,
                "created_at": parts.naive(CREATED),
                "on_hold_expire_duration": None,
                "on_hold_timeout": None,
                "hwid_limit": None,
                **more,
            }
        )
        self.members += [(number, group) for group in groups]

    def write(self, directory: Path) -> Path:
        """Write the database."""
        tags = list(dict.fromkeys(tag for of_group in self.groups.values() for tag in of_group))
        names = list(self.groups)
        tables: dict[str, Any] = {
            "users": [{**user, "proxy_settings": json.dumps(user["proxy_settings"])} for user in self.users],
            "inbounds": [{"id": number, "tag": tag} for number, tag in enumerate(tags, 1)],
            "groups": [
                {"id": number, "name": name, "is_disabled": name in self.disabled_groups}
                for number, name in enumerate(names, 1)
            ],
            "inbounds_groups_association": [
                {"inbound_id": tags.index(tag) + 1, "group_id": names.index(name) + 1}
                for name, of_group in self.groups.items()
                for tag in of_group
            ],
            "users_groups_association": [
                {"user_id": user, "groups_id": names.index(name) + 1} for user, name in self.members
            ],
            "hosts": self.hosts,
            "core_configs": [{**core, "config": json.dumps(core["config"])} for core in self.cores],
            "user_usage_logs": self.resets,
        }
        return parts.write_sqlite(directory / "db.sqlite3", SCHEMA, tables)

    def write_export(self, directory: Path) -> tuple[Path, Path, Path]:
        """Write the answers of the API for users, groups and cores."""
        names = list(self.groups)
        users = [
            {
                **user,
                "created_at": user["created_at"].replace(" ", "T") + "Z",
                "expire": user["expire"] and user["expire"].replace(" ", "T") + "Z",
                "lifetime_used_traffic": user["used_traffic"],
                "group_ids": [names.index(name) + 1 for number, name in self.members if number == user["id"]],
            }
            for user in self.users
        ]
        groups = [
            {"id": number, "name": name, "inbound_tags": tags, "is_disabled": name in self.disabled_groups}
            for number, (name, tags) in enumerate(self.groups.items(), 1)
        ]
        cores = [
            {
                **core,
                "id": number,
                "exclude_inbound_tags": [tag for tag in core["exclude_inbound_tags"].split(",") if tag],
            }
            for number, core in enumerate(self.cores, 1)
        ]
        return (
            parts.write_json(directory / "users.json", {"users": users, "total": len(users)}),
            parts.write_json(directory / "groups.json", {"groups": groups, "total": len(groups)}),
            parts.write_json(directory / "cores.json", {"cores": cores, "count": len(cores)}),
        )


def shop() -> PasarGuard:
    """Return a panel with one user of each kind."""
    panel = PasarGuard()
    panel.core("main", parts.inbound("VLESS REALITY", 443), parts.trojan("TROJAN", 8443), parts.xhttp("XHTTP", 8080))
    panel.groups = {"plain": ["VLESS REALITY"], "trojan": ["TROJAN"], "xhttp": ["XHTTP"]}
    ends, ended = parts.naive(NOW + timedelta(days=20)), parts.naive(NOW - timedelta(days=3))
    panel.user("normal", 1, "plain", data_limit=50 * GIB, used_traffic=3 * GIB, expire=ends)
    panel.user("disabled", 2, "plain", status="disabled")
    panel.user("limited", 3, "plain", status="limited", data_limit=2 * GIB, used_traffic=3 * GIB)
    panel.user("expired", 4, "plain", status="expired", expire=ended)
    panel.user("held", 5, "plain", status="on_hold", on_hold_expire_duration=30 * parts.DAY_S)
    panel.user(parts.UNICODE_NAME, 6, "plain")
    panel.user("twin", 7, "plain")
    panel.user("other twin", 8, "plain", vless={"id": parts.twin_of(parts.uuid_of(7)), "flow": VISION})
    panel.user("other protocol", 9, "trojan")
    panel.user("other transport", 10, "xhttp")
    return panel


def crowd(count: int) -> PasarGuard:
    """Return a panel with many users."""
    panel = PasarGuard()
    panel.core("main", parts.inbound("VLESS REALITY", 443))
    panel.groups = {"plain": ["VLESS REALITY"]}
    for number in range(1, count + 1):
        panel.user(f"user {number}", number, "plain")
    return panel
