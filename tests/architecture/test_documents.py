"""The pages in docs/ and beside it: generated ones are fresh, links lead somewhere, twins agree."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STARTS = ("README.md", "docs/index.md")
FOREIGN = re.compile(r"^(?:[a-z]+:|//)")


@cache
def pages() -> dict[str, str]:
    """Return every Markdown page that is or could be committed, by its path in the repository."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return {name: (ROOT / name).read_text() for name in names if name and (ROOT / name).is_file()}


def prose(text: str) -> str:
    """Return a page without its code."""
    return re.sub(r"`[^`\n]+`", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def links(name: str) -> list[tuple[str, str]]:
    """Return the links of a page that stay in the repository: the path they lead to and the heading."""
    found = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(pages()[name])):
        if FOREIGN.match(target):
            continue
        path, _, heading = target.partition("#")
        place = (ROOT / name).parent / path if path else ROOT / name
        found.append((str(place.resolve().relative_to(ROOT)), heading))
    return found


def headings(text: str) -> list[str]:
    """Return the level of every heading, in order, with its text."""
    return re.findall(r"^#+ .+$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)


def anchor(heading: str) -> str:
    """Return the name under which a heading is linked to."""
    return re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower()).replace(" ", "-")


def test_generated_pages_are_what_the_code_says() -> None:
    outcome = subprocess.run(
        [sys.executable, ROOT / "scripts" / "document", "--check"], capture_output=True, text=True, timeout=120
    )

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("name", sorted(pages()))
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    dead = [
        (path, heading)
        for path, heading in links(name)
        if not (ROOT / path).exists() or (heading and heading not in map(anchor, headings(pages()[path])))
    ]

    assert dead == []


def test_every_page_is_reached_from_the_start() -> None:
    reached: set[str] = set()
    ahead = [name for name in STARTS if name in pages()]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += [path for path, _ in links(name) if path in pages()]

    assert sorted(pages().keys() - reached - set(fragments())) == []


def fragments() -> dict[str, str]:
    """Return the sentences that wait for a release, which gathers them; no page links to them."""
    return {name: text for name, text in pages().items() if re.match(r"changelog\.d/[^/]+\.[^/]+\.md", name)}


def test_a_change_is_one_sentence_of_a_known_kind() -> None:
    kinds = {"added", "changed", "fixed", "removed", "security"}

    assert {name for name in fragments() if name.split(".")[-2] not in kinds} == set()
    assert {name for name, text in fragments().items() if not re.fullmatch(r"[`A-Z][^\n]+\.\n", text)} == set()


def test_contributors_are_shown_the_targets_there_are() -> None:
    told = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert told.stdout.rstrip() in pages()["CONTRIBUTING.md"]


def test_no_page_waits_for_its_content() -> None:
    assert [name for name, text in pages().items() if re.search(r"@@|TBD|FIXME", text)] == []


def test_the_two_readmes_have_one_structure() -> None:
    english, russian = pages()["README.md"], pages()["README.ru.md"]

    def outline(text: str) -> list[str]:
        return [heading.partition(" ")[0] for heading in headings(text)]

    def blocks(text: str) -> list[str]:
        return re.findall(r"^```.*?^```", text, flags=re.DOTALL | re.MULTILINE)

    def rows(text: str) -> int:
        return len(re.findall(r"^\|", text, re.MULTILINE))

    assert outline(english) == outline(russian)
    assert blocks(english) == blocks(russian)
    assert rows(english) == rows(russian)
    assert max(len(text.splitlines()) for text in (english, russian)) <= 150
