"""The document's examples, and those of our own pages, replayed."""

from pathlib import Path

from keystead.access.permissions import ALL_PERMISSIONS
from keystead.providers.namesilo import NAMESILO
from tests.contract import transcripts
from tests.contract.integrations.conftest import Wire
from tests.support.standins import namesilo, yandex_metrica
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


async def test_further_providers_answer_as_written(wire: Wire) -> None:
    wire.hurry(NAMESILO)
    wire.standin(namesilo.NameSilo).mine.domains = {"corecash.pro": "2026-09-22", "swerte.club": "2026-10-01"}
    metrica = wire.standin(yandex_metrica.YandexMetrica)
    metrica.users[yandex_metrica.TOKEN].counters = {44147844: "example.com"}
    metrica.visits = {(44147844, "2026-11-01"): 14234, (44147844, "2026-11-02"): 12508}
    metrica.goals = {44147844: [(334423, "Thanks", "url")]}
    known = {
        "token": (await wire.instance.token(*ALL_PERMISSIONS)).secret.reveal(),
        "api_key": namesilo.API_KEY,
        "oauth_token": yandex_metrica.TOKEN,
    }

    await transcripts.replay(Path(__file__).parent / "providers.http", wire.instance.stranger(), known)
