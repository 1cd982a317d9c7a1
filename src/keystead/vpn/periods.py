"""Periods: when a quota begins anew, in the calendar of a time zone; pure, and right at month ends and clock changes.

A period is told from where it began, which is stored: whatever the machine's clock does, none begins twice.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from keystead.kit.errors import Invalid

ROLLING_DAYS_MAX = 3660
_DAY = timedelta(days=1)


class Reset(StrEnum):
    """How often a quota begins anew: never, with the day, week or month of a time zone, or every so many days."""

    NONE = "none"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    ROLLING = "rolling"


@dataclass(frozen=True)
class Period:
    """How long a quota is for.

    ``days`` is the length of a rolling period in days of 24 hours. ``month_day`` is the day on which a month begins,
    the last one in months that are shorter. Weeks begin on Monday. ``zone`` is an IANA name (``Europe/Moscow``).
    """

    reset: Reset = Reset.NONE
    days: int | None = None
    month_day: int = 1
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if (self.reset is Reset.ROLLING) is not (self.days is not None):
            problem = "a rolling period needs its length in days, and no other has one"
            raise Invalid(problem, fields={"reset_days": problem})
        if self.days is not None and not 1 <= self.days <= ROLLING_DAYS_MAX:
            raise Invalid("a period of that many days cannot be", fields={"reset_days": f"1 to {ROLLING_DAYS_MAX}"})
        if not 1 <= self.month_day <= 31:
            raise Invalid("a month has no such day", fields={"reset_day": "1 to 31"})
        _zone(self.zone)

    def first(self, now: datetime) -> datetime:
        """Return when the period that holds a moment began; a rolling or endless one begins at that moment."""
        if self.reset in (Reset.NONE, Reset.ROLLING):
            return now
        began = self._midnight(self._first_day(self._day(now)))
        return began if began <= now else self._midnight(self._first_day(self._day(now) - _DAY))

    def following(self, began_at: datetime) -> datetime | None:
        """Return when the period after the one that began at a moment begins; None when there is none."""
        if self.reset is Reset.NONE:
            return None
        if self.days is not None:
            return began_at + timedelta(days=self.days)
        day = self._next_first_day(self._day(began_at))
        while (found := self._midnight(day)) <= began_at:  # a zone that skipped a day, or one that was changed
            day = self._next_first_day(day)
        return found

    def current(self, began_at: datetime, now: datetime) -> datetime:
        """Return when the period that holds ``now`` began, counting on from one that began earlier.

        A clock that was set back leaves the period that is known.
        """
        following = self.following(began_at)
        if following is None or now < following:
            return began_at
        if self.days is not None:
            return began_at + timedelta(days=(now - began_at).days // self.days * self.days)
        return max(following, self.first(now))

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(_zone(self.zone)).date()

    def _first_day(self, day: date) -> date:
        if self.reset is Reset.WEEK:
            return day - timedelta(days=day.weekday())
        if self.reset is Reset.DAY:
            return day
        this = _in_month(day.year, day.month, self.month_day)
        if this <= day:
            return this
        before = day.replace(day=1) - _DAY
        return _in_month(before.year, before.month, self.month_day)

    def _next_first_day(self, day: date) -> date:
        if self.reset is Reset.DAY:
            return day + _DAY
        if self.reset is Reset.WEEK:
            return day + timedelta(days=7 - day.weekday())
        this = _in_month(day.year, day.month, self.month_day)
        if this > day:
            return this
        after = day.replace(day=28) + timedelta(days=4)
        return _in_month(after.year, after.month, self.month_day)

    def _midnight(self, day: date) -> datetime:
        """Return when a day begins: where the clocks skip midnight, when they skip; where it comes twice, the first."""
        return datetime(day.year, day.month, day.day, tzinfo=_zone(self.zone)).astimezone(UTC)


def _in_month(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; not a name at all; a directory of names
        problem = f"no time zone is called {name[:64]!r}; name one like Europe/Moscow"
        raise Invalid(problem, fields={"time_zone": problem}) from None
