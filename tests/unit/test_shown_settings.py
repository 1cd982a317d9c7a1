"""Settings as people are shown them: where each comes from, and no secret."""

from pathlib import Path

import pytest

from keystead import settings
from keystead.shown_settings import ShownSetting, shown


def found(name: str, **overrides: object) -> ShownSetting:
    return next(one for one in shown(settings.load(**overrides)) if one.name == name)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # settings read .env where they are loaded


def test_a_setting_says_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("KEYSTEAD_PORT=9000\nKEYSTEAD_TLS=self-signed\n")
    monkeypatch.setenv("KEYSTEAD_PORT", "9001")

    assert found("KEYSTEAD_PORT") == ShownSetting("KEYSTEAD_PORT", "9001", "environment")
    assert found("KEYSTEAD_TLS") == ShownSetting("KEYSTEAD_TLS", "self-signed", ".env")
    assert found("KEYSTEAD_HOST", host="127.0.0.9") == ShownSetting("KEYSTEAD_HOST", "127.0.0.9", "command line")
    assert found("KEYSTEAD_DATA_DIR").origin == "default"
    assert found("KEYSTEAD_VPN_ALLOW_PRIVATE") == ShownSetting("KEYSTEAD_VPN_ALLOW_PRIVATE", "unset", "default")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://anna:hush@db:5432/keystead", "postgresql+psycopg://anna:***@db:5432/keystead"),
        ("postgresql+psycopg://anna:hu:sh/@db/keystead", "postgresql+psycopg://anna:***@db/keystead"),
        (
            "postgresql+psycopg://db/keystead?user=a&password=hush&x=1",
            "postgresql+psycopg://db/keystead?user=a&password=***&x=1",
        ),
        ("sqlite:////var/lib/keystead/keystead.db", "sqlite:////var/lib/keystead/keystead.db"),
        (
            "postgresql+psycopg://keystead@/keystead?host=/run/postgresql",
            "postgresql+psycopg://keystead@/keystead?host=/run/postgresql",
        ),
    ],
)
def test_a_database_s_password_is_not_shown(url: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYSTEAD_DATABASE_URL", url)

    assert found("KEYSTEAD_DATABASE_URL").value == shown


def test_a_secret_is_only_said_to_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_SECRET_KEY", "s" * 40)

    assert found("API_SECRET_KEY") == ShownSetting("API_SECRET_KEY", "set", "environment")
    assert found("KEYSTEAD_ROOT_KEY").value == "unset"
