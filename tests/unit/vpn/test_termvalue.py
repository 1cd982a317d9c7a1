"""What follows from terms and figures, whatever the order of events."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.kit.errors import Invalid
from keystead.vpn.accounting import Bytes
from keystead.vpn.periods import Period, Reset
from keystead.vpn.termvalue import (
    Advance,
    AtLimit,
    Held,
    Starts,
    Stop,
    Terms,
    advance,
    begin,
    granted,
    relaxed,
    renewed,
)

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)


def held(**terms: object) -> Held:
    return begin(Terms(**terms), Bytes(), NOW)  # type: ignore[arg-type]


def names(after: Advance) -> list[str]:
    return [happening.name for happening in after.happenings]


@given(
    quota=st.integers(1, 10**6),
    warn_at=st.lists(st.integers(1, 99), max_size=5),
    steps=st.lists(st.tuples(st.integers(0, 10**5), st.integers(0, 40)), max_size=30),
)
def test_each_thing_happens_once_in_a_period(quota: int, warn_at: list[int], steps: list[tuple[int, int]]) -> None:
    period = Period(Reset.MONTH)
    now, carried, current = NOW, 0, held(quota_bytes=quota, warn_at=tuple(warn_at), period=period)
    told: dict[tuple[datetime, object], int] = {}
    for more, days in steps:
        now, carried = now + timedelta(days=days), carried + more
        after = advance(current, Bytes(0, carried), now)
        assert advance(after.held, Bytes(0, carried), now).happenings == []
        current = after.held
        for happening in after.happenings:
            which = (current.progress.period_began_at, (happening.name, happening.facts.get("percent")))
            told[which] = told.get(which, 0) + 1
        used = carried - current.progress.baseline.total
        assert (current.stop is Stop.CUT) is (used >= quota)

    assert set(told.values()) <= {1}


@given(st.integers(1, 10**12), st.integers(0, 10**12), st.integers(0, 10**12))
def test_what_is_waited_for_is_what_is_due(quota: int, baseline: int, carried: int) -> None:
    started = begin(Terms(quota_bytes=quota, duration_s=60), Bytes(baseline, 0), NOW)
    notice = started.notice_at()
    assert notice is not None

    is_due = advance(started, Bytes(baseline + carried, 0), NOW).held != started

    assert is_due is (baseline + carried >= notice)


def test_a_duration_starts_with_the_first_bytes_and_only_once() -> None:
    waiting = held(duration_s=3600)

    used = advance(waiting, Bytes(1, 0), NOW + timedelta(days=9)).held

    assert used.terms.expires_at == NOW + timedelta(days=9, hours=1)
    assert advance(used, Bytes(2, 0), NOW + timedelta(days=9, minutes=1)).held == used


def test_a_duration_that_starts_with_the_issue_has_its_end() -> None:
    assert granted(Terms(duration_s=60), Starts.ISSUE, NOW).expires_at == NOW + timedelta(seconds=60)


def test_a_clock_that_is_set_back_does_not_take_an_expiry_back() -> None:
    expired = advance(held(expires_at=NOW), Bytes(), NOW).held

    later = advance(expired, Bytes(), NOW - timedelta(days=400))

    assert later.held.stop is Stop.EXPIRED
    assert later.happenings == []
    assert later.held.due_at() is None


def test_a_clock_that_is_set_on_and_back_resets_once() -> None:
    monthly = held(quota_bytes=100, period=Period(Reset.MONTH))
    ahead = advance(monthly, Bytes(0, 50), NOW + timedelta(days=70))

    back = advance(ahead.held, Bytes(0, 60), NOW + timedelta(days=20))

    assert names(ahead) == ["renew"]
    assert back.happenings == []
    assert back.held.used(Bytes(0, 60)).total == 10


def test_one_warning_for_all_thresholds_that_were_passed_at_once() -> None:
    after = advance(held(quota_bytes=100, warn_at=(50, 80, 95)), Bytes(0, 96), NOW)

    assert [(happening.name, happening.facts["percent"]) for happening in after.happenings] == [("warn", 95)]


def test_slow_takes_the_lower_speed_and_does_not_stop() -> None:
    slowed = advance(
        held(quota_bytes=10, at_limit=AtLimit.SLOW, slow_to_bytes_s=125, speed_bytes_s=9000), Bytes(0, 10), NOW
    ).held

    assert (slowed.stop, slowed.pace) == (None, 125)
    assert renewed(slowed, Bytes(0, 10), NOW).pace == 9000


def test_tell_changes_nothing_but_what_is_known() -> None:
    told = advance(held(quota_bytes=10, at_limit=AtLimit.TELL), Bytes(0, 11), NOW)

    assert names(told) == ["limit"]
    assert (told.held.stop, told.held.pace) == (None, None)


def test_what_is_left_of_a_top_up_stays_for_the_next_period() -> None:
    monthly = held(quota_bytes=100)
    topped_up = replace(monthly, progress=replace(monthly.progress, topped_up_bytes=50))

    untouched = renewed(topped_up, Bytes(0, 90), NOW).progress.topped_up_bytes
    partly = renewed(topped_up, Bytes(0, 120), NOW).progress.topped_up_bytes
    used_up = renewed(topped_up, Bytes(0, 150), NOW).progress.topped_up_bytes

    assert (untouched, partly, used_up) == (50, 30, 0)


def test_a_warning_that_no_longer_holds_can_come_again() -> None:
    warned = advance(held(quota_bytes=100, warn_at=(80,)), Bytes(0, 85), NOW).held
    more = relaxed(replace(warned, terms=replace(warned.terms, quota_bytes=200)), Bytes(0, 85))

    again = advance(more, Bytes(0, 160), NOW)

    assert names(again) == ["warn"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"quota_bytes": 0}, "quota_bytes"),
        ({"quota_bytes": 2**63}, "quota_bytes"),
        ({"speed_bytes_s": -1}, "speed_bytes_s"),
        ({"device_limit": 0}, "device_limit"),
        ({"device_limit": 101}, "device_limit"),
        ({"at_limit": AtLimit.SLOW}, "slow_to_bytes_s"),
        ({"warn_at": (0,)}, "warn_at"),
        ({"warn_at": (100,)}, "warn_at"),
        ({"warn_at": tuple(range(1, 20))}, "warn_at"),
        ({"duration_s": 0}, "duration_s"),
        ({"expires_at": datetime(9999, 12, 31, tzinfo=UTC)}, "expires_at"),
    ],
)
def test_terms_that_cannot_be_are_refused_by_the_name_of_their_field(wrong: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        Terms(**wrong)  # type: ignore[arg-type]

    assert list(refused.value.fields) == [field]
