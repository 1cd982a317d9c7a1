"""What the veil wire says when an operation fails for good: 500, the operation by name, and nothing of ours."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import httpx2
import pytest

from keystead.access.permissions import ALL_PERMISSIONS
from keystead.db.session import Database
from keystead.dialects.veil.app import create_app
from keystead.dialects.veil.errors import FAILED_TO
from keystead.http.doors import Door, Mount
from keystead.http.metrics import Metrics
from keystead.kit.errors import StorageFailed
from keystead.kit.ids import RandomIds
from keystead.mounts import Mounts
from keystead.operations.vpn.keys import VpnOperations
from tests.support.instance import client, in_process

# Every endpoint of the document that can fail, the operation behind it, and what it failed to do.
ENDPOINTS = [
    ("POST", "/api/keys", "issue", "create key"),
    ("GET", "/api/keys", "list_made", "get keys"),
    ("GET", "/api/keys/1", "find", "get key"),
    ("DELETE", "/api/keys/1", "revoke", "delete key"),
    ("GET", "/api/keys/1/link", "profile", "generate link"),
    ("GET", "/api/keys/1/config", "profile", "generate link"),
    ("GET", "/api/keys/1/subscription", "profile", "generate subscription"),
    ("GET", "/api/keys/1/traffic", "usage", "get traffic"),
    ("POST", "/api/keys/1/traffic/reset", "reset_traffic", "reset traffic"),
    ("POST", "/api/traffic/sync", "sync_traffic", "sync traffic"),
    ("POST", "/api/system/xray/sync-config", "reconcile", "synchronize configuration"),
]


@pytest.fixture
async def http(database: Database, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_process(database, tmp_path) as instance:
        app = create_app(Mounts(instance.parts).veil())
        made = client(Door([Mount("", "veil", app)], ids=RandomIds(), metrics=Metrics(), trusted=()))
        secret = (await instance.token(*ALL_PERMISSIONS)).secret.reveal()
        made.headers["authorization"] = f"Bearer {secret}"
        yield made


async def _fail(*_: object, **__: object) -> NoReturn:
    raise StorageFailed("disk /dev/sda1 is full")


@pytest.mark.parametrize(("method", "path", "operation", "failed_to"), ENDPOINTS, ids=lambda value: str(value))
async def test_each_endpoint_names_what_it_failed_to_do(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, method: str, path: str, operation: str, failed_to: str
) -> None:
    # A disk that fails cannot be had here; tests/e2e/test_outcome_rows.py has one.
    monkeypatch.setattr(VpnOperations, operation, _fail)

    answer = await http.request(method, path)

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["detail"] == f"Failed to {failed_to}: Database error"
    assert "sda1" not in answer.text


def test_no_operation_of_the_wire_is_left_out_above() -> None:
    assert {failed_to for _, _, _, failed_to in ENDPOINTS} == set(FAILED_TO.values())
