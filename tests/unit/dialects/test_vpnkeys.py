"""The vpnkeys dialect without an engine: its error table, its bodies, its presentation."""

from datetime import UTC, datetime

import orjson
import pytest

from keystead.dialects.vpnkeys import errors, present, schemas
from keystead.http import bodies
from keystead.kit import errors as tree
from keystead.operations.instance.health import Report
from keystead.operations.instance.resources import Resources
from keystead.operations.vpn.keys import RevocationPending
from keystead.reconcile.engine import Condition
from keystead.vpn.errors import KeyNotFound, NoValidTarget
from keystead.vpn.keyvalue import KeyState, VpnKey
from keystead.vpn.placement import Placement

GB = 2**30
ROOM = Resources(memory_bytes=8 * GB, free_memory_bytes=2 * GB, disk_bytes=100 * GB, free_disk_bytes=25 * GB)
NOW = datetime(2025, 11, 21, 16, 0, 0, 250_000, tzinfo=UTC)

OUTCOMES = [
    (tree.Throttled("wait", retry_after_s=9), 429, "wait", "9"),
    (
        tree.RateLimited("Rate limit exceeded: 5 per 1 minute", retry_after_s=41),
        429,
        "Rate limit exceeded: 5 per 1 minute",
        "41",
    ),
    (
        tree.Unauthenticated("unknown"),
        401,
        "Invalid API key. Use X-API-Key header with the correct key.",
        None,
    ),
    (tree.Forbidden("no"), 403, "no", None),
    (KeyNotFound(999), 404, "Key not found", None),
    (tree.Invalid("bad", fields={"name": "long"}), 400, "bad", None),
    (tree.QuotaExceeded("Maximum number of keys (100) reached"), 400, "Maximum number of keys (100) reached", None),
    (tree.InUse("busy"), 409, "busy", None),
    (tree.EngineUnavailable("warming", retry_after_s=3), 503, "Failed to create key: warming", "3"),
    (NoValidTarget("no target"), 503, "Failed to create key: no target", "5"),
    (RevocationPending("pending", retry_after_s=5), 503, "Failed to create key: pending", "5"),
    (tree.StorageBusy("locked"), 503, "Failed to create key: locked", "5"),
    (tree.StorageFailed("disk /dev/sda1 is full"), 500, "Failed to create key: Database error", None),
    (tree.Rejected("refused"), 500, "Failed to create key: refused", None),
    (tree.Broken("a bug with details"), 500, "Failed to create key: Internal error", None),
]


def key(**changed: object) -> VpnKey:
    made = VpnKey(
        number=7,
        public_id="00000000-0000-4000-8000-000000000007",
        account_id=1,
        inbound_id=1,
        issued_by=None,
        name="user@example.com",
        uuid="10000000-0000-4000-8000-000000000007",
        label="k7-1",
        flow="xtls-rprx-vision",
        short_id="5f9c2b7adfe7d8ab",
        server_name="site.test",
        is_active=True,
        is_enabled=True,
        state=KeyState.LIVE,
        created_at=datetime(2025, 8, 5, 12, 0, tzinfo=UTC),
        placement=Placement.OWN_PORT,
        scope="xray/main",
        port=10001,
    )
    return made._replace(**changed)


@pytest.mark.parametrize(("error", "status", "detail", "retry_after"), OUTCOMES, ids=lambda value: str(value)[:30])
def test_an_error_is_answered_by_the_table(
    error: tree.KeysteadError, status: int, detail: str, retry_after: str | None
) -> None:
    answer = errors.ERRORS.response_of(error, "create_key", "request-1")

    body = orjson.loads(answer.body)
    assert (answer.status_code, body["detail"], answer.headers.get("retry-after")) == (status, detail, retry_after)
    assert body.get("error") == (detail if status == 429 else None)
    assert body.get("request_id") == ("request-1" if status == 500 else None)
    assert ("www-authenticate" in answer.headers) is (status == 401)


def test_a_key_has_the_documented_fields_in_their_order() -> None:
    assert list(present.key(key()).items()) == [
        ("id", "00000000-0000-4000-8000-000000000007"),
        ("name", "user@example.com"),
        ("uuid", "10000000-0000-4000-8000-000000000007"),
        ("created_at", "2025-08-05T12:00:00.000000"),
        ("is_active", True),
        ("port", 10001),
        ("short_id", "5f9c2b7adfe7d8ab"),
        ("sni", "site.test"),
    ]


def test_a_key_that_another_wire_left_without_a_name_has_an_empty_one() -> None:
    assert present.key(key(name=None))["name"] == ""


@pytest.mark.parametrize("name", ["user@example.com", "", "я" * 255, " "])
def test_a_name_is_taken_as_it_is(name: str) -> None:
    body = b"\xef\xbb\xbf" + orjson.dumps({"name": name, "more": []})

    assert bodies.parse(body, schemas.KeyCreate).name == name


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"null", "body"),
        (b"[]", "body"),
        (b"{", "body"),
        (b"{}", "name"),
        (b'{"name": null}', "name"),
        (b'{"name": 5}', "name"),
        (orjson.dumps({"name": "n" * 256}), "name"),
        (b'{"name": "n", "plan": 5}', "plan"),
    ],
)
def test_a_bad_body_names_its_field(body: bytes, field: str) -> None:
    with pytest.raises(tree.Invalid) as told:
        bodies.parse(body, schemas.KeyCreate)

    assert list(told.value.fields) == [field]


@pytest.mark.parametrize(
    ("report", "status", "xray", "storage"),
    [
        (Report("ok", [], Condition.READY), "healthy", "running", "running"),
        (Report("degraded", ["vpn engine partial"], Condition.PARTIAL), "degraded", "running", "running"),
        (Report("degraded", ["vpn engine warming"], Condition.WARMING), "degraded", "warming", "running"),
        (Report("unhealthy", ["vpn engine down"], Condition.DOWN), "unhealthy", "down", "running"),
        (Report("unhealthy", ["database unavailable"]), "unhealthy", "unknown", "unavailable"),
    ],
)
def test_health_tells_the_state_of_engine_and_storage(report: Report, status: str, xray: str, storage: str) -> None:
    shown = present.health(report, ROOM, NOW, 61.9)

    assert (shown["status"], shown["services"]) == (status, {"xray": xray, "api": "running", "storage": storage})
    assert (shown["timestamp"], shown["uptime_seconds"]) == ("2025-11-21T16:00:00", 61)


def test_health_tells_what_is_left_of_memory_and_disk() -> None:
    shown = present.health(Report("ok", [], Condition.READY), ROOM, NOW, 0.0)

    assert shown["resources"] == {
        "memory_usage_percent": 75.0,
        "memory_available_mb": 2048,
        "disk_usage_percent": 75.0,
        "disk_free_gb": 25.0,
    }


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        (Resources(8 * GB, 2**20, 100 * GB, 25 * GB), "memory runs out"),
        (Resources(8 * GB, 2 * GB, 100 * GB, 100 * 2**20), "disk runs out"),
    ],
)
def test_health_is_degraded_when_the_machine_runs_out(left: Resources, reason: str) -> None:
    shown = present.health(Report("ok", [], Condition.READY), left, NOW, 0.0)

    assert (shown["status"], shown["reasons"]) == ("degraded", [reason])
