"""The log never takes the program down, and holds no secret."""

import errno
import io
import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from keystead.kit import log
from keystead.kit.ids import RandomIds
from keystead.kit.log import LossyStream


@pytest.fixture
def unconfigured() -> Iterator[None]:
    """Leave the logging of the test run as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    before = structlog.get_config()
    yield
    structlog.configure(**before)
    root.handlers[:], root.level = handlers, level


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_that_cannot_be_written_is_lost_and_nothing_else() -> None:
    stream = LossyStream(FullDisk())

    written = stream.write("a line")
    stream.flush()

    assert written == 0


@pytest.mark.usefixtures("unconfigured")
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_no_values(form: Literal["json", "text"], capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(form)
    logger, secret = structlog.get_logger(), RandomIds().token("api")

    try:
        fail_with_a_secret_at_hand(secret)
    except ZeroDivisionError:
        logger.exception("request failed")
    told = capsys.readouterr().err

    assert "ZeroDivisionError" in told
    assert secret not in told


@pytest.mark.usefixtures("unconfigured")
def test_what_libraries_log_is_json_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("json")

    structlog.get_logger().info("engine is ready", routes=1)
    logging.getLogger("uvicorn.error").warning("Invalid %s request", "HTTP")
    try:
        fail_with_a_secret_at_hand("vless://secret")
    except ZeroDivisionError:
        logging.getLogger("uvicorn.error").exception("it failed")
    told = capsys.readouterr().err

    ours, theirs, failed = [json.loads(line) for line in told.splitlines()]
    assert list(ours) == ["timestamp", "level", "event", "routes"]
    assert list(theirs) == ["timestamp", "level", "event", "logger"]
    assert (theirs["level"], theirs["event"], theirs["logger"]) == ("warning", "Invalid HTTP request", "uvicorn.error")
    assert failed["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert "vless://" not in told


def fail_with_a_secret_at_hand(presented: str) -> float:
    return len(presented) / 0


@pytest.mark.usefixtures("unconfigured")
def test_what_a_command_logs_is_no_part_of_its_answer(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure_for_command()

    structlog.get_logger().warning("by the way")

    said = capsys.readouterr()
    assert said.out == ""
    assert "by the way" in said.err
