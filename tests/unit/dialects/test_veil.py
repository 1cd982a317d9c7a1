"""The veil dialect without an engine: its error table, its bodies, its presentation."""

import uuid

import orjson
import pytest
import structlog
from sqlalchemy import Connection, insert, select

from keystead.db import prepared
from keystead.db.session import Weight
from keystead.dialects.veil import errors, present
from keystead.dialects.veil.schemas import KeyCreate
from keystead.http import bodies
from keystead.kit import errors as tree
from keystead.operations.vpn.keys import RevocationPending
from keystead.vpn import keys
from keystead.vpn.errors import NoValidTarget
from keystead.vpn.models import KEYS
from keystead.vpn.placement import Placement
from tests.support.shop import Shop
from tests.support.work import Workplace

OUTCOMES = [
    (tree.Throttled("wait", retry_after_s=9), 429, "wait", "9"),
    (tree.Unauthenticated("unknown"), 401, "Invalid authentication token", None),
    (tree.Forbidden("no"), 403, "no", None),
    (tree.NotFound("Key", 999), 404, "Key 999 not found", None),
    (tree.Invalid("bad", fields={"name": "long"}), 400, "bad", None),
    (tree.QuotaExceeded("full"), 400, "full", None),
    (tree.InUse("busy"), 409, "busy", None),
    (tree.EngineUnavailable("warming", retry_after_s=3), 503, "Failed to create key: warming", "3"),
    (NoValidTarget("no target"), 503, "Failed to create key: no target", "5"),
    (RevocationPending("pending", retry_after_s=5), 503, "Failed to create key: pending", "5"),
    (tree.StorageBusy("locked"), 503, "Failed to create key: locked", "5"),
    (tree.StorageFailed("disk /dev/sda1 is full"), 500, "Failed to create key: Database error", None),
    (tree.Rejected("refused"), 500, "Failed to create key: refused", None),
    (tree.Broken("a bug with details"), 500, "Failed to create key: Internal error", None),
]


@pytest.mark.parametrize(("error", "status", "detail", "retry_after"), OUTCOMES, ids=lambda value: str(value)[:30])
def test_an_error_is_answered_by_the_table(
    error: tree.KeysteadError, status: int, detail: str, retry_after: str | None
) -> None:
    answer = errors.ERRORS.response_of(error, "create_key", "request-1")

    body = orjson.loads(answer.body)
    assert (answer.status_code, body["detail"], answer.headers.get("retry-after")) == (status, detail, retry_after)
    assert body.get("request_id") == ("request-1" if status == 500 else None)
    assert ("www-authenticate" in answer.headers) is (status == 401)


def test_the_log_has_the_reason_that_a_caller_is_not_told() -> None:
    with structlog.testing.capture_logs() as logged:
        errors.ERRORS.response_of(tree.StorageFailed("disk /dev/sda1 is full"), "create_key", "request-1")
        errors.ERRORS.response_of(tree.NotFound("Key", 999), "get_key", "request-2")

    assert [line["reason"] for line in logged] == ["disk /dev/sda1 is full"]


@pytest.mark.parametrize(
    ("body", "name"), [(b"", None), (b" \n", None), (b"null", None), (b'{"name":"a","x":[]}', "a")]
)
def test_a_body_is_read_leniently(body: bytes, name: str | None) -> None:
    assert bodies.parse(body, KeyCreate, is_optional=True).name == name


def copy_key(connection: Connection, number: int, times: int) -> None:
    row = dict(connection.execute(select(KEYS).where(KEYS.c.number == number)).mappings().one())
    del row["number"]
    made = [str(uuid.UUID(int=at)) for at in range(times)]
    unlike = ("public_id", "uuid", "masked_uuid", "label")
    connection.execute(insert(KEYS), [row | dict.fromkeys(unlike, text) for text in made])


async def test_a_list_of_10_000_keys_is_one_query(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = await Shop(workplace).open()
    first = await shop.issue()
    await workplace.database.write(lambda connection: copy_key(connection, first.number, 9_999))
    statements: list[str] = []
    run = prepared.execute

    def counted(connection: Connection, sql: str, parameters: object = ()) -> object:
        statements.append(sql)
        return run(connection, sql, parameters)

    def listed(connection: Connection) -> bytes:
        everything = {"placement": Placement.SHARED, "is_applied": shop.is_applied, "made": present.part_of_list}
        return orjson.dumps(present.key_list(keys.list_made(workplace.work(connection), **everything)))

    # Prepared statements pass SQLAlchemy's events by; this is where they all run.
    monkeypatch.setattr(prepared, "execute", counted)
    body = await workplace.database.read(listed, Weight.LIST)

    told = orjson.loads(body)
    assert told["total"] == 10_000
    assert [key["key_id"] for key in told["keys"]] == list(range(first.number, first.number + 10_000))
    assert len(statements) == 1
