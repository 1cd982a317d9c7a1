"""A data directory, a stand-in service on its socket, and the command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Run, runner
from tests.support.service import Service, serving


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> Run:
    return runner(capsys, monkeypatch, data_dir)


@pytest.fixture
def service(data_dir: Path) -> Iterator[Service]:
    with serving(data_dir / "run/control.sock") as running:
        yield running
