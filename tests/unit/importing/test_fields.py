"""Values out of foreign records are taken only as what they are."""

import subprocess
from datetime import UTC, datetime

import pytest

from keystead.importing import fields
from keystead.kit.errors import Invalid
from tests.support.xray import xray_path


@pytest.mark.engine
@pytest.mark.parametrize("written", ["Example", "a", "имя", "thirty bytes are the longest id"[:30]])
def test_a_text_becomes_the_uuid_that_the_real_core_makes_of_it(written: str) -> None:
    printed = subprocess.run([xray_path(), "uuid", "-i", written], capture_output=True, text=True, check=True).stdout

    assert fields.vless_uuid(written) == (printed.strip(), False)


@pytest.mark.parametrize("written", ["B831381D-6324-4D53-AD4F-8CDA48B30811", "b831381d63244d53ad4f8cda48b30811"])
def test_a_uuid_is_brought_into_its_usual_form(written: str) -> None:
    assert fields.vless_uuid(written) == ("b831381d-6324-4d53-ad4f-8cda48b30811", True)


@pytest.mark.parametrize("written", ["", "x" * 31, "x" * 36, "ю" * 16])
def test_what_xray_would_not_take_for_an_id_is_refused(written: str) -> None:
    with pytest.raises(Invalid):
        fields.vless_uuid(written)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-03-01 12:00:00.000000", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T15:00:00+03:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (None, None),
    ],
)
def test_a_moment_without_a_zone_is_utc(written: str | None, moment: datetime | None) -> None:
    assert fields.moment_text({"at": written}, "at") == moment


@pytest.mark.parametrize("value", ["1", True, 1.5, [], float("nan"), float("inf")])
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(Invalid, match="count should be a whole number"):
        fields.whole({"count": value}, "count")


@pytest.mark.parametrize("count", [-1, 2**63])
def test_what_is_no_number_of_bytes_is_refused(count: int) -> None:
    with pytest.raises(Invalid, match="no number of bytes"):
        fields.size({"up": count}, "up")


@pytest.mark.parametrize("count", [10**20, -(10**20), 10**400])
def test_a_moment_beyond_the_calendar_is_refused(count: int) -> None:
    with pytest.raises(Invalid):
        fields.moment_ms(count, "expiry")


def test_a_name_keeps_its_letters_and_loses_what_a_terminal_obeys() -> None:
    assert fields.shown_name(" Анна 🦊\x1b[2J\n" + "x" * 300)[:14] == "Анна 🦊 [2J xxx"
    assert fields.shown_name("anna\tsmith\r\nof\xa0oslo\u200b\x00") == "anna smith of oslo"
    assert len(fields.shown_name("x" * 300)) == 255
