"""Key pairs in Xray's form, and the choice of the program to run."""

import subprocess
from pathlib import Path

import pytest

from keystead.engines.xray import binary, keys
from keystead.kit.errors import Invalid, Misconfigured
from keystead.kit.secret import Secret
from tests.support.xray import xray_path


def test_a_key_pair_is_what_xray_itself_derives() -> None:
    pair = keys.generate()

    answer = subprocess.run(
        [xray_path(), "x25519", "-i", pair.private_key.reveal()], capture_output=True, text=True, check=True
    )

    assert pair.public_key in answer.stdout
    assert len(pair.public_key) == 43


@pytest.mark.parametrize("text", ["", "short", "!" * 43])
def test_what_is_no_private_key_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        keys.public_of(Secret(text))


def _fake(path: Path, version: str) -> Path:
    path.write_text(f"#!/bin/sh\necho 'Xray {version} (Xray, Penetrates Everything.)'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version", ["26.5.3", "26.7.28", "26.9.7"])
def test_a_supported_program_is_taken(tmp_path: Path, version: str) -> None:
    found = binary.find(named=None, cached=tmp_path / "none", system=_fake(tmp_path / "xray", version))

    assert (found.version, found.path) == (version, tmp_path / "xray")


@pytest.mark.parametrize("version", ["26.5.2", "26.9.8", "1.8.24"])
def test_an_unsupported_program_is_refused_with_what_to_do(tmp_path: Path, version: str) -> None:
    with pytest.raises(Misconfigured, match=r"supported are 26\.5\.3 to 26\.9\.7; run: keystead engine install xray"):
        binary.find(named=_fake(tmp_path / "xray", version), cached=xray_path())


def test_what_the_system_has_comes_before_the_build_and_says_why(tmp_path: Path) -> None:
    found = binary.find(named=None, cached=xray_path(), system=_fake(tmp_path / "xray", "26.5.3"))

    assert found.path == tmp_path / "xray"
    assert found.reason == f"found at {tmp_path / 'xray'}"


@pytest.mark.parametrize("version", ["26.5.2", "26.9.8"])
def test_what_the_system_has_and_is_not_supported_is_passed_over_and_told(tmp_path: Path, version: str) -> None:
    found = binary.find(named=None, cached=xray_path(), system=_fake(tmp_path / "xray", version))

    assert found.path == xray_path()
    assert found.reason.startswith("built by Keystead from its pin; ")
    assert f"{tmp_path / 'xray'} is not one that is supported" in found.reason


def test_without_one_on_the_system_the_build_is_taken(tmp_path: Path) -> None:
    found = binary.find(named=None, cached=xray_path(), system=tmp_path / "none")

    assert (found.path, found.reason) == (xray_path(), "built by Keystead from its pin")


@pytest.mark.parametrize("content", ["#!/bin/sh\necho hello\n", "no program at all"])
def test_what_is_no_xray_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "xray"
    path.write_text(content)
    path.chmod(0o755)

    with pytest.raises(Misconfigured):
        binary.find(named=path, cached=tmp_path / "none")


def test_nothing_installed_says_how_to_install(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="keystead engine install xray"):
        binary.find(named=None, cached=tmp_path / "none", system=tmp_path / "none")
