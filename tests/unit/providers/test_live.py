"""What ``make live`` says before it asks anybody anything."""

from pathlib import Path

import pytest

from keystead.providers.registry import PROVIDERS
from tests.providers import live


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for keys in live.PROVIDERS.values():
        for name in (*keys.needed, *keys.optional):
            monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", list(live.PROVIDERS))
def test_without_keys_it_says_what_to_set_and_stops(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = live.main([name])

    told = capsys.readouterr().err
    assert code == 2
    assert all(variable in told for variable in (*live.PROVIDERS[name].needed, *live.PROVIDERS[name].optional))


def test_only_what_is_missing_is_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KEYSTEAD_LIVE_NAMECHEAP_USER", "MyUser")

    assert live.main(["namecheap"]) == 2
    assert "NAMECHEAP_USER" not in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], [""], ["nobody"], ["cloudflare", "secret"]])
def test_an_unknown_provider_is_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert live.main(arguments) == 2
    assert "PROVIDER=cloudflare|namecheap" in capsys.readouterr().err


def test_every_provider_can_be_asked_and_has_its_tests() -> None:
    here = Path(live.__file__)

    assert set(live.PROVIDERS) == {provider.id for provider in PROVIDERS}
    assert all(here.with_name(f"test_live_{keys.tests or name}.py").exists() for name, keys in live.PROVIDERS.items())
