"""Periods: in every zone, at month ends and clock changes, they follow one another without a gap and never twice."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.kit.errors import Invalid
from keystead.vpn.periods import Period, Reset

# Half hours, a missing day, clocks changed at midnight both ways, half an hour of summer, the far east and west.
ZONES = (
    "UTC",
    "Europe/Moscow",
    "America/New_York",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "America/Havana",
    "Asia/Beirut",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
)
moments = st.datetimes(datetime(2005, 1, 1), datetime(2039, 1, 1), timezones=st.just(UTC))
calendar_periods = st.builds(
    Period,
    st.sampled_from([Reset.DAY, Reset.WEEK, Reset.MONTH]),
    st.none(),
    st.integers(1, 31),
    st.sampled_from(ZONES),
)
periods = calendar_periods | st.builds(Period, st.just(Reset.ROLLING), st.integers(1, 400))


@given(periods, moments)
def test_a_moment_lies_in_the_period_that_holds_it(period: Period, now: datetime) -> None:
    began_at = period.first(now)
    following = period.following(began_at)

    assert following is not None
    assert began_at <= now < following


@given(calendar_periods, moments)
def test_a_period_of_the_calendar_begins_when_its_day_does(period: Period, now: datetime) -> None:
    following = period.following(period.first(now))

    assert following is not None
    zone = ZoneInfo(period.zone)
    local, before = following.astimezone(zone), (following - timedelta(microseconds=1)).astimezone(zone)
    assert before.date() < local.date()
    assert period.first(following) == following
    assert period.reset is not Reset.WEEK or local.weekday() == 0 or period.zone == "Pacific/Apia"


@given(periods, moments, st.timedeltas(timedelta(0), timedelta(days=3000)))
def test_the_current_period_is_reached_from_any_earlier_one(period: Period, began: datetime, later: timedelta) -> None:
    first = period.first(began)

    current = period.current(first, began + later)

    following = period.following(current)
    assert following is not None
    assert first <= current <= began + later < following
    assert period.current(current, began + later) == current


@given(periods, moments, st.timedeltas(timedelta(0), timedelta(days=800)))
def test_a_clock_that_was_set_back_begins_nothing_again(period: Period, now: datetime, back: timedelta) -> None:
    began_at = period.first(now)

    assert period.current(began_at, now - back) == began_at


@given(moments, st.sampled_from(ZONES), st.integers(1, 31))
def test_a_month_has_one_beginning(now: datetime, zone: str, day: int) -> None:
    period = Period(Reset.MONTH, month_day=day, zone=zone)
    began_at, seen = period.first(now), []
    for _ in range(12):
        following = period.following(began_at)
        assert following is not None
        began_at = following
        seen.append(began_at.astimezone(ZoneInfo(zone)))

    months = [local.year * 12 + local.month for local in seen]
    assert [b - a for a, b in itertools.pairwise(months)] == [1] * 11


@pytest.mark.parametrize(
    ("period", "began", "following"),
    [
        (Period(Reset.MONTH, month_day=31), "2027-01-31T00:00+00:00", "2027-02-28T00:00+00:00"),
        (Period(Reset.MONTH, month_day=31), "2028-01-31T00:00+00:00", "2028-02-29T00:00+00:00"),
        (Period(Reset.MONTH, month_day=31), "2027-02-28T00:00+00:00", "2027-03-31T00:00+00:00"),
        (Period(Reset.MONTH, zone="Europe/Moscow"), "2027-11-30T21:00+00:00", "2027-12-31T21:00+00:00"),
        # 23 and 25 hours: the clocks of New York change on 2027-03-14 and 2027-11-07.
        (Period(Reset.DAY, zone="America/New_York"), "2027-03-14T05:00+00:00", "2027-03-15T04:00+00:00"),
        (Period(Reset.DAY, zone="America/New_York"), "2027-11-07T04:00+00:00", "2027-11-08T05:00+00:00"),
        # Sao Paulo had no midnight on 2018-11-04: the day began at one.
        (Period(Reset.DAY, zone="America/Sao_Paulo"), "2018-11-03T03:00+00:00", "2018-11-04T03:00+00:00"),
        # Samoa had no 30 December 2011.
        (Period(Reset.DAY, zone="Pacific/Apia"), "2011-12-29T10:00+00:00", "2011-12-30T10:00+00:00"),
        (Period(Reset.WEEK), "2027-01-04T00:00+00:00", "2027-01-11T00:00+00:00"),
        (Period(Reset.ROLLING, 30), "2027-01-31T13:37+00:00", "2027-03-02T13:37+00:00"),
    ],
)
def test_known_dates(period: Period, began: str, following: str) -> None:
    assert period.following(datetime.fromisoformat(began)) == datetime.fromisoformat(following)


def test_a_quota_without_a_period_is_for_good() -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)

    assert Period().following(now) is None
    assert Period().current(now, now + timedelta(days=9999)) == now


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "/etc/passwd", "../x", "America", "x" * 300, "a\0b"])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(Invalid, match="time zone"):
        Period(zone=zone)


@pytest.mark.parametrize(
    "wrong", [{"reset": Reset.ROLLING}, {"days": 3}, {"reset": Reset.ROLLING, "days": 0}, {"month_day": 32}]
)
def test_a_period_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        Period(**wrong)  # type: ignore[arg-type]
