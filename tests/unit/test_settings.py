"""A wrong setting stops the start with its name, what is wrong, and an example; secrets are never shown."""

from pathlib import Path

import pytest

from keystead import settings
from keystead.kit.errors import Misconfigured
from keystead.providers.registry import PROVIDERS
from keystead.settings import unknown


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(settings.CREDENTIALS_DIRECTORY, raising=False)
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(settings.environment_name(name), raising=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEYSTEAD_PORT", "99999"),
        ("KEYSTEAD_PORT", "http"),
        ("KEYSTEAD_HOST", "not an address"),
        ("KEYSTEAD_PUBLIC_HOST", "a b"),
        ("KEYSTEAD_PUBLIC_URL", "example.com"),
        ("KEYSTEAD_VPN_ALLOW_PRIVATE", "10.0.0.0/99"),
        ("KEYSTEAD_REALITY_TARGET", "www.example.com"),
        ("REALITY_COMMON_SHORT_ID", "xyz"),
        ("KEYSTEAD_TLS", "on"),
        ("KEYSTEAD_LOG_FORMAT", "xml"),
        ("KEYSTEAD_REGISTRATION", "everybody"),
        ("KEYSTEAD_FINGERPRINT", "cookie"),
        ("KEYSTEAD_CORS_ORIGINS", "*"),
        ("KEYSTEAD_CORS_ORIGINS", "https://app.example.com/path"),
        ("KEYSTEAD_SMTP_URL", "mail.example.com"),
        ("KEYSTEAD_SMTP_FROM", "keystead"),
    ],
)
def test_a_wrong_value_is_named_with_an_example(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(Misconfigured) as refusal:
        settings.load()

    assert refusal.value.message.startswith(f"{name}: ")
    assert f"for example {name}=" in refusal.value.message


def test_a_short_secret_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_SECRET_KEY", "too-short-a-secret")

    with pytest.raises(Misconfigured) as refusal:
        settings.load()

    assert "at least 32 characters" in refusal.value.message
    assert "too-short-a-secret" not in refusal.value.message


def test_tls_by_files_needs_both_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYSTEAD_TLS", "files")

    with pytest.raises(Misconfigured, match="KEYSTEAD_TLS_CERTIFICATE"):
        settings.load()


def test_a_file_beside_the_process_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("KEYSTEAD_PORT=8100\nREALITY_COMMON_SHORT_ID=ABCDEF01\n")
    monkeypatch.setenv("KEYSTEAD_PORT", "8200")

    loaded = settings.load()

    assert loaded.port == 8200
    assert loaded.reality_common_short_id == "abcdef01"


def test_an_empty_value_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KEYSTEAD_PORT=8100\nKEYSTEAD_HOST=\n")
    monkeypatch.setenv("KEYSTEAD_PORT", "")

    loaded = settings.load()

    assert (loaded.port, loaded.host) == (8100, "127.0.0.1")


def test_names_are_read_in_any_case_and_what_is_no_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("keystead_port", "8100")
    monkeypatch.setenv("KEYSTEAD_PROT", "8200")

    assert settings.load().port == 8100


def test_what_begins_like_a_setting_and_is_none_is_told_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("KEYSTEAD_ROOT_KYE=c2VjcmV0\nKEYSTEAD_PORT=8100\nOTHER_PORT=1\n")
    monkeypatch.setenv("KEYSTEAD_PROT", "8200")
    monkeypatch.setenv("KEYSTEAD_ZZZZ", "1")
    monkeypatch.setenv("KEYSTEAD_EMPTY", "")
    for known in ("KEYSTEAD_CACHE_DIR", "KEYSTEAD_PYTHON", "KEYSTEAD_TEST_DATABASE", "KEYSTEAD_CHAOS_SEED"):
        monkeypatch.setenv(known, "x")

    strange = unknown.found()

    assert [(each.name, each.origin, each.nearest) for each in strange] == [
        ("KEYSTEAD_PROT", "environment", "KEYSTEAD_PORT"),
        ("KEYSTEAD_ROOT_KYE", ".env", "KEYSTEAD_ROOT_KEY"),
        ("KEYSTEAD_ZZZZ", "environment", None),
    ]
    assert "KEYSTEAD_PORT meant" in strange[0].sentence
    assert not any("8200" in each.sentence or "c2VjcmV0" in each.sentence for each in strange)


def test_international_names_are_taken_in_their_ascii_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYSTEAD_PUBLIC_HOST", "пример.рф")

    assert settings.load().public_host == "xn--e1afmkfd.xn--p1ai"


def test_a_mail_server_needs_a_sender_and_its_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYSTEAD_SMTP_URL", "smtps://keystead:hunter2@mail.example.com")

    with pytest.raises(Misconfigured, match="KEYSTEAD_SMTP_FROM") as refusal:
        settings.load()
    monkeypatch.setenv("KEYSTEAD_SMTP_FROM", "keystead@example.com")

    assert "hunter2" not in refusal.value.message + repr(settings.load())


@pytest.mark.parametrize(
    "url",
    [
        "http://api.cloudflare.com/client/v4",
        "http://10.0.0.1/",
        "ftp://127.0.0.1/",
        "https://user:pass@api.cloudflare.com",
        "https://",
        "https://x/?a=b",
        "127.0.0.1:9001",
    ],
)
def test_a_provider_is_reached_over_https_or_on_loopback_only(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("KEYSTEAD_PROVIDER_CLOUDFLARE_URL", url)

    with pytest.raises(Misconfigured, match="KEYSTEAD_PROVIDER_CLOUDFLARE_URL"):
        settings.load()


def test_every_host_of_every_provider_is_a_setting_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {}
    for provider in PROVIDERS:
        wanted |= {provider.id: provider.base_url}
        wanted |= {f"{provider.id}_{name}": url for name, url in provider.hosts.items()}

    assert settings.load().provider_urls == wanted
    for name in wanted:
        with monkeypatch.context() as one:
            one.setenv(f"KEYSTEAD_PROVIDER_{name}_URL".upper(), "http://192.0.2.1")
            with pytest.raises(Misconfigured, match=f"{name}_url".upper()):
                settings.load()


@pytest.mark.parametrize("url", ["https://relay.internal/v4", "http://127.0.0.1:9001/client/v4", "http://[::1]:9001"])
def test_another_address_of_a_provider_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("KEYSTEAD_PROVIDER_NAMECHEAP_URL", f"{url}/")

    assert settings.load().provider_namecheap_url == url
