"""The command that imports: a plan for everybody to read, and its application only as it was approved."""

from pathlib import Path

import pytest

from keystead import settings
from keystead.kit.files import exclusive_lock
from tests.support import founded
from tests.support.commands import Run
from tests.support.panels import marzban, pasarguard, remnawave, veilv2ray, veilxray, xui


@pytest.fixture
def _founded(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what a first start makes."""
    monkeypatch.setenv("KEYSTEAD_DATA_DIR", str(data_dir))
    chosen = settings.load(
        data_dir=data_dir, vpn_port=18443, public_host="vpn.test", reality_target="127.0.0.1:9", port=18080
    )
    founded.found(chosen)


def test_every_panel_is_planned_before_there_is_an_instance_and_none_is_made(run: Run, tmp_path: Path) -> None:
    sources: dict[str, tuple[Path, ...]] = {
        "3x-ui": (xui.shop().write(tmp_path / "x-ui.db"),),
        "marzban": marzban.shop().write(_made(tmp_path / "marzban")),
        "pasarguard": (pasarguard.shop().write(_made(tmp_path / "pasarguard")),),
        "remnawave": remnawave.shop().write(_made(tmp_path / "remnawave")),
        "veil-xray": veilxray.shop().write(_made(tmp_path / "veil-xray")),
        "veil-v2ray": veilv2ray.shop().write(_made(tmp_path / "veil-v2ray")),
    }

    said = {panel: run("import", panel, *files, "--json") for panel, files in sources.items()}

    assert {panel: one.code for panel, one in said.items()} == dict.fromkeys(sources, 0)
    assert all(one.json["counts"]["new"] > 0 for one in said.values())
    assert {one.json["source"] for one in said.values()} == set(sources)
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("_founded")
def test_what_was_approved_is_applied_once(run: Run, tmp_path: Path) -> None:
    file = xui.shop().write(tmp_path / "x-ui.db")
    planned = run("import", "3x-ui", file, "--json").json
    digest = planned["digest"]

    applied = run("import", "3x-ui", file, "--approve", digest[:16])
    again = run("import", "3x-ui", file, "--approve", digest, "--json").json
    text = run("import", "3x-ui", file)

    assert applied.code == 0, applied.err
    assert "6 keys are here now, with 1 new inbounds" in applied.out
    assert "4 customers are not taken over" in applied.out
    assert "stop the old panel" in applied.out
    assert "TCP port 443" in applied.out
    assert (again["counts"]["there"], again["taken"]["keys"]) == (6, 0)
    assert "6  are here already" in text.out


@pytest.mark.usefixtures("_founded")
def test_own_ports_of_a_panel_are_own_ports_here(run: Run, tmp_path: Path) -> None:
    files = veilv2ray.shop().write(_made(tmp_path / "veil"))
    planned = run("import", "veil-v2ray", *files, "--json").json

    applied = run("import", "veil-v2ray", *files, "--approve", planned["digest"], "--json").json

    tags = {(inbound["tag"], inbound["port"], inbound["placement"]) for inbound in planned["inbounds"]}
    assert ("keystead-port-10001", 10001, "own-port") in tags
    assert applied["taken"]["keys"] == applied["taken"]["inbounds"] == len(tags) == planned["counts"]["new"]


@pytest.mark.usefixtures("_founded")
@pytest.mark.parametrize(("digest", "told"), [("0" * 64, "was approved"), ("0" * 8, "16 digits or more")])
def test_another_digest_is_refused_and_nothing_is_written(run: Run, tmp_path: Path, digest: str, told: str) -> None:
    file = xui.shop().write(tmp_path / "x-ui.db")

    refused = run("import", "3x-ui", file, "--approve", digest)

    assert refused.code == 1
    assert told in refused.err
    assert run("import", "3x-ui", file, "--json").json["counts"]["there"] == 0


@pytest.mark.usefixtures("_founded")
def test_nothing_is_applied_while_the_data_directory_is_in_use(run: Run, data_dir: Path, tmp_path: Path) -> None:
    file = xui.shop().write(tmp_path / "x-ui.db")
    digest = run("import", "3x-ui", file, "--json").json["digest"]

    with exclusive_lock(data_dir / "keystead.lock", held_by="Keystead"):
        refused = run("import", "3x-ui", file, "--approve", digest)

    assert refused.code == 3
    assert "stop it first" in refused.err


@pytest.mark.usefixtures("_founded")
def test_addresses_that_keystead_does_not_answer_at_are_left_and_the_plan_says_so(run: Run, tmp_path: Path) -> None:
    at_poll = xui.shop().write(tmp_path / "poll.db")
    other = xui.crowd(3)
    other.settings = {"subPath": "/sub/"}
    at_sub = other.write(tmp_path / "sub.db")

    said = run("import", "3x-ui", at_poll)
    planned = run("import", "3x-ui=second", at_sub, "--json").json
    applied = run("import", "3x-ui=second", at_sub, "--approve", planned["digest"], "--json").json

    assert "apps ask at /poll/, and Keystead answers at /sub/" in said.out
    assert planned["origin"] == "second"
    assert applied["taken"]["subscriptions"] == 3


def test_an_unknown_panel_or_a_file_too_many_is_refused(run: Run, tmp_path: Path) -> None:
    file = xui.shop().write(tmp_path / "x-ui.db")

    unknown, many = run("import", "panel", file), run("import", "3x-ui", file, file)

    assert unknown.code == 2
    assert (many.code, "DATABASE" in many.err) == (1, True)


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def test_the_passphrase_of_an_export_is_read_from_a_file(run: Run, tmp_path: Path) -> None:
    file, passphrase = tmp_path / "all.json", tmp_path / "passphrase"
    file.write_text('{"format": "keystead-vpn", "schema": 1, "made_at": "2027-01-01T00:00:00Z", "inbounds": []}')
    passphrase.write_text("correct horse\n")

    missing = run("import", "keystead", file, "--passphrase-file", tmp_path / "nothing")
    read = run("import", "keystead", file, "--passphrase-file", passphrase)

    assert (missing.code, read.code) == (3, 1)
    assert "Passphrase (--passphrase-file" in missing.err
    assert "has no sealed part" in read.err
