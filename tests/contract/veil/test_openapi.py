"""The OpenAPI document and its pages: complete, unambiguous, and loading nothing from outside."""

import re
from pathlib import Path

import pytest

from tests.contract.openapi import document, operations, try_everything
from tests.contract.wires import Wire

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]

OPEN = {"/", "/api", "/health"}


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


@pytest.mark.slow
async def test_nothing_undocumented_is_answered(wire: Wire, tmp_path: Path) -> None:
    code, output = await try_everything(wire, f"Authorization: Bearer {wire.known['token']}", tmp_path)

    assert code == 0, output
