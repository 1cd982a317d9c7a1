"""How readings become bytes: pure, so that it can be tested without an engine.

Two counts are brought together, for each label in each core process. *Xray's* is exact and late: it leaves out the
download of a spliced connection until that ends. The *kernel's* (``LabelCarried``) is prompt and a little too high: it
counts the tunnel's framing as well. An **offset** brings the kernel's count to Xray's scale, so that at any moment

    live = counted + estimated + pending,    pending = carried + offset − read, where that is positive

A reading moves bytes from pending to counted and leaves the sum alone: whoever reads, and when, changes no live figure.
The offset is set anew only when a reading is *paired* with the kernel's counts from just before and just after it.

Used by ``booking.py``, which stores what is decided here, and by ``livetable.py``. Clocks play no part.
"""

from collections.abc import Mapping
from typing import NamedTuple

from keystead.engines.xray.state import Counters, LabelCarried

# What the core may have counted although the kernel has not seen it acknowledged: more than a socket's send buffer
# holds on ordinary lines, and small beside what people notice.
IN_FLIGHT_BYTES = 512 * 1024
# Framing is at most this part of what Xray counts: 22 bytes on every 1,200 while a TLS connection is young (Go's
# crypto/tls, dynamic record sizing), 0.3 % later on.
FRAMING_DIVISOR = 50
# Where Vision goes on padding it is more: 9 % were seen on downloads whose first records came in pieces. So an excess
# that is small beside what Xray counted meanwhile is framing up to this part. The two counts are not of one instant.
PADDING_DIVISOR = 8
_SMALL_EXCESS_DIVISOR = 4


class Bytes(NamedTuple):
    """Bytes both ways: uplink is client to server."""

    uplink: int = 0
    downlink: int = 0

    def __add__(self, other: "Bytes") -> "Bytes":  # type: ignore[override]  # bytes add up, they do not line up
        return Bytes(self.uplink + other.uplink, self.downlink + other.downlink)

    def __sub__(self, other: "Bytes") -> "Bytes":
        return Bytes(self.uplink - other.uplink, self.downlink - other.downlink)

    def or_more(self, other: "Bytes") -> "Bytes":
        """Return the higher figure of each way."""
        return Bytes(max(self.uplink, other.uplink), max(self.downlink, other.downlink))

    @property
    def total(self) -> int:
        """Return the sum of both ways."""
        return self.uplink + self.downlink


NOTHING = Bytes()


class LabelReading(NamedTuple):
    """What one core process had counted for a label; the process "" stands for none yet."""

    process: str
    uplink: int
    downlink: int


# What stands where no reading has been taken yet; no process is called so.
NEVER_READ = LabelReading("", 0, 0)


class ProcessState(NamedTuple):
    """What is known of a label in one core process.

    ``read`` is Xray's count at the last reading, ``carried`` the kernel's when ``offset`` was last set. Of a process
    that has ended, ``carried`` is the last there was, and what was pending then is among the label's estimated bytes.
    """

    read: Bytes = NOTHING
    carried: Bytes = NOTHING
    offset: Bytes = NOTHING
    is_ended: bool = False


class Standing(NamedTuple):
    """What a label has carried over its life.

    ``counted`` is what Xray counted; ``estimated`` what processes that ended without saying so had carried besides;
    ``shown`` the highest figure anybody was shown, ``forgiven`` the part of it that resets took out of sight.
    """

    counted: Bytes = NOTHING
    estimated: Bytes = NOTHING
    shown: Bytes = NOTHING
    forgiven: Bytes = NOTHING
    processes: Mapping[str, ProcessState] = {}


# What the kernel has carried for one label, by process.
CarriedBy = Mapping[str, LabelCarried]


def live(standing: Standing, carried: CarriedBy) -> Bytes:
    """Return what a label has carried over its life, as far as anybody can know now."""
    total = standing.counted + standing.estimated
    for process, state in standing.processes.items():
        if not state.is_ended:
            total += pending(state, carried.get(process))
    for process, seen in carried.items():
        if process not in standing.processes:
            total += Bytes(seen.uplink, seen.downlink)
    return total


def figure(standing: Standing, carried: CarriedBy) -> Bytes:
    """Return the figure to show over the label's life: the live one, and never less than was shown before."""
    return standing.shown.or_more(live(standing, carried))


def visible(standing: Standing, carried: CarriedBy) -> Bytes:
    """Return the figure to show since the last reset."""
    return figure(standing, carried) - standing.forgiven


def show(standing: Standing, carried: CarriedBy) -> Standing:
    """Record that the figure was shown."""
    return standing._replace(shown=figure(standing, carried))


def forgive(standing: Standing, carried: CarriedBy) -> Standing:
    """Take exactly the figure that is shown out of sight; what was shown too early is forgiven too early."""
    reached = figure(standing, carried)
    return standing._replace(shown=reached, forgiven=reached)


def pending(state: ProcessState, carried: LabelCarried | None) -> Bytes:
    """Return what connections have carried that Xray has not counted yet."""
    uplink, downlink = state.carried if carried is None else Bytes(carried.uplink, carried.downlink)
    return Bytes(
        max(0, max(uplink, state.carried.uplink) + state.offset.uplink - state.read.uplink),
        max(0, max(downlink, state.carried.downlink) + state.offset.downlink - state.read.downlink),
    )


