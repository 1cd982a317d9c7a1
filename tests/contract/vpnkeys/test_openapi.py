"""The OpenAPI document of the vpnkeys wire: complete, unambiguous, and kept."""

from pathlib import Path

import pytest

from tests.contract.openapi import document, operations, try_everything
from tests.contract.wires import Wire

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]

PREFIX = "/vpnkeys"


async def test_every_operation_has_an_id_of_its_own_and_a_sentence(wire: Wire) -> None:
    made = operations(await document(wire, PREFIX)).values()

    ids = [operation["operationId"] for operation in made]

    assert len(set(ids)) == len(ids) == 19
    assert all(operation["description"].endswith(".") for operation in made)


async def test_every_operation_documents_its_statuses(wire: Wire) -> None:
    for name, operation in operations(await document(wire, PREFIX)).items():
        expected = {"200", "400", "401", "403", "429", "500", "503"}
        if "{key_id}" in name:
            expected |= {"404"}
        if name == "post /api/keys":
            expected |= {"409", "413"}
        assert set(operation["responses"]) == expected, name


async def test_every_operation_names_both_credentials(wire: Wire) -> None:
    found = await document(wire, PREFIX)

    schemes = found["components"]["securitySchemes"]

    assert (schemes["ApiKey"]["in"], schemes["ApiKey"]["name"]) == ("header", "X-API-Key")
    assert schemes["Bearer"]["scheme"] == "bearer"
    assert all(made["security"] == [{"ApiKey": []}, {"Bearer": []}] for made in operations(found).values())


@pytest.mark.parametrize("page", ["docs", "redoc"])
async def test_its_pages_are_beside_those_of_the_other_wires(wire: Wire, page: str) -> None:
    shown = await wire.anonymous.get(f"{PREFIX}/{page}")

    assert shown.status_code == 200
    assert f"{PREFIX}/openapi.json" in shown.text
    assert all(f'href="{prefix}/{page}"' in shown.text for prefix in ("", PREFIX, "/v1"))


@pytest.mark.slow
async def test_nothing_undocumented_is_answered(wire: Wire, tmp_path: Path) -> None:
    code, output = await try_everything(wire, f"X-API-Key: {wire.known['token']}", tmp_path, PREFIX)

    assert code == 0, output
