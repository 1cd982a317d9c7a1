"""Bytes are booked once and shown at once: a model of cores, the kernel and their reader, driven at random."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from keystead.engines.xray.state import Counters, LabelCarried
from keystead.vpn import accounting
from keystead.vpn.accounting import NEVER_READ, NOTHING, Bytes, LabelReading, ProcessState, Standing, carried_since
from tests.support.metering import Core

SIZES = st.integers(0, 2**55)
PICKS = st.integers(0, 7)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["open spliced", "open framed", "close", "start", "kill", "stop"]), PICKS, PICKS),
        st.tuples(st.just("carry"), PICKS, SIZES),
        st.tuples(st.sampled_from(["read", "deliver", "lose", "say the end again", "reset", "show"]), PICKS, PICKS),
        st.tuples(st.just("pair"), PICKS, SIZES),
    ),
    max_size=60,
)


@dataclass
class World:
    """One label's connections through several cores at once, what was booked of them, and what was shown."""

    framing: int = 0
    cores: list[Core] = field(default_factory=lambda: [Core("p0")])
    standing: Standing = field(default_factory=Standing)
    on_the_way: list[tuple[str, Counters]] = field(default_factory=list)
    heard: dict[str, Bytes] = field(default_factory=dict)
    last_shown: Bytes = NOTHING

    def run(self, action: str, pick: int, size: int) -> None:
        core = self.cores[pick % len(self.cores)]
        match action:
            case "open spliced" | "open framed":
                core.open(is_spliced=action == "open spliced")
            case "carry" if core.streams:
                self.carry(core, size)
            case "close" if core.streams:
                core.close(core.streams[size % len(core.streams)])
            case "start":
                self.cores.append(Core(f"p{len(self.cores)}"))
            case "kill" | "stop":
                self.finish(core, has_last_word=action == "stop")
            case "read" if core.is_alive:
                self.on_the_way.append((core.process, core.counters()))
            case "deliver" if self.on_the_way:
                self.hear(*self.on_the_way.pop(size % len(self.on_the_way)))
            case "lose" if self.on_the_way:
                self.on_the_way.pop()
            case "pair" if core.is_alive:
                self.pair(core, size)
            case "say the end again" if not core.is_alive:
                self.standing = accounting.end(self.standing, core.process, core.carried())
            case "reset":
                self.reset()
            case "show":
                self.show()

    def carry(self, core: Core, size: int) -> None:
        stream = core.streams[size % len(core.streams)]
        overhead = 0 if stream.is_spliced else size // 100 * self.framing
        core.carry(stream, Bytes(size // 3, size), Bytes(overhead // 3, overhead))

    def hear(self, process: str, counters: Counters) -> None:
        self.heard[process] = self.heard.get(process, NOTHING).or_more(Bytes(*counters))
        self.standing = accounting.book(self.standing, process, counters)

    def pair(self, core: Core, size: int) -> None:
        before = core.carried()
        if core.streams:
            self.carry(core, size)
        counters = core.counters()
        if core.streams:
            self.carry(core, size // 2)
            if size % 3 == 0:
                core.close(core.streams[0])
        self.heard[core.process] = self.heard.get(core.process, NOTHING).or_more(Bytes(*counters))
        self.standing = accounting.pair(self.standing, core.process, counters, before=before, after=core.carried())

    def finish(self, core: Core, *, has_last_word: bool) -> None:
        if not core.is_alive:
            return
        if has_last_word:
            self.hear(core.process, core.counters())
        core.is_alive = False
        self.standing = accounting.end(self.standing, core.process, core.carried())

    def reset(self) -> None:
        shown = accounting.visible(self.standing, self.carried())
        before = self.standing.forgiven
        self.standing = accounting.forgive(self.standing, self.carried())
        assert self.standing.forgiven - before == shown
        assert accounting.visible(self.standing, self.carried()) == NOTHING
        self.last_shown = NOTHING

    def show(self) -> None:
        now = accounting.visible(self.standing, self.carried())
        assert now.or_more(self.last_shown) == now, "a figure fell"
        self.standing, self.last_shown = accounting.show(self.standing, self.carried()), now

    def carried(self) -> dict[str, LabelCarried]:
        return {core.process: core.carried() for core in self.cores if core.is_alive}

    def settle(self) -> None:
        """End every connection and read everything, twice: the first reading may still find one closing."""
        for core in self.cores:
            for stream in list(core.streams) if core.is_alive else ():
                core.close(stream)
        for process, counters in self.on_the_way:
            self.hear(process, counters)
        for core in self.cores:
            if core.is_alive:
                self.heard[core.process] = Bytes(*core.counters())
                self.standing = accounting.pair(
                    self.standing, core.process, core.counters(), before=core.carried(), after=core.carried()
                )

    @property
    def payload(self) -> Bytes:
        return sum((core.payload for core in self.cores), NOTHING)

    @property
    def kernel(self) -> Bytes:
        return sum((Bytes(*core.carried()[:2]) for core in self.cores), NOTHING)


def at_most(first: Bytes, second: Bytes) -> bool:
    return first.uplink <= second.uplink and first.downlink <= second.downlink


@given(ACTIONS)
def test_every_byte_xray_counted_is_booked_once_whatever_happens(actions: list[tuple[str, int, int]]) -> None:
    world = World(framing=1)

    for action in actions:
        world.run(*action)

        assert world.standing.counted == sum(world.heard.values(), NOTHING)


@given(ACTIONS)
def test_the_live_figure_is_what_was_carried_less_what_may_be_framing(actions: list[tuple[str, int, int]]) -> None:
    """An eighth at most: a spliced download beside a plain one that is eight times as fast looks like padding."""
    world = World()

    for action in actions:
        world.run(*action)

        live = accounting.live(world.standing, world.carried())
        lacking = world.payload - live
        assert at_most(live, world.payload)
        assert at_most(lacking, Bytes(world.payload.uplink // 8 + 60, world.payload.downlink // 8 + 60))


@given(ACTIONS)
def test_the_live_figure_is_between_what_xray_counted_and_what_the_kernel_carried(
    actions: list[tuple[str, int, int]],
) -> None:
    world = World(framing=2)

    for action in actions:
        world.run(*action)

        live = accounting.live(world.standing, world.carried())
        assert at_most(world.standing.counted, live)
        assert at_most(live, world.kernel)


@given(ACTIONS)
def test_a_figure_never_falls_and_a_reset_forgives_what_it_returns(actions: list[tuple[str, int, int]]) -> None:
    world = World(framing=1)

    for action in actions:
        world.run(*action)
        world.show()


@given(ACTIONS)
def test_with_every_connection_closed_and_read_the_figure_is_what_xray_counted(
    actions: list[tuple[str, int, int]],
) -> None:
    world = World(framing=1)
    for action in actions:
        world.run(*action)

    world.settle()

    standing = world.standing
    assert standing.counted == sum(world.heard.values(), NOTHING)
    assert accounting.live(standing, world.carried()) == standing.counted + standing.estimated
    assert accounting.figure(standing, world.carried()) == standing.shown.or_more(standing.counted + standing.estimated)
    if all(core.is_alive for core in world.cores):
        assert standing.estimated == NOTHING


@given(ACTIONS)
def test_what_killed_processes_carried_is_counted_or_estimated_and_never_both(
    actions: list[tuple[str, int, int]],
) -> None:
    world = World()
    for action in actions:
        world.run(*action)
    for core in world.cores:
        world.finish(core, has_last_word=False)
    known = world.standing.counted + world.standing.estimated

    for process, counters in world.on_the_way:
        world.hear(process, counters)

    assert at_most(known, world.standing.counted + world.standing.estimated)
    assert at_most(world.standing.counted + world.standing.estimated, world.payload)


def test_a_spliced_download_is_seen_while_it_lasts_and_counted_once_when_it_ends() -> None:
    core, standing = Core("p"), Standing()
    stream = core.open(is_spliced=True)
    figures = []

    for second in range(30):
        core.carry(stream, Bytes(0, 1_000_000))
        if second % 10 == 9:
            standing = accounting.pair(standing, "p", core.counters(), before=core.carried(), after=core.carried())
        figures.append(accounting.live(standing, {"p": core.carried()}).downlink)
    core.close(stream)
    standing = accounting.pair(standing, "p", core.counters(), before=core.carried(), after=core.carried())

    assert figures == [1_000_000 * second for second in range(1, 31)]
    assert accounting.live(standing, {"p": core.carried()}) == standing.counted == Bytes(0, 30_000_000)


def test_a_download_beside_a_spliced_one_leaves_the_estimate_right() -> None:
    core, standing = Core("p"), Standing()
    spliced, framed = core.open(is_spliced=True), core.open(is_spliced=False)

    for _ in range(30):
        core.carry(spliced, Bytes(0, 50_000))
        core.carry(framed, Bytes(0, 10_000_000), Bytes(0, 30_000))
        standing = accounting.pair(standing, "p", core.counters(), before=core.carried(), after=core.carried())

    lacking = core.payload.downlink - accounting.live(standing, {"p": core.carried()}).downlink
    assert abs(lacking) < core.payload.downlink // 100


def test_many_small_connections_leave_nothing_pending() -> None:
    core, standing = Core("p"), Standing()

    for _ in range(500):
        stream = core.open(is_spliced=False)
        core.carry(stream, Bytes(300, 2_000), Bytes(100, 400))
        core.close(stream)
        standing = accounting.pair(standing, "p", core.counters(), before=core.carried(), after=core.carried())

    assert accounting.live(standing, {"p": core.carried()}) == core.payload


def test_what_is_on_its_way_to_a_slow_client_is_not_counted_twice() -> None:
    core, standing = Core("p"), Standing()
    stream = core.open(is_spliced=False)
    behind = 400_000

    for _ in range(20):
        core.carry(stream, Bytes(0, 1_000_000))
        seen = core.carried()
        late = seen._replace(downlink=seen.downlink - behind, open_downlink=seen.open_downlink - behind)
        standing = accounting.pair(standing, "p", core.counters(), before=late, after=late)
        standing = accounting.pair(standing, "p", core.counters(), before=seen, after=seen)

    assert accounting.live(standing, {"p": core.carried()}) == core.payload


def test_bytes_that_the_kernel_was_not_asked_for_in_time_hide_no_others() -> None:
    core, standing = Core("p"), Standing()
    missed, open_one = core.open(is_spliced=False), core.open(is_spliced=True)
    core.carry(missed, Bytes(0, 10_000_000), Bytes(0, -10_000_000))
    core.close(missed)
    core.carry(open_one, Bytes(0, 1_000_000))
    standing = accounting.pair(standing, "p", core.counters(), before=core.carried(), after=core.carried())

    core.carry(open_one, Bytes(0, 5_000_000))

    live = accounting.live(standing, {"p": core.carried()}).downlink
    assert 15_000_000 - accounting.IN_FLIGHT_BYTES <= live <= 16_000_000


def test_a_reading_just_before_a_connection_ends_leaves_its_bytes_pending() -> None:
    core = Core("p")
    stream = core.open(is_spliced=True)
    core.carry(stream, Bytes(0, 5_000_000))
    before, counters = core.carried(), core.counters()
    core.close(stream)

    standing = accounting.pair(Standing(), "p", counters, before=before, after=core.carried())

    assert accounting.live(standing, {"p": core.carried()}) == Bytes(0, 5_000_000)


def test_two_processes_at_once_are_told_apart() -> None:
    old, new, standing = Core("old"), Core("new"), Standing()
    for core, size in ((old, 7_000), (new, 500)):
        core.carry(core.open(is_spliced=False), Bytes(0, size))
    for core in (old, new, old, new):
        standing = accounting.book(standing, core.process, core.counters())

    standing = accounting.end(standing, "old", old.carried())

    assert standing.counted == Bytes(0, 7_500)
    assert standing.estimated == NOTHING


def test_a_kernel_count_that_begins_again_is_taken_as_new() -> None:
    state = ProcessState(Bytes(0, 900), Bytes(0, 1_000), Bytes(0, -100))
    begun = LabelCarried(0, 50, 0, 50)

    standing = accounting.pair(Standing(processes={"p": state}), "p", Counters(0, 900), before=begun, after=begun)

    assert accounting.live(standing, {"p": begun}).downlink == 50


def test_a_counter_that_somebody_else_reset_is_booked_from_zero() -> None:
    standing = accounting.book(Standing(), "1", Counters(1000, 2000))

    standing = accounting.book(standing, "1", Counters(10, 2500), may_fall=True)

    assert standing.counted == Bytes(1010, 2500)


def test_a_new_process_with_a_higher_counter_is_booked_whole() -> None:
    assert carried_since(LabelReading("1", 1000, 2000), LabelReading("2", 5000, 6000)) == Bytes(5000, 6000)
    assert carried_since(NEVER_READ, LabelReading("2", 5, 6)) == Bytes(5, 6)
