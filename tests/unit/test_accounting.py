"""How readings become bytes: nothing is lost while a process lives, nothing is counted twice, no figure falls."""

from hypothesis import given
from hypothesis import strategies as st

from keystead.vpn.accounting import Bytes, LabelReading, carried_since

grown = st.integers(min_value=0, max_value=2**40)
counted = st.builds(Bytes, grown, grown)


def test_the_first_reading_counts_all() -> None:
    assert carried_since(None, LabelReading("core-1", Bytes(3, 5))) == Bytes(3, 5)


def test_the_same_process_adds_the_difference() -> None:
    before, now = LabelReading("core-1", Bytes(3, 5)), LabelReading("core-1", Bytes(4, 50))

    assert carried_since(before, now) == Bytes(1, 45)


def test_another_process_adds_all_even_when_its_counter_is_higher() -> None:
    before, now = LabelReading("core-1", Bytes(3, 5)), LabelReading("core-2", Bytes(4, 50))

    assert carried_since(before, now) == Bytes(4, 50)


def test_a_counter_that_fell_was_reset_by_somebody_else() -> None:
    before, now = LabelReading("core-1", Bytes(30, 5)), LabelReading("core-1", Bytes(4, 50))

    assert carried_since(before, now) == Bytes(4, 45)


@given(st.lists(counted, max_size=20))
def test_the_total_of_one_process_is_what_it_carried_however_often_it_is_read(steps: list[Bytes]) -> None:
    carried, total = Bytes(), Bytes()
    last: LabelReading | None = None

    for step in steps:
        carried += step
        now = LabelReading("core-1", carried)
        total += carried_since(last, now)
        last = now

    assert total == carried


@given(st.lists(st.tuples(st.sampled_from(["core-1", "core-2"]), counted), max_size=20))
def test_no_reading_lowers_a_figure(readings: list[tuple[str, Bytes]]) -> None:
    last: LabelReading | None = None

    for process, bytes_counted in readings:
        now = LabelReading(process, bytes_counted)
        added = carried_since(last, now)
        last = now

        assert added.uplink >= 0
        assert added.downlink >= 0
