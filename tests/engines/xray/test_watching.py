"""Whose connections there are, and what remains of every trick when it is switched off: the real core, real clients.

Clients come from 127.0.0.2: the core's online map takes no notice of 127.0.0.1.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from keystead.engines.xray import launching, messages, watching
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.client import XrayClient
from keystead.engines.xray.state import LiveConnection
from keystead.keeper.service import Keeper
from keystead.kit.clock import SystemClock
from keystead.kit.errors import Unsupported
from tests.support import xray
from tests.support.downloads import GAP_MAX_S, downloading
from tests.support.nobody import NOBODY, running_as_nobody

OTHER = "127.0.0.2"
# What nobody would call late on a machine that runs a test suite beside it; without other work it is below a second.
CUT_WITHIN_S = 3.0


async def until(condition: Callable[[], Awaitable[bool]], *, within_s: float = 10.0) -> None:
    async with asyncio.timeout(within_s):
        while not await condition():
            await asyncio.sleep(0.05)


async def until_shown(lab: xray.Lab, label: str, *, within_s: float = 10.0) -> list[LiveConnection]:
    """Wait until a label has live connections and return them."""

    async def is_shown() -> bool:
        return bool(await lab.driver.watching.connections([label]))

    await until(is_shown, within_s=within_s)
    return await lab.driver.watching.connections([label])


async def test_a_live_connection_shows_its_owner_its_address_and_its_bytes(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user = await lab.add("k1-1")
        async with downloading(lab.profile(user), source=OTHER) as download:
            await until_shown(lab, "k1-1")
            await asyncio.sleep(1.5)
            received = download.received
            await asyncio.sleep(1.5)
            [one] = await lab.driver.watching.connections(["k1-1"])
            seen = await lab.driver.watching.seen(60)

        assert (one.label, one.peer_host, one.local_port) == ("k1-1", OTHER, lab.inbound.port)
        assert one.process == lab.driver.status().process
        assert received < one.downlink < 1.1 * download.received + 100_000
        assert one.downlink_per_s > 100_000
        assert one.age_s >= 1
        assert one.idle_s < 2
        assert list(seen) == ["k1-1"]


async def test_a_connection_that_no_line_told_of_is_attributed_by_the_online_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0.5)
    async with xray.lab(tmp_path, without=("lines",)) as lab:
        user = await lab.add("k1-1")
        async with downloading(lab.profile(user), source=OTHER):
            found = await until_shown(lab, "k1-1", within_s=15)
            state = await lab.driver.watching.state()

        assert [one.peer_host for one in found] == [OTHER]
        assert state.lines == 0
        assert state.ownerless_share == 1.0


def losing_lines_of(monkeypatch: pytest.MonkeyPatch, *labels: str) -> None:
    """Have the keeper read no access lines of these labels, as if the core had dropped them."""
    lost = "|".join(labels)
    told = launching.ACCESS_LINE.replace(r"(?P<label>\S+)", rf"(?P<label>(?!(?:{lost})\b)\S+)")
    assert told != launching.ACCESS_LINE
    monkeypatch.setattr(launching, "ACCESS_LINE", told)


async def until_ownerless(lab: xray.Lab, count: int) -> None:
    """Wait until so many connections are seen that nobody is known to own."""

    async def is_so() -> bool:
        return sum(one.label is None for one in await lab.driver.watching.connections()) == count

    await until(is_so)


async def test_a_removed_key_whose_line_was_lost_is_cut_and_the_others_at_its_address_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losing_lines_of(monkeypatch, "k1-1", "k3-1")
    async with xray.lab(tmp_path) as lab:
        user, other, elsewhere = await lab.add("k1-1"), await lab.add("k2-1"), await lab.add("k3-1")
        async with (
            downloading(lab.profile(elsewhere), source="127.0.0.3") as far,
            downloading(lab.profile(other), source=OTHER) as kept,
            downloading(lab.profile(user), source=OTHER) as cut,
        ):
            await until_ownerless(lab, 2)
            await lab.remove("k1-1")
            took_s = await cut.over_after_s()

            assert took_s is not None
            assert took_s < CUT_WITHIN_S
            assert not kept.is_over
            assert not far.is_over
            assert kept.longest_gap_s < GAP_MAX_S


@pytest.mark.parametrize("is_first", [True, False], ids=["removed key came first", "removed key came second"])
async def test_a_removed_key_is_told_from_another_whose_line_was_lost_too_by_when_each_connected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_first: bool
) -> None:
    losing_lines_of(monkeypatch, "k1-1", "k2-1")
    async with xray.lab(tmp_path) as lab:
        user, other = await lab.add("k1-1"), await lab.add("k2-1")
        first, second = (user, other) if is_first else (other, user)
        async with downloading(lab.profile(first), source=OTHER) as former:
            await until_ownerless(lab, 1)
            await asyncio.sleep(4)  # three looks and a second of the core's clock lie between them
            async with downloading(lab.profile(second), source=OTHER) as latter:
                cut, kept = (former, latter) if is_first else (latter, former)
                await until_ownerless(lab, 2)
                await lab.remove("k1-1")
                took_s = await cut.over_after_s()
                await asyncio.sleep(0.5)

                assert took_s is not None
                assert took_s < CUT_WITHIN_S
                assert not kept.is_over
                assert kept.longest_gap_s < GAP_MAX_S


async def test_where_two_lines_were_lost_and_nothing_tells_them_apart_nobody_is_cut_and_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losing_lines_of(monkeypatch, "k1-1", "k2-1")
    told = messages.labels_by_address
    monkeypatch.setattr(  # as if each had connected a moment ago, however slow the machine is
        messages,
        "labels_by_address",
        lambda users: told({name: dict.fromkeys(at, 1 << 40) for name, at in users.items()}),
    )
    async with xray.lab(tmp_path) as lab:
        user, other = await lab.add("k1-1"), await lab.add("k2-1")
        async with (
            downloading(lab.profile(user), source=OTHER) as removed,
            downloading(lab.profile(other), source=OTHER) as kept,
        ):
            await until_ownerless(lab, 2)
            await lab.remove("k1-1")

            async def is_told() -> bool:
                return (await lab.driver.watching.state()).doubtful == 1

            await until(is_told)
            client = XrayClient.on_socket(lab.options.socket)
            blocked = await client.rules()
            await client.close()

            assert "k1-1" in blocked
            assert not kept.is_over
            assert not removed.is_over


async def test_a_removed_key_is_cut_in_a_process_that_is_on_its_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losing_lines_of(monkeypatch, "k1-1")
    async with xray.lab(tmp_path) as lab:
        user = await lab.add("k1-1")
        async with downloading(lab.profile(user), source=OTHER) as cut:
            await until_ownerless(lab, 1)
            await lab.replace()
            was_over = cut.is_over
            await lab.remove("k1-1")
            took_s = await cut.over_after_s()

        assert not was_over
        assert took_s is not None
        assert took_s < CUT_WITHIN_S


@pytest.mark.parametrize(
    ("without", "way", "at_most_s"),
    [(("destroy",), "reset", 1.0), (("destroy", "reset"), "shutdown", 3.0)],
    ids=["reset", "shutdown"],
)
async def test_a_weaker_way_to_cut_still_cuts_the_removed_key_alone(
    tmp_path: Path, without: tuple[str, ...], way: str, at_most_s: float
) -> None:
    async with xray.lab(tmp_path, without=without) as lab:
        user, other = await lab.add("k1-1"), await lab.add("k2-1")
        async with downloading(lab.profile(user)) as cut, downloading(lab.profile(other)) as kept:
            await until_shown(lab, "k1-1")
            state = await lab.driver.watching.state()
            await lab.remove("k1-1")
            took_s = await cut.over_after_s()

            assert state.cut == way
            assert state.tricks["destroy"] == "switched off"
            assert took_s is not None
            assert took_s < at_most_s
            assert not kept.is_over
            assert kept.longest_gap_s < GAP_MAX_S


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """Make a directory that belongs to nobody; pytest's own are closed to others."""
    directory = Path(tempfile.mkdtemp(prefix="keystead-nobody-"))
    (directory / "run").mkdir(mode=0o700)
    shutil.copy(xray.xray_path(), directory / "xray")
    if os.geteuid() == 0:
        for path in (directory, directory / "run", directory / "xray"):
            os.chown(path, NOBODY, NOBODY)
    yield directory
    shutil.rmtree(directory)


