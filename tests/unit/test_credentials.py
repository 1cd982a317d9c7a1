"""Settings that the service manager hands over as credentials: files of a directory, each named as its variable."""

from functools import partial
from pathlib import Path

import pytest

from keystead import settings
from keystead.access import datakeys, rotation
from keystead.kit.crypto import encode_key, new_key
from keystead.kit.errors import Misconfigured
from keystead.kit.secret import Secret
from keystead.sealing import SEALED_COLUMNS
from keystead.settings import Settings, unknown
from keystead.shown_settings import shown
from keystead.vault import credentials
from tests.support.work import Workplace
from tests.unit.vault.shelf import added

ROOT, PREVIOUS = "KEYSTEAD_ROOT_KEY", "KEYSTEAD_ROOT_KEY_PREVIOUS"


@pytest.fixture
def handed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of credentials; nothing else says anything."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(settings.environment_name(name), raising=False)
    directory = tmp_path / "credentials"
    directory.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
    return directory


def opened(place: Settings, directory: Path) -> datakeys.RootKey:
    """Return the root key as a start does."""
    now, before = place.root_key, place.root_key_previous
    assert now is not None
    previous = None if before is None else Secret(before.get_secret_value())
    return datakeys.load_root_key(directory, Secret(now.get_secret_value()), previous=previous)


async def test_a_root_key_that_is_a_credential_seals_and_is_rotated_to_the_next_one(
    workplace: Workplace, handed: Path, tmp_path: Path
) -> None:
    old, new = encode_key(new_key()), encode_key(new_key())
    (handed / ROOT).write_text(f"{old}\n")
    first = opened(settings.load(), tmp_path)
    keys = await workplace.database.write(partial(datakeys.open_keys, root=first, now=workplace.clock.now()))
    workplace.keys = keys.ring
    held = await added(workplace, "a secret")

    (handed / PREVIOUS).write_text(old)
    (handed / ROOT).write_text(new)
    both = opened(settings.load(), tmp_path)
    await rotation.rotate(workplace.database, both, keys.ring, SEALED_COLUMNS, clock=workplace.clock)
    (handed / PREVIOUS).unlink()

    alone = opened(settings.load(), tmp_path)
    reopened = await workplace.database.write(partial(datakeys.open_keys, root=alone, now=workplace.clock.now()))
    workplace.keys = reopened.ring
    assert (await workplace.do(credentials.reveal, held.id)).reveal() == "a secret"
    assert not (tmp_path / datakeys.ROOT_KEY_FILE).exists()


def test_a_credential_is_stronger_than_the_file_and_weaker_than_the_environment(
    handed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("KEYSTEAD_PORT=8100\nKEYSTEAD_HOST=127.0.0.2\n")
    (handed / "KEYSTEAD_PORT").write_text("8200\n")
    (handed / "keystead_vpn_port").write_text("8443")
    (handed / "KEYSTEAD_VPN_HOST").write_text("127.0.0.3")
    monkeypatch.setenv("KEYSTEAD_VPN_HOST", "127.0.0.4")

    loaded = settings.load()
    origins = {one.name: one.origin for one in shown(loaded)}

    assert (loaded.port, loaded.vpn_port, loaded.host, loaded.vpn_host) == (8200, 8443, "127.0.0.2", "127.0.0.4")
    assert [origins[name] for name in ("KEYSTEAD_PORT", "KEYSTEAD_HOST", "KEYSTEAD_VPN_HOST", "KEYSTEAD_TLS")] == [
        "credential",
        ".env",
        "environment",
        "default",
    ]


def test_what_others_keep_there_is_not_read_and_a_name_that_is_misspelt_is_told(handed: Path) -> None:
    (handed / "certificate.der").write_bytes(b"\xff\xfe")
    (handed / "KEYSTEAD_ROOT_KYE").write_text("CANARY")

    settings.load()

    [strange] = unknown.found()
    assert (strange.name, strange.origin, strange.nearest) == ("KEYSTEAD_ROOT_KYE", "credential", ROOT)


def test_a_credential_that_cannot_be_read_stops_the_start_without_being_shown(handed: Path) -> None:
    (handed / ROOT).write_bytes(b"CANARY\xff")

    with pytest.raises(Misconfigured, match="cannot be read") as refusal:
        settings.load()

    assert "CANARY" not in refusal.value.message
