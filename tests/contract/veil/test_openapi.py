"""The OpenAPI document and its pages: complete, unambiguous, and loading nothing from outside."""

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract.veil.conftest import Wire

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]

OPEN = {"/", "/api", "/health"}
EXAMPLES = 20
WITHIN_S = 180.0


async def document(wire: Wire) -> dict[str, Any]:
    answer = await wire.anonymous.get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def operations(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{method} {path}": made for path, methods in found["paths"].items() for method, made in methods.items()}


async def test_every_operation_has_an_id_of_its_own_and_a_sentence(wire: Wire) -> None:
    made = operations(await document(wire)).values()

    ids = [operation["operationId"] for operation in made]

    assert len(set(ids)) == len(ids) == 17
    assert all(operation["description"].endswith(".") for operation in made)


async def test_every_operation_documents_its_statuses(wire: Wire) -> None:
    found = await document(wire)

    for name, operation in operations(found).items():
        path = name.partition(" ")[2]
        documented = set(operation["responses"])
        expected = {"200"} if path in OPEN else {"200", "400", "401", "403", "429", "500", "503"}
        if "{key_id}" in path:
            expected |= {"404"}
        if name == "post /api/keys":
            expected |= {"409", "413"}
        assert documented == expected, name


async def test_every_operation_but_the_open_ones_names_both_credentials(wire: Wire) -> None:
    found = await document(wire)

    schemes = found["components"]["securitySchemes"]

    assert schemes["Bearer"]["scheme"] == "bearer"
    assert (schemes["ApiKey"]["in"], schemes["ApiKey"]["name"]) == ("header", "X-API-Key")
    for name, operation in operations(found).items():
        is_open = name.partition(" ")[2] in OPEN
        assert operation.get("security", []) == ([] if is_open else [{"Bearer": []}, {"ApiKey": []}]), name


async def test_the_document_is_the_same_each_time(wire: Wire) -> None:
    assert await document(wire) == await document(wire)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_a_page_loads_nothing_from_outside(wire: Wire, path: str) -> None:
    page = await wire.anonymous.get(path)

    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    loaded = re.findall(r"""(?:src|href|url|spec-url)\s*[=:]\s*["']([^"']+)["']""", page.text)
    assert len(loaded) >= 3
    assert [address for address in loaded if not address.startswith("/") or address.startswith("//")] == []
    for address in loaded:
        assert (await wire.anonymous.get(address)).status_code == 200, address


# The machine makes up names of plans, which no account has.
PLANS_ARE_MADE_UP = """
[[operations]]
include-name = "POST /api/keys"

[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "400", "401", "403", "404", "409", "429", "5xx"]
"""


@pytest.mark.slow
async def test_nothing_undocumented_is_answered(wire: Wire, tmp_path: Path) -> None:
    """Let a machine that reads the document make requests up: no 500, no status, body or header beyond it.

    ``ignored_auth`` is left out: it presents wrong credentials until it is told to wait (429), which the transcripts of
    credentials show on purpose. So is ``ensure_resource_availability``: it does not see that a key deleted below /uuid/
    is the one it created.
    """
    (tmp_path / "schemathesis.toml").write_text(PLANS_ARE_MADE_UP)
    run = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "schemathesis",
        "run",
        f"{wire.instance.url}/openapi.json",
        f"--header=Authorization: Bearer {wire.known['token']}",
        f"--max-examples={EXAMPLES}",
        "--generation-with-security-parameters=false",
        "--generation-deterministic",
        "--exclude-checks=ignored_auth,ensure_resource_availability",
        "--no-color",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            output, _ = await run.communicate()
    finally:
        if run.returncode is None:
            run.kill()
            await run.wait()

    assert run.returncode == 0, output.decode()[-8000:]