async def test_a_keeper_without_privileges_cuts_through_the_borrowed_socket(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = xray.keeper_place(open_directory)
    program = Binary(open_directory / "xray", xray.binary().version, "a copy that nobody may run")
    monkeypatch.setattr(xray, "binary", lambda: program)  # root's own cache is closed to others

    def keep() -> None:
        keeper = Keeper(place.socket, core_log=place.core_log, is_attached=True, clock=SystemClock())
        asyncio.run(keeper.run())

    with running_as_nobody(keep):
        async with xray.lab(open_directory) as lab:
            user, other = await lab.add("k1-1"), await lab.add("k2-1")
            async with downloading(lab.profile(user)) as cut, downloading(lab.profile(other)) as kept:
                await until_shown(lab, "k1-1")
                state = await lab.driver.watching.state()
                await lab.remove("k1-1")
                took_s = await cut.over_after_s()

                assert (state.cut, state.tricks["destroy"]) == ("reset", "not permitted")
                assert [name for name, reason in state.tricks.items() if reason is not None] == ["destroy"]
                assert took_s is not None
                assert took_s < 1
                assert kept.longest_gap_s < GAP_MAX_S


async def test_where_nothing_can_be_cut_new_dials_are_refused_and_the_live_one_goes_on(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, without=("borrow", "destroy")) as lab:
        user = await lab.add("k1-1")
        async with downloading(lab.profile(user)) as download:
            await until_shown(lab, "k1-1")
            await lab.remove("k1-1")
            state = await lab.driver.watching.state()
            refused = await lab.dial(user, within_s=3)
            took_s = await download.over_after_s(within_s=2)

        assert state.cut == "none"
        assert refused is None
        assert took_s is None


async def test_without_the_table_connections_are_unknown_and_that_is_said(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, without=("dump",)) as lab:
        state = await lab.driver.watching.state()

        with pytest.raises(Unsupported, match="switched off"):
            await lab.driver.watching.connections()
        assert (state.cut, state.connections, state.ownerless_share) == ("none", None, None)


async def test_new_streams_inside_a_live_mux_connection_are_refused_until_the_key_is_back(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, without=("borrow", "destroy")) as lab:
        user = lab.want("k1-1", flow="")
        await lab.driver.apply_marked(lab.part("k1-1"), ["k1-1"])
        async with xray.client(lab.profile(user), has_mux=True) as port:
            assert await xray.get(port, lab.origin) is not None
            [before] = await until_shown(lab, "k1-1")
            await lab.remove("k1-1")
            refused = await xray.get(port, lab.origin, within_s=3)
            [after] = await until_shown(lab, "k1-1")
            lab.users["k1-1"] = user
            await lab.driver.apply_marked(lab.part("k1-1"), ["k1-1"])
            again = await xray.get(port, lab.origin, within_s=5)

        assert refused is None
        assert after.id == before.id
        assert again is not None
