"""What Keystead reads at providers that a secret alone connects, at stand-ins or at the real one chosen (``live``)."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keystead.kit.clock import SystemClock
from keystead.providers.errors import SecretRefused
from keystead.providers.registry import CONNECTABLES
from tests.providers import live
from tests.providers.calling import clients
from tests.support.clock import ManualClock
from tests.support.standins import google_analytics, hosttracker, namesilo, yandex_metrica
from tests.support.standins.google_analytics import GoogleAnalytics
from tests.support.standins.hosttracker import HostTracker
from tests.support.standins.namesilo import NameSilo
from tests.support.standins.server import serving
from tests.support.standins.yandex_metrica import YandexMetrica

NAMES = [name for name in CONNECTABLES if live.chosen() in {None, name}]


@dataclass
class Held:
    """A secret of a provider, a wrong one of the same form, and what makes a client with one of them."""

    right: Mapping[str, str]
    wrong: Mapping[str, str]
    calling: Callable[[Mapping[str, str]], Any]


@pytest.fixture(scope="module", params=NAMES)
def held(request: pytest.FixtureRequest) -> Iterator[Held]:
    """Return what is held of a provider; one client's pace for all tests, so that its limit is kept to."""
    name: str = request.param
    with ExitStack() as stack:
        if live.chosen() == name:
            base = live.value(f"KEYSTEAD_PROVIDER_{name.upper()}_URL")
            right, made = real(name), clients(clock=SystemClock(), **({name: base} if base else {}))
        else:
            standin, right = stood_in(name)
            stack.enter_context(serving(standin))
            urls = {key.removeprefix("provider_").removesuffix("_url"): url for key, url in standin.settings().items()}
            made = clients(clock=ManualClock(), **urls)
        what = CONNECTABLES[name]
        yield Held(right, wrong(name, right), lambda given: made.of(what, what.read(given)))


def real(name: str) -> Mapping[str, str]:
    """Return what a person has set."""
    field = CONNECTABLES[name].ways[0][0]
    text = live.secret(live.ONLY[name]).reveal()
    return {field.name: Path(text).read_text() if field.is_json else text}


def stood_in(name: str) -> tuple[Any, Mapping[str, str]]:
    """Return a stand-in with some things to be listed, and the secret for it."""
    if name == "namesilo":
        registry = NameSilo()
        registry.add_domains(120)
        return registry, {"api_key": namesilo.API_KEY}
    if name == "hosttracker":
        tracker = HostTracker()
        for number in range(3):
            tracker.add(f"https://site-{number}.example.com")
        return tracker, {"token": hosttracker.TOKEN}
    if name == "yandex_metrica":
        metrica = YandexMetrica()
        metrica.add_counters(3)
        return metrica, {"token": yandex_metrica.TOKEN}
    analytics = GoogleAnalytics()
    for number in range(3):
        analytics.add(number + 1)
    return analytics, {"service_account": json.dumps(google_analytics.uploaded())}


def wrong(name: str, right: Mapping[str, str]) -> Mapping[str, str]:
    """Return a secret that its provider has never given."""
    if name == "google_analytics":
        key = {**json.loads(right["service_account"]), "private_key": google_analytics.other_key()}
        return {"service_account": json.dumps(key)}
    return dict.fromkeys(right, "0" * 32)


async def listed(client: Any) -> list[str]:
    """Return what a provider lists, by what tells one from another."""
    for verb, field in (("domains", "name"), ("monitors", "id"), ("counters", "id"), ("properties", "id")):
        if hasattr(client, verb):
            return [str(getattr(one, field)) for one in await getattr(client, verb)()]
    raise AssertionError("nothing is listed")


async def test_a_secret_says_whose_it_is_the_same_each_time(held: Held) -> None:
    client = held.calling(held.right)

    first, again = [(await client.verify()).external_id for _ in range(2)]

    assert first == again


async def test_everything_is_listed_once(held: Held) -> None:
    found = await listed(held.calling(held.right))

    assert len(set(found)) == len(found)
    assert found != [] or live.chosen() is not None


async def test_a_wrong_secret_is_refused(held: Held) -> None:
    with pytest.raises(SecretRefused):
        await held.calling(held.wrong).verify()
