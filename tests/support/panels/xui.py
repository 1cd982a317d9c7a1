"""A database of 3x-ui, by the models of internal/database/model/model.go and internal/xray/client_traffic.go."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.support.panels import parts
from tests.support.panels.parts import CREATED, GIB, NOW, VISION

SCHEMA = """
CREATE TABLE inbounds (id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER, up INTEGER, down INTEGER, total INTEGER,
    remark TEXT, enable NUMERIC, expiry_time INTEGER, traffic_reset TEXT DEFAULT 'never',
    traffic_reset_day INTEGER DEFAULT 1, listen TEXT, port INTEGER, protocol TEXT, settings TEXT, stream_settings TEXT,
    tag TEXT UNIQUE, sniffing TEXT, node_id INTEGER);
CREATE TABLE client_traffics (id INTEGER PRIMARY KEY AUTOINCREMENT, inbound_id INTEGER, enable NUMERIC,
    email TEXT UNIQUE, up INTEGER, down INTEGER, all_time INTEGER, expiry_time INTEGER, total INTEGER,
    reset INTEGER DEFAULT 0, reset_day INTEGER DEFAULT 0, reset_weekday INTEGER DEFAULT 0,
    reset_max INTEGER DEFAULT 0, reset_count INTEGER DEFAULT 0, last_online INTEGER DEFAULT 0);
CREATE TABLE settings (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT, value TEXT);
"""
# As version 2.3 had them, before lifetimes, cycles and nodes.
OLD_SCHEMA = """
CREATE TABLE inbounds (id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER, up INTEGER, down INTEGER, total INTEGER,
    remark TEXT, enable NUMERIC, expiry_time INTEGER, listen TEXT, port INTEGER, protocol TEXT, settings TEXT,
    stream_settings TEXT, tag TEXT UNIQUE, sniffing TEXT, allocate TEXT);
CREATE TABLE client_traffics (id INTEGER PRIMARY KEY AUTOINCREMENT, inbound_id INTEGER, enable NUMERIC,
    email TEXT UNIQUE, up INTEGER, down INTEGER, expiry_time INTEGER, total INTEGER, reset INTEGER DEFAULT 0);
"""


@dataclass
class Xui:
    """Inbounds with their clients, and the clients' traffic."""

    schema: str = SCHEMA
    inbounds: list[dict[str, Any]] = field(default_factory=list)
    stats: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)

    def inbound(self, tag: str, port: int, *, protocol: str = "vless", stream: Any = None, **more: object) -> None:
        """Add an inbound; clients are added to it by its tag."""
        shown = {"publicKey": parts.pair().public_key, "fingerprint": "chrome"}
        default = parts.stream(realitySettings=parts.reality(settings=shown))
        self.inbounds.append(
            {
                "enable": 1,
                "listen": "",
                "port": port,
                "protocol": protocol,
                "settings": {"clients": [], "decryption": "none", "fallbacks": []},
                "stream_settings": default if stream is None else stream,
                "tag": tag,
                "expiry_time": 0,
                "total": 0,
                **more,
            }
        )

    def client(self, tag: str, email: str, number: int, *, stat: dict[str, Any] | None = None, **more: object) -> None:
        """Add a client to an inbound, with its row of traffic unless it has one."""
        record = {
            "id": parts.uuid_of(number),
            "flow": VISION,
            "email": email,
            "limitIp": 0,
            "totalGB": 0,
            "expiryTime": 0,
            "enable": True,
            "subId": f"sub-{number:013d}",
            "reset": 0,
            "created_at": parts.milliseconds(CREATED),
            **more,
        }
        inbound = next(inbound for inbound in self.inbounds if inbound["tag"] == tag)
        inbound["settings"]["clients"].append(record)
        if all(row["email"] != email for row in self.stats[-50:]):
            base = {"total": record["totalGB"], "expiry_time": record["expiryTime"], "reset": record["reset"]}
            self.stats.append({"enable": 1, "email": email, "up": 0, "down": 0, **base, **(stat or {})})

    def write(self, path: Path) -> Path:
        """Write the database."""
        rows = [
            {**row, "settings": json.dumps(row["settings"]), "stream_settings": json.dumps(row["stream_settings"])}
            for row in self.inbounds
        ]
        tables: dict[str, Any] = {"inbounds": rows, "client_traffics": self.stats}
        if self.settings:
            tables["settings"] = [{"key": key, "value": value} for key, value in self.settings.items()]
        return parts.write_sqlite(path, self.schema, tables)


def shop() -> Xui:
    """Return a panel with one customer of each kind."""
    panel = Xui(settings={"subPath": "/poll/", "timeLocation": "Europe/Moscow"})
    panel.inbound("in-443", 443)
    panel.inbound("in-8443-trojan", 8443, protocol="trojan")
    panel.inbound("in-8080-ws", 8080, stream={"network": "ws", "security": "none"})
    ends, ended = NOW + timedelta(days=20), NOW - timedelta(days=3)
    used = {"up": GIB, "down": 2 * GIB}
    panel.client("in-443", "normal", 1, totalGB=50 * GIB, expiryTime=parts.milliseconds(ends), stat=used)
    panel.client("in-443", "disabled", 2, enable=False)
    panel.client("in-443", "limited", 3, totalGB=2 * GIB, enable=False, stat={**used, "enable": 0})
    panel.client("in-443", "expired", 4, expiryTime=parts.milliseconds(ended), enable=False, stat={"enable": 0})
    panel.client("in-443", "held", 5, expiryTime=-30 * parts.DAY_S * 1000)
    panel.client("in-443", parts.UNICODE_NAME, 6)
    panel.client("in-443", "twin", 7)
    panel.client("in-443", "other twin", 8, id=parts.twin_of(parts.uuid_of(7)))
    panel.client("in-8443-trojan", "other protocol", 9, password="secret")
    panel.client("in-8080-ws", "other transport", 10)
    return panel


def crowd(count: int) -> Xui:
    """Return a panel with many clients."""
    panel = Xui()
    panel.inbound("in-443", 443)
    for number in range(1, count + 1):
        panel.client("in-443", f"client {number}", number)
    return panel
