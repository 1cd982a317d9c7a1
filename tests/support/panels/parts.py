"""What all panels' files are made of: key pairs, inbounds in Xray's JSON, UUIDs, SQLite files."""

import base64
import json
import sqlite3
import uuid
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from keystead.engines.xray import keys
from keystead.engines.xray.keys import KeyPair
from keystead.kit.secret import Secret

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CREATED = NOW - timedelta(days=100)
GIB = 1 << 30
DAY_S = 86_400
SERVER_NAMES = ("www.example.com", "example.com")
SHORT_IDS = ("7bb45050", "a1b2c3d4e5f60718")
TARGET = "www.example.com:443"
VISION = "xtls-rprx-vision"

# Whoever a panel is tested with: each of these is in every panel that has such a thing.
UNICODE_NAME = "Анна 🦊 محمد"


def pair(number: int = 0) -> KeyPair:
    """Return the key pair of a number."""
    return _PAIRS[number]


def _pair(number: int) -> KeyPair:
    raw = base64.urlsafe_b64encode(bytes([number + 1]) * 32).decode().rstrip("=")
    return KeyPair(Secret(raw), keys.public_of(Secret(raw)))


_PAIRS = [_pair(number) for number in range(4)]


def uuid_of(number: int) -> str:
    """Return a UUID of a customer."""
    return str(uuid.UUID(int=(number << 96) | 0x4000_8000_0000_0000_0000 | number, version=4))


def twin_of(written: str) -> str:
    """Return another UUID that is the same one to Xray."""
    return f"{written[:14]}4abc{written[18:]}" if written[14:18] != "4abc" else f"{written[:14]}4abd{written[18:]}"


def seconds(moment: datetime) -> int:
    """Return a moment as seconds since 1970."""
    return int(moment.timestamp())


def milliseconds(moment: datetime) -> int:
    """Return a moment as milliseconds since 1970."""
    return seconds(moment) * 1000


def naive(moment: datetime) -> str:
    """Return a moment as SQLAlchemy writes one into SQLite: UTC, and no zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def reality(number: int = 0, **more: object) -> dict[str, Any]:
    """Return the realitySettings of an inbound with the key pair of a number."""
    return {
        "dest": TARGET,
        "serverNames": list(SERVER_NAMES),
        "privateKey": pair(number).private_key.reveal(),
        "shortIds": list(SHORT_IDS),
        **more,
    }


def stream(number: int = 0, **more: object) -> dict[str, Any]:
    """Return the streamSettings of VLESS + REALITY over plain TCP."""
    return {"network": "tcp", "security": "reality", "realitySettings": reality(number), **more}


def inbound(tag: str, port: int, *, number: int = 0, **more: object) -> dict[str, Any]:
    """Return an inbound in Xray's JSON."""
    return {
        "tag": tag,
        "listen": "0.0.0.0",
        "port": port,
        "protocol": "vless",
        "settings": {"clients": [], "decryption": "none"},
        "streamSettings": stream(number),
        **more,
    }


def trojan(tag: str, port: int) -> dict[str, Any]:
    """Return a Trojan inbound."""
    return inbound(tag, port, protocol="trojan", settings={"clients": []})


def xhttp(tag: str, port: int) -> dict[str, Any]:
    """Return a VLESS inbound over XHTTP."""
    return inbound(tag, port, streamSettings=stream(network="xhttp", xhttpSettings={"path": "/a"}))


def config(*inbounds: Mapping[str, object]) -> dict[str, Any]:
    """Return a configuration of Xray with the panel's own API inbound before the others."""
    api = {"tag": "api", "listen": "127.0.0.1", "port": 10085, "protocol": "dokodemo-door", "settings": {}}
    return {"inbounds": [api, *inbounds], "outbounds": [{"tag": "direct", "protocol": "freedom"}]}


def write_json(path: Path, content: object) -> Path:
    """Write a file of JSON."""
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def write_sqlite(path: Path, schema: str, tables: Mapping[str, Iterable[Mapping[str, object]]]) -> Path:
    """Write a SQLite file with rows; a row may leave columns out."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(schema)
        for table, rows in tables.items():
            for row in rows:
                places = ", ".join("?" for _ in row)
                connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", tuple(row.values()))
    return path
