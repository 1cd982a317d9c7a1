"""A core that somebody else runs keeps its name for as long as it lives."""

from collections.abc import Collection

from keystead.engines.xray.boots import Boots, nothing_known
from tests.support.clock import ManualClock


async def test_a_core_keeps_its_name_when_the_wall_clock_is_stepped() -> None:
    clock = ManualClock()
    boots = Boots(clock, nothing_known)
    before = await boots.look(1000)

    clock.step_wall(3600)
    after = await boots.look(1000)

    assert after == before


async def test_a_core_keeps_its_name_when_keystead_starts_again() -> None:
    clock = ManualClock()
    before = await Boots(clock, nothing_known).look(1000)

    async def known() -> Collection[str]:
        return {before, "boot-17", "fa11-2"}

    clock.advance(0.9)  # the boot time is up to a second late, so it may fall into another whole second now
    after = await Boots(clock, known).look(1000)
    later = await Boots(clock, known).look(998)

    assert (after, later) == (before, before)


async def test_another_core_has_another_name() -> None:
    clock = ManualClock()
    boots = Boots(clock, nothing_known)
    before = await boots.look(1000)

    clock.advance(60)

    assert await boots.look(5) != before
