"""docs/promises.md names, for each promise of a source document, what shows it: a test or a transcript that exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "promises.md"
MISSING = "missing"


def rows() -> list[tuple[str, str]]:
    """Return every row of the page: the promise, and the cell that says what shows it."""
    lines = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    pairs = [(cells[-2].strip(), cells[-1].strip()) for cells in lines]
    return [(promise, cell) for promise, cell in pairs if cell not in ("Shown by", "---")]


def named() -> list[str]:
    return sorted({name for _, cell in rows() for name in re.findall(r"`([^`]+)`", cell)})


@cache
def defined_in(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_promise_is_shown_or_said_to_be_missing() -> None:
    unclear = [promise for promise, cell in rows() if cell != MISSING and not re.search(r"`tests/[^`]+`", cell)]

    assert len(rows()) > 100
    assert unclear == []


@pytest.mark.parametrize("name", named())
def test_what_shows_a_promise_exists(name: str) -> None:
    path, _, what = name.partition("::")

    assert (ROOT / path).is_file(), name
    if path.endswith(".http"):
        titles = re.findall(r"^### (.+)$", (ROOT / path).read_text(), re.MULTILINE)
        assert not what or what in titles, name
    else:
        assert what in defined_in(ROOT / path), name
