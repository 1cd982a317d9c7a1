"""The keeper's own log while it runs: bounded, one predecessor kept, also with two keepers that share it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from keystead.keeper.journal import bound


class Writer:
    """A descriptor on the log, as a keeper's standard error is."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, text: str) -> None:
        os.write(self.descriptor, text.encode())
        bound(self.descriptor, size_max_bytes=10)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "keeper.log"


@pytest.fixture
def writers(log: Path) -> Iterator[list[Writer]]:
    made = [Writer(log), Writer(log)]
    yield made
    for writer in made:
        os.close(writer.descriptor)


def test_a_large_log_becomes_the_predecessor_and_a_new_one_begins(log: Path, writers: list[Writer]) -> None:
    for text in ("first", "second", "third"):
        writers[0].write(text)

    assert log.read_text() == "third"
    assert log.with_name("keeper.log.1").read_text() == "firstsecond"
    assert log.stat().st_mode & 0o777 == 0o600


def test_another_keeper_follows_to_the_new_log(log: Path, writers: list[Writer]) -> None:
    writers[0].write("first second")

    writers[1].write("late")
    writers[1].write("next")

    assert log.read_text() == "next"
    assert log.with_name("keeper.log.1").read_text() == "first secondlate"


def test_a_keeper_whose_log_is_gone_begins_the_present_one(log: Path, writers: list[Writer]) -> None:
    writers[0].write("first second")
    log.with_name("keeper.log.1").unlink()

    writers[1].write("late")
    writers[1].write("next")

    assert log.read_text() == "next"


def test_what_is_no_file_is_left_alone() -> None:
    reading, writing = os.pipe()
    try:
        bound(writing, size_max_bytes=-1)
        os.write(writing, b"x")
        assert os.read(reading, 1) == b"x"
    finally:
        os.close(reading)
        os.close(writing)
