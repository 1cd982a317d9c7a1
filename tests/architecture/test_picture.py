"""docs/architecture.md draws the folders as they are: every package and every module of the top floor, and no other."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "keystead"
ARCHITECTURE = ROOT / "docs" / "architecture.md"


def drawn() -> list[str]:
    """Return the paths of the list under the heading “The folders”."""
    section = ARCHITECTURE.read_text().partition("\n## The folders\n")[2]
    block = re.search(r"```text\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return [line.split()[0] for line in block[1].splitlines()]


def test_the_picture_of_folders_is_the_tree() -> None:
    folders = {f"{path.parent.relative_to(PACKAGE)}/" for path in PACKAGE.rglob("*.py")} - {"./"}
    modules = {path.name for path in PACKAGE.glob("*.py") if not path.name.startswith("__")}

    assert sorted(drawn()) == sorted(folders | modules)


def test_the_floors_are_those_the_imports_are_held_to() -> None:
    contract = (ROOT / "pyproject.toml").read_text().partition("layers = [")[2].partition("]")[0]

    floors = " → ".join(re.findall(r'"keystead\.(\w+)"', contract))

    assert floors in ARCHITECTURE.read_text()
