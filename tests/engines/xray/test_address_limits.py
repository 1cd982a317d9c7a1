"""A label that may be used from so many addresses: the real core, real clients from several loopback addresses."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from keystead.engines.xray.state import AddressUse
from tests.support import xray
from tests.support.downloads import GAP_MAX_S, downloading

FIRST, SECOND = "127.0.0.2", "127.0.0.3"


async def until_used(lab: xray.Lab, condition: Callable[[AddressUse], bool], *, within_s: float = 10.0) -> AddressUse:
    async with asyncio.timeout(within_s):
        while True:
            use = (await lab.driver.watching.address_use(["k1-1"])).get("k1-1")
            if use is not None and condition(use):
                return use
            await asyncio.sleep(0.05)


async def test_the_newest_address_is_refused_and_nobody_else_behind_it_is_touched(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        lab.address_limits["k1-1"] = 1
        user, other = await lab.add("k1-1"), await lab.add("k2-1")
        async with (
            downloading(lab.profile(user), source=FIRST) as first,
            downloading(lab.profile(other), source=SECOND) as others,
            downloading(lab.profile(user), source=SECOND) as second,
        ):
            use = await until_used(lab, lambda use: bool(use.refused))
            took_s = await second.over_after_s()
            async with downloading(lab.profile(user), source=SECOND) as another:
                again_s = await another.over_after_s()

            assert use == AddressUse(1, 1, [SECOND])
            assert took_s is not None
            assert again_s is not None
            assert not first.is_over
            assert not others.is_over
            assert max(first.longest_gap_s, others.longest_gap_s) < GAP_MAX_S


async def test_an_address_that_changed_is_served_while_the_old_connection_is_silent(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        lab.address_limits["k1-1"] = 1
        user = await lab.add("k1-1")
        async with downloading(lab.profile(user), source=FIRST):
            await until_used(lab, lambda use: use.active == 1)
        async with downloading(lab.profile(user), source=SECOND) as second:
            await until_used(lab, lambda use: use.active == 2)
            await asyncio.sleep(3)

            assert not second.is_over


async def test_a_limit_outlives_the_api_and_ends_with_the_terms(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_attached=False) as lab:
        lab.address_limits["k1-1"] = 1
        user = await lab.add("k1-1")
        await lab.driver.stop()
        async with (
            downloading(lab.profile(user), source=FIRST) as first,
            downloading(lab.profile(user), source=SECOND) as second,
        ):
            took_s = await second.over_after_s(within_s=10)
            lab.renew()
            await lab.driver.start()
            await lab.ready()
            known = await until_used(lab, lambda use: bool(use.refused))
            del lab.address_limits["k1-1"]
            await lab.driver.apply_marked(lab.part("k1-1"), ["k1-1"])
            async with downloading(lab.profile(user), source=SECOND) as third:
                await asyncio.sleep(3)
                is_served = not third.is_over

            assert took_s is not None
            assert not first.is_over
            assert known.refused == [SECOND]
            assert is_served
