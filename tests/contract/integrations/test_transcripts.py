"""The document's examples, replayed."""

from pathlib import Path

from keystead.access.permissions import ALL_PERMISSIONS
from tests.contract import transcripts
from tests.contract.integrations.conftest import Wire
from tests.support.standins.cloudflare import MINE
from tests.support.standins.namecheap import API_KEY


async def test_the_wire_answers_as_written(wire: Wire) -> None:
    await wire.set_relay()
    wire.remote.add_zones(5)
    wire.registrar.domains = {"corecash.pro": "09/22/2026", "swerte.club": "10/01/2026"}
    known = {
        "token": (await wire.instance.token(*ALL_PERMISSIONS)).secret.reveal(),
        "cf_account": MINE,
        "bootstrap": wire.remote.bootstrap().value,
        "bootstrap_again": wire.remote.bootstrap().value,
        "api_key": API_KEY,
    }

    await transcripts.replay(Path(__file__).parent / "documented.http", wire.instance.stranger(), known)


async def test_zones_answer_as_written(wire: Wire) -> None:
    known = {
        "token": (await wire.instance.token(*ALL_PERMISSIONS)).secret.reveal(),
        "cf_account": MINE,
        "bootstrap": wire.remote.bootstrap().value,
    }

    await transcripts.replay(Path(__file__).parent / "zones.http", wire.instance.stranger(), known)
