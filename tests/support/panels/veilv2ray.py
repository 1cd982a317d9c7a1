"""veil-v2ray's database and files, by storage/sqlite_storage.py and xray_config_manager.py."""

import json
import uuid
from pathlib import Path
from typing import Any

from tests.support.panels import parts
from tests.support.panels.parts import CREATED, GIB

SCHEMA = """
CREATE TABLE keys (id TEXT PRIMARY KEY, name TEXT NOT NULL, uuid TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL,
    is_active INTEGER NOT NULL DEFAULT 1, port INTEGER, short_id TEXT, sni TEXT);
CREATE TABLE port_assignments (port INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, key_id TEXT NOT NULL,
    key_name TEXT NOT NULL, assigned_at TEXT NOT NULL, is_active INTEGER NOT NULL DEFAULT 1);
CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE traffic_history (key_uuid TEXT PRIMARY KEY, payload TEXT NOT NULL, created_at TEXT NOT NULL,
    last_update TEXT NOT NULL);
"""


def own_id(number: int) -> str:
    """Return the id that bots know a key by."""
    return str(uuid.UUID(int=10**30 + number, version=4))


class VeilV2ray:
    """Keys, each with an inbound of its own."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.inbounds: list[dict[str, Any]] = []
        self.carried: dict[str, int] = {}

    def key(self, name: str, number: int, *, total: int = 0, is_served: bool = True, **more: object) -> None:
        """Add a key on a port of its own, with its inbound unless it has none."""
        key = {
            "id": own_id(number),
            "name": name,
            "uuid": parts.uuid_of(number),
            "created_at": CREATED.replace(tzinfo=None).isoformat(),
            "is_active": 1,
            "port": 10_000 + number,
            "short_id": parts.SHORT_IDS[number % 2],
            "sni": parts.SERVER_NAMES[1],
            **more,
        }
        self.keys.append(key)
        self.carried[key["uuid"]] = total
        if is_served:
            client = {"id": key["uuid"], "flow": "", "email": key["uuid"], "level": 1}
            reality = parts.reality(shortIds=[key["short_id"]], maxTimeDiff=600)
            self.inbounds.append(
                parts.inbound(
                    f"inbound-{key['uuid']}",
                    key["port"],
                    settings={"clients": [client], "decryption": "none"},
                    streamSettings=parts.stream(realitySettings=reality),
                )
            )

    def write(self, directory: Path) -> tuple[Path, Path]:
        """Write the database and the configuration."""
        at = CREATED.isoformat()
        traffic = [
            {"key_uuid": of, "payload": json.dumps(_history(total)), "created_at": at, "last_update": at}
            for of, total in self.carried.items()
        ]
        tables: dict[str, Any] = {"keys": self.keys, "traffic_history": traffic}
        return parts.write_sqlite(directory / "vpn.db", SCHEMA, tables), self.write_config(directory)

    def write_config(self, directory: Path) -> Path:
        """Write the configuration."""
        return parts.write_json(directory / "config.json", parts.config(*self.inbounds))

    def write_files(self, directory: Path) -> tuple[Path, Path, Path]:
        """Write what a version before the database had: keys, configuration and traffic."""
        keys = [{**key, "is_active": bool(key["is_active"])} for key in self.keys]
        history = {"version": "1.0", "keys_history": {of: _history(total) for of, total in self.carried.items()}}
        return (
            parts.write_json(directory / "keys.json", keys),
            self.write_config(directory),
            parts.write_json(directory / "traffic_history.json", history),
        )


def _history(total: int) -> dict[str, Any]:
    return {"total_traffic": {"total_bytes": total, "rx_bytes": total, "tx_bytes": 0}, "daily_traffic": {}}


def shop() -> VeilV2ray:
    """Return a panel with one key of each kind there is."""
    panel = VeilV2ray()
    panel.key("normal", 1, total=3 * GIB)
    panel.key("disabled", 2, is_active=0)
    panel.key(parts.UNICODE_NAME, 6)
    panel.key("twin", 7)
    panel.key("other twin", 8, uuid=parts.twin_of(parts.uuid_of(7)))
    return panel


def crowd(count: int) -> VeilV2ray:
    """Return a panel with many keys."""
    panel = VeilV2ray()
    for number in range(1, count + 1):
        panel.key(f"key {number}", number)
    return panel