def book(standing: Standing, process: str, counters: Counters, *, may_fall: bool = False) -> Standing:
    """Book a reading; one that is older than another of the same process changes nothing.

    A process that has ended may still be heard: what it says then was estimated before, and is not any more.
    """
    state = standing.processes.get(process, ProcessState())
    last, now = LabelReading(process, *state.read), LabelReading(process, *counters)
    if not may_fall and has_fallen(last, now):
        return standing
    after = state._replace(read=Bytes(*counters))
    booked = _replaced(standing, process, after)._replace(counted=standing.counted + carried_since(last, now))
    if not state.is_ended:
        return booked
    return booked._replace(estimated=standing.estimated - pending(state, None) + pending(after, None))


def pair(
    standing: Standing, process: str, counters: Counters, *, before: LabelCarried | None, after: LabelCarried
) -> Standing:
    """Book a reading and set the offset by what the kernel had carried just ``before`` and just ``after`` it."""
    state = standing.processes.get(process, ProcessState())
    last, now = LabelReading(process, *state.read), LabelReading(process, *counters)
    if state.is_ended or has_fallen(last, now):
        return book(standing, process, counters)
    earlier, met = before or LabelCarried(0, 0, 0, 0), before or after
    uplink = _offset(
        *(state.read.uplink, state.carried.uplink, state.offset.uplink, now.uplink, after.uplink),
        met=met.uplink,
        may_lack=earlier.open_uplink + max(0, after.uplink - earlier.uplink),
        is_open=after.open_uplink,
    )
    downlink = _offset(
        *(state.read.downlink, state.carried.downlink, state.offset.downlink, now.downlink, after.downlink),
        met=met.downlink,
        may_lack=earlier.open_downlink + max(0, after.downlink - earlier.downlink),
        is_open=after.open_downlink,
    )
    paired = ProcessState(Bytes(*counters), Bytes(after.uplink, after.downlink), Bytes(uplink, downlink))
    return _replaced(standing, process, paired)._replace(counted=standing.counted + carried_since(last, now))


def end(standing: Standing, process: str, carried: LabelCarried | None) -> Standing:
    """Book what a process that has ended had carried and never reported; a second end changes nothing.

    ``carried`` is what the kernel had carried to the last; None when nobody knows.
    """
    state = standing.processes.get(process, ProcessState())
    if state.is_ended:
        return standing
    last = state.carried if carried is None else state.carried.or_more(Bytes(carried.uplink, carried.downlink))
    ended = state._replace(carried=last, is_ended=True)
    return _replaced(standing, process, ended)._replace(estimated=standing.estimated + pending(ended, None))


def carried_since(last: LabelReading, now: LabelReading) -> Bytes:
    """Return the bytes to book when ``now`` follows ``last``; never negative."""
    if last.process != now.process:
        return Bytes(now.uplink, now.downlink)
    return Bytes(_grown(last.uplink, now.uplink), _grown(last.downlink, now.downlink))


def has_fallen(last: LabelReading, now: LabelReading) -> bool:
    """Tell whether a counter is lower than it was in the same process: ``now`` is the older one, or it was reset."""
    if last.process != now.process:
        return False
    return now.uplink < last.uplink or now.downlink < last.downlink


def _offset(read: int, carried: int, offset: int, now: int, seen: int, *, met: int, may_lack: int, is_open: int) -> int:
    """Return the offset of one way after Xray said ``now`` and the kernel ``met`` just before that, and then ``seen``.

    What is pending follows from the rule that a reading leaves the live figure alone. It is then corrected by what is
    known: framing is not payload; Xray can lack no more than connections that were open when it was asked
    have carried (``may_lack``), so with none it lacks nothing; and it can be ahead only by what is on its way to the
    connections that are open.
    """
    counted = max(0, now - read)
    carried_more = seen - carried if seen >= carried else seen
    lacking = carried + offset + carried_more - now
    framing = _framing(counted, carried_more - counted, met - carried - counted, met + offset - now)
    lacking = min(lacking - min(framing, max(0, lacking)), may_lack)
    return now + max(lacking, -min(is_open, IN_FLIGHT_BYTES)) - seen


def _framing(counted: int, excess: int, *by_then: int) -> int:
    """Return how much of what Xray did not count is taken for framing.

    Where Xray kept pace with the kernel, be it since the last reading or in all, ``by_then`` tells what is padding.
    """
    small = [each for each in by_then if 0 < each * _SMALL_EXCESS_DIVISOR <= counted]
    if small:
        return min(max(small), counted // PADDING_DIVISOR)
    return max(0, min(excess, counted // FRAMING_DIVISOR))


def _replaced(standing: Standing, process: str, state: ProcessState) -> Standing:
    return standing._replace(processes={**standing.processes, process: state})


def _grown(before: int, after: int) -> int:
    """Return the growth of one counter; one that fell was reset by somebody else, so all of it is new."""
    return after - before if after >= before else after
