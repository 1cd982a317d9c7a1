"""veil-xray's database and files, by api/database.py, api/xray_config.py and config/settings.py."""

from pathlib import Path
from typing import Any

from tests.support.panels import parts
from tests.support.panels.parts import CREATED, GIB, VISION

SCHEMA = """
CREATE TABLE keys (id INTEGER NOT NULL PRIMARY KEY, uuid VARCHAR NOT NULL, short_id VARCHAR(8) NOT NULL, name VARCHAR,
    created_at BIGINT NOT NULL, is_active INTEGER, last_used_at BIGINT);
CREATE UNIQUE INDEX ix_keys_uuid ON keys (uuid);
CREATE TABLE traffic_stats (id INTEGER NOT NULL PRIMARY KEY, key_id INTEGER NOT NULL REFERENCES keys (id),
    upload BIGINT, download BIGINT, updated_at BIGINT NOT NULL);
"""


class VeilXray:
    """Keys, each of them in every inbound."""

    def __init__(self, *more: dict[str, Any]) -> None:
        first = parts.inbound("vless-reality", 443)
        self.inbounds = [*more, first, parts.trojan("trojan-reality", 2085), parts.xhttp("vless-reality-xhttp", 8445)]
        self.keys: list[dict[str, Any]] = []
        self.traffic: list[dict[str, Any]] = []

    def key(self, name: str | None, number: int, *, is_written: bool = True, **more: object) -> None:
        """Add a key, also to the configuration unless only the running core knows it."""
        key = {
            "id": number,
            "uuid": parts.uuid_of(number),
            "short_id": parts.SHORT_IDS[0],
            "name": name,
            "created_at": parts.seconds(CREATED),
            "is_active": 1,
            **more,
        }
        self.keys.append(key)
        for inbound in self.inbounds:
            if is_written and inbound["protocol"] == "vless":
                flow = {"flow": VISION} if inbound["tag"] == "vless-reality" else {}
                client = {"id": key["uuid"], "email": f"user_{number}_{key['uuid'][:8]}", **flow}
                inbound["settings"]["clients"].append(client)

    def write(self, directory: Path) -> tuple[Path, Path]:
        """Write the database and the configuration."""
        tables: dict[str, Any] = {"keys": self.keys, "traffic_stats": self.traffic}
        database = parts.write_sqlite(directory / "veil_xray.db", SCHEMA, tables)
        return database, parts.write_json(directory / "config.json", parts.config(*self.inbounds))


def shop() -> VeilXray:
    """Return a panel with one key of each kind there is."""
    panel = VeilXray()
    panel.key("normal", 1)
    panel.traffic.append({"key_id": 1, "upload": GIB, "download": 2 * GIB, "updated_at": parts.seconds(CREATED)})
    panel.key("disabled", 2, is_active=0)
    panel.key(parts.UNICODE_NAME, 6)
    panel.key("twin", 7)
    panel.key("other twin", 8, uuid=parts.twin_of(parts.uuid_of(7)))
    return panel


def crowd(count: int) -> VeilXray:
    """Return a panel with many keys."""
    panel = VeilXray()
    for number in range(1, count + 1):
        panel.key(f"key {number}", number)
    return panel
