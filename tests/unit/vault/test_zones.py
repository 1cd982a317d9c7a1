"""Zones as they are taken over."""

from dataclasses import replace
from datetime import datetime

from keystead.vault import zones
from keystead.vault.zones import SeenZone
from tests.support.clock import ManualClock
from tests.support.work import Workplace
from tests.unit.vault.shelf import added


class Passing(ManualClock):
    """Time goes on whenever somebody looks at it, as it does."""

    def now(self) -> datetime:
        self.advance(0.000_01)
        return super().now()


def seen(name: str) -> SeenZone:
    return SeenZone(f"id-{name}", name, "active", "free", ("a.ns.test", "b.ns.test"))


async def test_what_was_seen_just_now_is_not_missing_and_what_was_not_is(workplace: Workplace) -> None:
    passing = replace(workplace, clock=Passing())
    held = await added(passing)

    await passing.do(zones.record, held.id, [seen("one.com"), seen("two.com")])
    first = [zone.missing_since for zone in await passing.do(zones.list_)]
    await passing.do(zones.record, held.id, [seen("two.com")])
    second = [zone.missing_since is None for zone in await passing.do(zones.list_)]

    assert first == [None, None]
    assert second == [False, True]
