from datetime import UTC, datetime

import pytest

from keystead.vault.drift import Change, Deviation, Drift, Seen, compared, deviations

OURS, THEIRS = ("bob.ns.cloudflare.com", "lola.ns.cloudflare.com"), ("dns1.parked.test", "dns2.parked.test")
WHEN = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "seen",
    [
        Seen(),
        Seen(True, registrar=OURS, zone=OURS, dns=OURS, zone_status="active"),
        Seen(True, registrar=["LOLA.ns.cloudflare.com.", "bob.ns.cloudflare.com"], zone=OURS, dns=OURS[::-1]),
        Seen(zone=OURS, dns=OURS),
        Seen(True, registrar=THEIRS, dns=THEIRS),
        Seen(dns=THEIRS),
        Seen(dns_problem="the name does not exist in DNS"),
        Seen(True, registrar=(), zone=OURS, dns=OURS),
        Seen(True, zone=OURS, dns=THEIRS),
        Seen(zone=OURS, zone_status="pending"),
    ],
)
def test_what_agrees_or_is_not_known_is_no_drift(seen: Seen) -> None:
    assert deviations(seen) == []


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (Seen(True, registrar=THEIRS, zone=OURS, dns=THEIRS), [Deviation(Drift.REGISTRAR, OURS, THEIRS)]),
        (Seen(True, registrar=OURS, zone=OURS, dns=THEIRS), [Deviation(Drift.DNS, OURS, THEIRS)]),
        (Seen(zone=OURS, dns=THEIRS), [Deviation(Drift.DNS, OURS, THEIRS)]),
        (Seen(True, registrar=OURS, dns_problem="lame"), [Deviation(Drift.UNRESOLVED, OURS, ("lame",))]),
        (
            Seen(True, registrar=OURS, zone=OURS, dns=OURS, zone_missing_since=WHEN),
            [Deviation(Drift.ZONE_MISSING, ("there",), ("not there",))],
        ),
        (
            Seen(zone=OURS, dns=OURS, zone_status="error"),
            [Deviation(Drift.ZONE_MOVED, ("active",), ("moved or deactivated",))],
        ),
        (
            Seen(True, registrar=THEIRS, zone=OURS, dns=OURS, registration_missing_since=WHEN),
            [Deviation(Drift.REGISTRATION_MISSING, ("listed",), ("not listed",))],
        ),
    ],
)
def test_what_differs_says_what_should_be_and_what_is(seen: Seen, found: list[Deviation]) -> None:
    assert deviations(seen) == found


def test_a_comparison_tells_new_different_and_cured_apart() -> None:
    one, other = Deviation(Drift.DNS, OURS, THEIRS), Deviation(Drift.DNS, OURS, ("x.test",))

    change = compared({1: one, 2: one, 3: one}, {2: one, 3: other, 4: one})

    assert change == Change(new={4: one}, changed={3: other}, cured=(1,))
