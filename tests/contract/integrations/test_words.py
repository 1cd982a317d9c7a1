"""Every word that the wire can answer with is in a test or a transcript of it, or here, with why it never comes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

import keystead.dialects.integrations
from keystead.vault.models import CREDENTIALS, ZONES
from tests.contract.integrations.conftest import Wire
from tests.contract.integrations.test_cloudflare_init import account_of_another, body, failure
from tests.contract.integrations.test_zones import made, told

SOURCE = Path(keystead.dialects.integrations.__file__).parent
# What says a word: rows of the table, refusals of a request, and what passes one on to them.
SAYING = {"Row", "WireError", "refused", "_refuse", "_bounded"}
# Rows for errors that nothing behind these endpoints raises; they are there for the day that something does.
NEVER = {
    "conflict": "each conflict of keys, zones, records and redirects has a word of its own",
    "invalid_request": "each field that is refused has a word of its own",
    "unavailable": "whatever may be away is a provider or the database",
    "unsupported": "an endpoint of a provider is there only where the provider can do it",
}
# What is filled in, and what of it is looked for.
HOLES = {
    "{name}_error_{error.number}": r"namesilo_error_\w+",
    "{name}_key_already_exists": r"namesilo_key_already_exists",
    "{name}_unavailable": r"\w+_unavailable",
    "{name}_unreadable": r"\w+_unreadable",
    "{name}_required": r"date1_required",
    "{error.field}_required": r"token_required",
    "invalid_{name}": r"invalid_date1",
    "invalid_{next(iter(error.fields))}": r"invalid_domain",
    "namecheap_error_{error.number}": r"namecheap_error_\d+",
    "relay_http_{error.status}": r"relay_http_\d+",
    "record_{name}_required": r"record_type_required",
    "{what}_already_exists": r"zone_already_exists",
    "{what}_not_found": r"record_not_found",
}


def words() -> Iterator[str]:
    """Yield every word, with its holes as they are written."""
    for path in sorted(SOURCE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAYING:
                for argument in node.args:
                    yield from _text(argument)


def _text(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.IfExp():
            yield from (*_text(node.body), *_text(node.orelse))
        case ast.JoinedStr():
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"  # type: ignore[attr-defined]
                for part in node.values
            )


WORDS = sorted(set(words()))


@pytest.fixture(scope="module")
def tested() -> str:
    """Return every test and transcript of the wire but this one's lists."""
    here = Path(__file__)
    own = here.read_text().rpartition("# --- tests")[2]
    others = (path for path in here.parent.iterdir() if path.suffix in {".py", ".http"} and path != here)
    return own + "".join(path.read_text() for path in others)


def test_the_words_are_seen_whole() -> None:
    assert len(WORDS) > 60
    assert {"bootstrap_invalid", "invalid_json", "too_many_files", "counter_id_required", "no_nameservers"} <= {*WORDS}
    assert {word for word in WORDS if "{" in word} == set(HOLES)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_tested_or_never_comes(word: str, tested: str) -> None:
    pattern = HOLES.get(word, re.escape(word))

    assert (re.search(rf'"{pattern}"', tested) is None) is (word in NEVER)


# --- tests


async def test_another_set_of_permissions_is_refused_and_nothing_asked(wire: Wire) -> None:
    for given in ("everything", 7, []):
        answer = await wire.post("/cloudflare/init", {**body(wire), "profile": given})

        message = "one of documented, dns-only, bulk-redirects"
        assert told(answer) == (400, failure("invalid_profile", message=message))
    assert wire.remote.came == []


async def test_a_zone_that_another_account_here_has_seen_first(wire: Wire) -> None:
    await wire.connect()
    first = wire.remote.zones
    await made(wire, "first.example")
    following = f"{int(next(iter(first)), 16) + 1:032x}"
    other = (await (await account_of_another(wire)).get("/v1/account")).json()["id"]
    now = wire.instance.parts.clock.now()
    row = {"account_id": other, "credential_id": 1, "remote_id": following, "name": "new.example", "status": "active"}
    row |= {"plan": "free", "name_servers": [], "synced_at": now, "checks": 0}
    await wire.instance.parts.database.write(lambda connection: connection.execute(insert(ZONES), row))

    answer = await wire.owner.post("/zones", json={"root_domain": "new.example"})

    assert told(answer) == (409, failure("zone_belongs_to_another_account"))


@pytest.mark.parametrize(
    ("sealed", "error"),
    [("v2:nobody:00", "misconfigured"), ("v2:{key}:00", "internal_error"), ("no sealed value", "internal_error")],
)
async def test_a_secret_that_does_not_open(wire: Wire, sealed: str, error: str) -> None:
    key_id = await wire.register()
    asked = len(wire.registrar.came)
    text = sealed.format(key=wire.instance.parts.keys.ring.newest)
    statement = update(CREDENTIALS).where(CREDENTIALS.c.id == key_id).values(secret=text)
    await wire.instance.parts.database.write(lambda connection: connection.execute(statement))

    answers = [
        await wire.owner.get(f"/integrations/namecheap/domains?key_id={key_id}"),
        await wire.post("/namecheap/set-ns", {"key_id": key_id, "domain": "a.com", "nameservers": ["ns1.example.com"]}),
    ]

    assert [told(answer) for answer in answers] == [
        (500, failure(error, request_id=answer.headers["x-request-id"])) for answer in answers
    ]
    assert len(wire.registrar.came) == asked


@pytest.mark.parametrize(
    ("record", "error"),
    [
        ({}, "record_type_required"),
        ({"type": "A"}, "record_name_required"),
        ({"type": 7, "name": "www"}, "record_type_required"),
        ({"type": "A", "name": ""}, "record_name_required"),
    ],
)
async def test_a_record_needs_a_type_and_a_name(wire: Wire, record: dict[str, Any], error: str) -> None:
    await wire.connect()
    zone = await made(wire)
    asked = len(wire.remote.came)

    answer = await wire.owner.post(f"/zones/{zone['id']}/dns", json=record)

    assert told(answer) == (400, failure(error))
    assert len(wire.remote.came) == asked
