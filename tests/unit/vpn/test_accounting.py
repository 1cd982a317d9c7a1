"""Bytes are booked once: a model of an engine and its reader, driven at random."""

from hypothesis import given
from hypothesis import strategies as st

from keystead.vpn.accounting import NEVER_READ, Bytes, LabelReading, carried_since

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("carry"), st.integers(0, 2**55), st.integers(0, 2**55)),
        st.tuples(st.just("read"), st.just(0), st.just(0)),
        st.tuples(st.just("lose the reply"), st.just(0), st.just(0)),
        st.tuples(st.just("restart after a last reading"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@given(STEPS)
def test_every_byte_the_engine_counted_is_booked_once(steps: list[tuple[str, int, int]]) -> None:
    counted, carried, booked, process, last = Bytes(), Bytes(), Bytes(), 0, NEVER_READ

    for step, uplink, downlink in [*steps, ("read", 0, 0)]:
        if step == "carry":
            counted, carried = counted + Bytes(uplink, downlink), carried + Bytes(uplink, downlink)
        if step in {"read", "restart after a last reading"}:
            now = LabelReading(str(process), *counted)
            booked, last = booked + carried_since(last, now), now
        if step == "restart after a last reading":
            process, counted = process + 1, Bytes()

    assert booked == carried


def test_a_counter_that_somebody_else_reset_is_booked_from_zero() -> None:
    before = LabelReading("1", 1000, 2000)

    assert carried_since(before, LabelReading("1", 10, 2500)) == Bytes(10, 500)


def test_a_new_process_with_a_higher_counter_is_booked_whole() -> None:
    before = LabelReading("1", 1000, 2000)

    assert carried_since(before, LabelReading("2", 5000, 6000)) == Bytes(5000, 6000)
