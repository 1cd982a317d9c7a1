"""Run the command line in this process as a user would, and see its exit code and what it says."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keystead.cli import app


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Said]


def runner(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> Run:
    """Return a function that runs one command on a data directory, with the given standard input."""
    monkeypatch.setenv("KEYSTEAD_DATA_DIR", str(data_dir))
    monkeypatch.chdir(data_dir.parent)

    def run(*arguments: object, stdin: str = "") -> Said:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return run
