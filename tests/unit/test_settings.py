"""A wrong setting stops the start with its name, what is wrong, and an example; secrets are never shown."""

from pathlib import Path

import pytest

from keystead import main, settings
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
        ("KEYSTEAD_PUBLIC_URL", "https://"),
        ("KEYSTEAD_ROOT_KEY", "short"),
        ("KEYSTEAD_ROOT_KEY_PREVIOUS", "short"),
        ("KEYSTEAD_XRAY_API", ":::"),
        ("KEYSTEAD_XRAY_API", "unix:api.sock"),
        ("KEYSTEAD_XRAY_CONFIG", "/nowhere/at/all/config.json"),
        ("KEYSTEAD_XRAY_TRUSTED_CERTIFICATES", "/nowhere/at/all.pem"),
    ],
)
def test_a_wrong_value_is_named_with_an_example(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(Misconfigured) as refusal:
        settings.load()

    assert refusal.value.message.startswith(f"{name}: ")
    assert f"for example {name}=" in refusal.value.message


def test_what_is_not_set_is_what_the_documents_say() -> None:
    loaded = settings.load()

    assert (loaded.host, loaded.port, loaded.tls) == ("127.0.0.1", 8000, "off")
    assert (loaded.vpn_host, loaded.vpn_port, loaded.vpn_ports) == ("0.0.0.0", None, "10001-10100")
    assert (loaded.reality_common_short_id, loaded.vpn_allow_private) == ("7bb45050", ())
    assert loaded.traffic_sync_s == 300


def test_a_short_secret_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_SECRET_KEY", "too-short-a-secret")

    with pytest.raises(Misconfigured) as refusal:
        settings.load()

    assert "at least 32 characters" in refusal.value.message
    assert "too-short-a-secret" not in refusal.value.message


def test_a_wrong_root_key_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYSTEAD_ROOT_KEY", "bm90IDMyIGJ5dGVz")

    with pytest.raises(Misconfigured, match="base64 of 32 bytes") as refusal:
        settings.load()

    assert "bm90IDMyIGJ5dGVz" not in refusal.value.message


@pytest.mark.parametrize(
    ("said", "setting"),
    [
        ({"KEYSTEAD_PORT": "8443", "KEYSTEAD_VPN_PORT": "8443"}, "KEYSTEAD_PORT"),
        ({"KEYSTEAD_HOST": "::", "KEYSTEAD_VPN_HOST": "127.0.0.1", "KEYSTEAD_VPN_PORT": "8000"}, "KEYSTEAD_PORT"),
        ({"KEYSTEAD_DOORS": "v1=127.0.0.1:8443", "KEYSTEAD_VPN_PORT": "8443"}, "KEYSTEAD_DOORS"),
    ],
)
def test_a_door_where_the_vpn_listens_is_refused(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], setting: str
) -> None:
    for name, value in said.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(Misconfigured) as refusal:
        settings.load()

    assert refusal.value.message.startswith(f"{setting}: ")
    assert "for example" in refusal.value.message


def test_a_door_beside_the_vpn_at_another_address_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYSTEAD_VPN_HOST", "192.0.2.1")
    monkeypatch.setenv("KEYSTEAD_VPN_PORT", "8000")

    assert settings.load().vpn_port == 8000


@pytest.mark.parametrize(
    ("said", "setting"),
    [
        ({"KEYSTEAD_HOST": "0.0.0.0"}, "KEYSTEAD_HOST"),
        ({"KEYSTEAD_HOST": "::"}, "KEYSTEAD_HOST"),
        ({"KEYSTEAD_HOST": "192.0.2.1", "KEYSTEAD_ALLOW_PLAIN_HTTP": "false"}, "KEYSTEAD_HOST"),
        ({"KEYSTEAD_DOORS": "v1=0.0.0.0:8001"}, "KEYSTEAD_DOORS"),
    ],
)
def test_plain_http_where_others_can_listen_is_refused(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], setting: str
) -> None:
    for name, value in said.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(Misconfigured, match="KEYSTEAD_ALLOW_PLAIN_HTTP=true") as refusal:
        main.check_exposure(settings.load())

    assert refusal.value.message.startswith(f"{setting}: ")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"KEYSTEAD_HOST": "::1"},
        {"KEYSTEAD_HOST": "0.0.0.0", "KEYSTEAD_TLS": "self-signed"},
        {"KEYSTEAD_HOST": "0.0.0.0", "KEYSTEAD_ALLOW_PLAIN_HTTP": "true"},
        {"KEYSTEAD_HOST": "0.0.0.0", "KEYSTEAD_TRUSTED_PROXIES": "10.0.0.1"},
    ],
)
def test_plain_http_that_nobody_hears_or_that_is_meant_is_served(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str]
) -> None:
    for name, value in said.items():
        monkeypatch.setenv(name, value)

    main.check_exposure(settings.load())


@pytest.mark.parametrize(
    "said",
    [
        {"KEYSTEAD_TLS": "files"},
        {"KEYSTEAD_XRAY_API": "unix:/run/xray.sock"},
        {"KEYSTEAD_REALITY_SERVER_NAMES": "www.example.com"},
        {"KEYSTEAD_SMTP_FROM": "keystead@example.com"},
    ],
)
def test_settings_that_need_each_other_say_so_with_an_example(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str]
) -> None:
    for name, value in said.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(Misconfigured, match="for example KEYSTEAD_") as refusal:
        settings.load()

    assert all(name in refusal.value.message for name in said)


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
