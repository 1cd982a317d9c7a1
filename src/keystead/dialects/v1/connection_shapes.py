"""The native API's shapes of live connections, and how they are presented."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query

from keystead.dialects.v1.bases import Answer
from keystead.operations.vpn.connections import ConnectionPage, KeyConnection

ShowAddresses = Annotated[
    bool,
    Query(alias="addresses", description="Show customers' addresses, if the caller may; each reading is on record."),
]


class Connection(Answer):
    """A live connection; ``address`` and ``port`` are null for a caller without ``vpn.addresses.read``."""

    id: int
    key_id: str
    key_number: int
    address: str | None
    port: int | None
    inbound_port: int
    first_seen_at: datetime
    last_moved_at: datetime
    upload: int
    download: int
    upload_per_s: int
    download_per_s: int


class ConnectionList(Answer):
    """A page of live connections by id; ask again with ``after=next`` until ``next`` is null."""

    items: list[Connection]
    next: int | None


def connection_list(page: ConnectionPage) -> dict[str, Any]:
    """Present a page of live connections."""
    return {"items": [_connection(item) for item in page.items], "next": page.next}


def _connection(item: KeyConnection) -> dict[str, Any]:
    live = item.live
    return {
        "id": live.id,
        "key_id": item.key.public_id,
        "key_number": item.key.number,
        "address": item.address,
        "port": item.port,
        "inbound_port": live.local_port,
        "first_seen_at": item.first_seen_at,
        "last_moved_at": item.last_moved_at,
        "upload": live.uplink,
        "download": live.downlink,
        "upload_per_s": live.uplink_per_s,
        "download_per_s": live.downlink_per_s,
    }
