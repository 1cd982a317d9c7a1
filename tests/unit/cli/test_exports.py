"""The command that exports: a private file that replaces nothing, with secrets only where they are asked for."""

from pathlib import Path

import pytest

from tests.support.commands import Run
from tests.support.service import Service

DOCUMENT = b'{"format": "keystead-vpn"}\n'
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


def test_without_a_file_the_service_s_document_is_printed(run: Run, service: Service) -> None:
    service.will("POST /v1/export", DOCUMENT)

    said = run("export")

    assert (said.code, said.out) == (0, DOCUMENT.decode())
    assert service.asked == [("POST /v1/export", {})]


def test_a_file_is_its_owner_s_alone(run: Run, service: Service, tmp_path: Path) -> None:
    service.will("POST /v1/export", DOCUMENT)

    said = run("export", tmp_path / "all.json")

    assert said.code == 0, said.err
    assert (tmp_path / "all.json").read_bytes() == DOCUMENT
    assert (tmp_path / "all.json").stat().st_mode & 0o777 == 0o600
    assert "secrets left out" in said.out


@pytest.mark.parametrize(
    ("arguments", "stdin", "body"),
    [
        (("--recipient", RECIPIENT), "", {"recipient": RECIPIENT}),
        (("--passphrase-file", "-"), "correct horse\n", {"passphrase": "correct horse"}),
    ],
)
def test_with_secrets_it_says_for_whom(
    run: Run, service: Service, tmp_path: Path, arguments: tuple[str, ...], stdin: str, body: dict[str, str]
) -> None:
    service.will("POST /v1/export", DOCUMENT)

    said = run("export", tmp_path / "all.json", "--with-secrets", *arguments, stdin=stdin)

    assert said.code == 0, said.err
    assert service.asked == [("POST /v1/export", body)]
    assert "keystead import keystead" in said.out


def test_naming_for_whom_without_asking_for_secrets_is_refused(run: Run, service: Service) -> None:
    said = run("export", "--recipient", RECIPIENT)

    assert (said.code, service.asked) == (1, [])
    assert "add --with-secrets" in said.err


def test_a_file_that_is_there_is_left_alone(run: Run, service: Service, tmp_path: Path) -> None:
    file = tmp_path / "all.json"
    file.write_text("mine")

    said = run("export", file)

    assert (said.code, file.read_text(), service.asked) == (1, "mine", [])


def test_what_the_service_refuses_leaves_no_file(run: Run, service: Service, tmp_path: Path) -> None:
    service.refuse("POST /v1/export", 503, "busy", "the database is busy; try again")

    said = run("export", tmp_path / "all.json")

    assert said.code == 4
    assert list(tmp_path.glob("*all.json*")) == []


def test_where_there_is_no_instance_it_says_so(run: Run) -> None:
    said = run("export")

    assert said.code == 3
    assert "holds no instance" in said.err
