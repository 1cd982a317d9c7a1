"""The controls: what the same result costs with nothing around it."""

import asyncio
import sqlite3
import time
import uuid
from pathlib import Path

import grpc

from keystead.engines.xray import messages
from keystead.engines.xray import wire_pb2 as wire
from keystead.engines.xray.state import XrayInbound, XrayUser, masked
from keystead.vpn.keyvalue import label_of

# More calls at once gain nothing.
_PIPELINE = 64
_HANDLER = "/xray.app.proxyman.command.HandlerService/"


class BareCore:
    """AddUser and RemoveUser with the plain blocking gRPC client."""

    def __init__(self, socket: Path, tag: str) -> None:
        self._channel = grpc.insecure_channel(f"unix:{socket}")
        self._alter = self._channel.unary_unary(f"{_HANDLER}AlterInbound", None, None)
        self._open = self._channel.unary_unary(f"{_HANDLER}AddInbound", None, None)
        self._close = self._channel.unary_unary(f"{_HANDLER}RemoveInbound", None, None)
        self._tag = tag

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def add(self) -> tuple[float, XrayUser]:
        """Add a user nobody knows of; return the seconds the call took, and the user."""
        user = XrayUser(f"bench-{uuid.uuid4()}", str(uuid.uuid4()))
        begun = time.perf_counter()
        self._alter(messages.add_user(self._tag, user).SerializeToString(), timeout=5)
        return time.perf_counter() - begun, user

    def open(self, inbound: XrayInbound) -> tuple[float, XrayUser]:
        """Open an inbound with one user; return the seconds the call took, and the user."""
        user = XrayUser(f"bench-{uuid.uuid4()}", str(uuid.uuid4()))
        begun = time.perf_counter()
        self._open(messages.add_inbound(inbound, [user]).SerializeToString(), timeout=5)
        return time.perf_counter() - begun, user

    def close_inbound(self, tag: str) -> None:
        """Close an inbound that ``open`` made."""
        self._close(wire.RemoveInboundRequest(tag=tag).SerializeToString(), timeout=5)

    def remove(self, user: XrayUser) -> None:
        """Remove a user that ``add`` made."""
        self._alter(messages.remove_user(self._tag, user.label).SerializeToString(), timeout=5)


async def add_many(socket: Path, tag: str, count: int) -> float:
    """Add users with 64 calls under way at once by the asynchronous client, which is the faster of the two.

    Return the seconds until the last was answered.
    """
    users = (XrayUser(f"bench-{uuid.uuid4()}", str(uuid.uuid4())) for _ in range(count))
    requests = [messages.add_user(tag, user).SerializeToString() for user in users]
    gate = asyncio.Semaphore(_PIPELINE)
    async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        alter = channel.unary_unary(f"{_HANDLER}AlterInbound", None, None)

        async def add(request: bytes) -> None:
            async with gate:
                await alter(request, timeout=30)

        begun = time.perf_counter()
        await asyncio.gather(*map(add, requests))
        return time.perf_counter() - begun


class BareDatabase:
    """The rows of one issued key, written by sqlite3 in one FULL commit into a copy of an instance's database."""

    def __init__(self, original: Path, copy: Path) -> None:
        with sqlite3.connect(original) as source, sqlite3.connect(copy) as target:
            source.backup(target)
        self._connection = sqlite3.connect(copy, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._inbound = self._connection.execute("SELECT id, flow, tag FROM vpn_inbounds").fetchone()

    @property
    def tag(self) -> str:
        """Return the tag of the inbound that keys go to."""
        return str(self._inbound[2])

    def close(self) -> None:
        """Close the copy."""
        self._connection.close()

    def issue(self) -> float:
        """Insert a key, its traffic row and its audit record, raise the generation, commit; return the seconds."""
        vless_uuid, now = str(uuid.uuid4()), time.time_ns() // 1000
        begun = time.perf_counter()
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        number = execute(
            "INSERT INTO vpn_keys (public_id, account_id, inbound_id, name, uuid, masked_uuid, label, flow, short_id,"
            " server_name, is_active, state, created_at)"
            " VALUES (?, 1, ?, 'anna', ?, ?, ?, ?, '7bb45050', 'site.test', 1, 'live', ?)",
            (str(uuid.uuid4()), self._inbound[0], vless_uuid, masked(vless_uuid), vless_uuid, self._inbound[1], now),
        ).lastrowid
        execute(
            "INSERT INTO vpn_traffic (label, key_number, uplink, downlink, forgiven_uplink, forgiven_downlink, process,"
            " read_uplink, read_downlink, changed_at) VALUES (?, ?, 0, 0, 0, 0, '', 0, 0, ?)",
            (vless_uuid, number, now),
        )
        execute(
            "INSERT INTO audit_records (at, request_id, account_id, actor, verb, subject, outcome, facts)"
            " VALUES (?, 'bench', 1, 'token:1', 'vpn.key.issue', ?, 'done', '{}')",
            (now, f"vpn key {number}"),
        )
        execute("UPDATE scopes SET generation = generation + 1")
        execute("COMMIT")
        return time.perf_counter() - begun

    def book(self, counters: dict[int, tuple[int, int]]) -> None:
        """Add bytes to many keys in one statement and one FULL commit."""
        now = time.time_ns() // 1000
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "UPDATE vpn_traffic SET uplink = uplink + ?, downlink = downlink + ?, changed_at = ? WHERE label = ?",
            [(up, down, now, label_of(number, 1)) for number, (up, down) in counters.items()],
        )
        self._connection.execute("COMMIT")
