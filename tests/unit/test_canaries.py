"""The search for marked secrets finds what was planted, in every place and form it claims to look at."""

import base64
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pyrage
import pytest

from tests.support.canaries import Canaries

SECRET = "canary-planted/secret+0123456789"


@pytest.fixture
def canaries() -> Canaries:
    made = Canaries()
    made.mark("the planted one", SECRET)
    return made


@pytest.mark.parametrize(
    "content",
    [
        SECRET,
        f'{{"x": "{SECRET}"}}',
        base64.b64encode(f"relay:{SECRET}".encode()).decode(),
        base64.urlsafe_b64encode(f"{SECRET} and more".encode()).decode(),
        base64.b64encode(f"ab{SECRET}!".encode()).decode(),
        SECRET.encode().hex(),
        "?key=canary-planted%2Fsecret%2B0123456789&x",
    ],
)
def test_a_planted_secret_is_found_in_a_file(canaries: Canaries, tmp_path: Path, content: str) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "keystead.db-wal").write_bytes(b"\0\xff" + content.encode() + b"\0")

    assert canaries.in_files(tmp_path) == ["the planted one in below/keystead.db-wal"]
    assert canaries.in_files(tmp_path, apart_from=["keystead.db-wal"]) == []


def test_a_planted_secret_is_found_in_a_backup_only_once_that_is_opened(canaries: Canaries, tmp_path: Path) -> None:
    inside = io.BytesIO()
    with zipfile.ZipFile(inside, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("tables/credentials.jsonl", f'["{SECRET}"]')
    path = tmp_path / "all.age"
    path.write_bytes(pyrage.passphrase.encrypt(inside.getvalue(), "passphrase"))

    assert canaries.in_files(tmp_path) == []
    assert canaries.in_backup(path, "passphrase") == ["the planted one in tables/credentials.jsonl"]


@pytest.mark.parametrize("place", ["cmdline", "environ"])
def test_a_planted_secret_is_found_at_a_process_below(canaries: Canaries, place: str) -> None:
    wait = [sys.executable, "-c", "print(flush=True); input()", *([SECRET] if place == "cmdline" else [])]
    environment = os.environ | ({"PLANTED": SECRET} if place == "environ" else {})

    with subprocess.Popen(wait, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = canaries.in_processes(os.getpid())
        child.kill()

    assert found == [f"the planted one in {place} of process {child.pid}"]


def test_what_is_not_there_is_not_found(canaries: Canaries, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("canary-planted is only half of it")

    assert canaries.in_files(tmp_path) == []
    assert canaries.in_texts({"audit": "nothing"}) == []
