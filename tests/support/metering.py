"""What a meter stands on: a core with streams that are spliced or not, and a database that takes no writes."""

from dataclasses import dataclass, field
from typing import Any

from keystead.db.session import Database, Unit, Weight
from keystead.engines.xray.state import Counters, LabelCarried
from keystead.kit.errors import KeysteadError
from keystead.vpn.accounting import NOTHING, Bytes


@dataclass(eq=False)
class Stream:
    """One open connection: what it has carried, as Xray counts and as the kernel does."""

    is_spliced: bool
    payload: Bytes = NOTHING
    kernel: Bytes = NOTHING


@dataclass(eq=False)
class Core:
    """One process and the connections of one label in it."""

    process: str
    streams: list[Stream] = field(default_factory=list)
    counted: Bytes = NOTHING
    kernel: Bytes = NOTHING
    payload: Bytes = NOTHING
    is_alive: bool = True

    def open(self, *, is_spliced: bool) -> Stream:
        """Open a connection; a dead core opens none."""
        stream = Stream(is_spliced)
        if self.is_alive:
            self.streams.append(stream)
        return stream

    def carry(self, stream: Stream, payload: Bytes, framing: Bytes = NOTHING) -> None:
        """Carry bytes: a spliced download is counted by Xray when it ends, and has no framing."""
        if not self.is_alive:
            return
        stream.payload += payload
        stream.kernel += payload + framing
        self.payload += payload
        self.kernel += payload + framing
        self.counted += Bytes(payload.uplink, 0) if stream.is_spliced else payload

    def close(self, stream: Stream) -> None:
        """End a connection."""
        if self.is_alive:
            self.streams.remove(stream)
            self.counted += Bytes(0, stream.payload.downlink) if stream.is_spliced else NOTHING

    def counters(self) -> Counters:
        """Return what Xray says."""
        return Counters(*self.counted)

    def carried(self) -> LabelCarried:
        """Return what the kernel says."""
        still_open = sum((stream.kernel for stream in self.streams), NOTHING)
        return LabelCarried(*self.kernel, *still_open)


class Unwritable:
    """A database that can be read only."""

    def __init__(self, database: Database, error: KeysteadError) -> None:
        self._database = database
        self._error = error

    async def read(self, unit: Unit[Any], weight: Weight = Weight.POINT) -> Any:
        return await self._database.read(unit, weight)

    async def write(self, unit: Unit[Any]) -> Any:
        raise self._error
