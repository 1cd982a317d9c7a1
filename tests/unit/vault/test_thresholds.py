from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from keystead.vault.thresholds import ENDED, News, days_until, is_low, level, news

DAYS = (30, 14, 7, 1)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days_left", "reached"),
    [(31, None), (30, 30), (15, 30), (14, 14), (7, 7), (2, 7), (1, 1), (0, ENDED), (-9, ENDED)],
)
def test_the_most_urgent_threshold_counts(days_left: int, reached: int | None) -> None:
    assert level(days_left, DAYS) == reached
    assert level(days_left, ()) is None


@pytest.mark.parametrize(
    ("end", "left"),
    [
        (date(2026, 3, 8), 7),
        (date(2026, 3, 1), 0),
        (NOW + timedelta(days=7), 7),
        (NOW + timedelta(days=6, seconds=1), 7),
        (NOW + timedelta(seconds=1), 1),
        (NOW, 0),
        (NOW - timedelta(days=2), -2),
    ],
)
def test_days_are_counted_up_to_the_end(end: date | datetime, left: int) -> None:
    assert days_until(end, NOW) == left


def test_each_threshold_is_told_once_and_what_is_cured_is_forgotten() -> None:
    due = {"new": 14, "same": 7, "closer": 1, "farther": 30}

    found = news({"same": 7, "closer": 7, "farther": 7, "cured": 1}, due)

    assert found == News(told={"new": 14, "closer": 1}, noted={"farther": 30}, forgotten=("cured",))
    assert news(due, due) == News(told={}, noted={}, forgotten=())


@pytest.mark.parametrize(
    ("balance", "least", "low"),
    [("9.99", Decimal(10), True), ("10.00", Decimal(10), False), (None, Decimal(10), False), ("0", None, False)],
)
def test_a_balance_is_low_below_what_it_should_be(balance: str | None, least: Decimal | None, low: bool) -> None:
    assert is_low(balance, least) is low
