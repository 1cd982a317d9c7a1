"""Every documented example and every error of the wire, replayed against a real instance."""

import uuid
from pathlib import Path

import pytest

from tests.contract import transcripts
from tests.contract.wires import Wire

FILES = sorted(Path(__file__).parent.glob("*.http"))

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_the_wire_answers_as_written(wire: Wire, path: Path) -> None:
    credential = {"X-API-Key": wire.known["token"]}
    try:
        await transcripts.replay(path, wire.anonymous, wire.known | {"nonce": uuid.uuid4().hex})
    finally:
        for key in (await wire.anonymous.get("/api/keys", headers=credential)).json():
            await wire.anonymous.delete(f"/api/keys/{key['id']}", headers=credential)
        for number in await wire.instance.listed():
            await wire.instance.http.delete(f"/api/keys/{number}")
