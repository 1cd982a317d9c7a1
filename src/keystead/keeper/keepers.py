"""All keepers of an instance: one leads and is given new cores; others, during an upgrade, see theirs off and end.

Used by ``kept.py``. To the API they are one: every core has a name of its own, a rule is told to all, and figures are
put together. A keeper that speaks a version of the wire this API does not understand is named and left alone.
"""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from keystead.keeper import protocol
from keystead.keeper.core import State
from keystead.keeper.link import KeeperLink, KeeperPlace
from keystead.keeper.protocol import Message
from keystead.kit.clock import Clock
from keystead.kit.errors import EngineUnavailable, KeysteadError, Misconfigured
from keystead.kit.log import get_logger

log = get_logger()

# The meter looks every second, and pairs what an ended process carried a little later.
LINGER_S = 5.0
_ENDED_MAX = 16
_ENDED_TOLD_S = 600.0

Labels = Mapping[str, Sequence[int]]


@dataclass(eq=False)
class _Known:
    """One keeper we speak to, and what of its figures was told."""

    link: KeeperLink
    is_reserved: bool = False
    serial: int = -1
    carried: dict[str, dict[str, Sequence[int]]] = field(default_factory=dict)

    @property
    def boot(self) -> str:
        return str(self.link.hello["boot"])


class Keepers:
    """The keepers of one run directory."""

    def __init__(self, place: KeeperPlace, *, clock: Clock, understood: Collection[int] = protocol.UNDERSTOOD) -> None:
        self.place = place
        self.told: dict[str, Message] = {}
        self.foreign: dict[str, list[str]] = {}
        self.strangers: list[Message] = []
        self.on_core: Callable[[Message], None] = lambda _: None
        self._clock = clock
        self._understood = frozenset(understood)
        self._known: dict[str, _Known] = {}
        self._leading: _Known | None = None
        self._early: KeeperLink | None = None
        self._ended: OrderedDict[str, tuple[float, Labels]] = OrderedDict()

    # --- life ---

    @property
    def is_open(self) -> bool:
        """Tell whether the leading keeper can be asked."""
        return self._leading is not None and self._leading.link.is_open

    def start_early(self) -> None:
        """Start a keeper if none runs, and do not wait for it: it takes as long as the database to be there."""
        if not any(map(_answers, protocol.sockets(self.place.socket))):
            self._early = KeeperLink(self.place, clock=self._clock)
            self._early.start_early()

    async def abandon(self) -> None:
        """End a keeper that was started early and is not needed after all."""
        if self._early is not None:
            await self._early.abandon()

    async def open(self) -> None:
        """Connect to every keeper that runs, else start one; raise EngineUnavailable when none answers in time.

        Raises Misconfigured when one runs that this API does not understand.
        """
        self.strangers = []
        silent = [path for path in protocol.sockets(self.place.socket) if not await self._join(path)]
        if self.strangers:
            raise Misconfigured(" ".join(map(_strangeness, self.strangers)))
        if self._known:
            for path in silent:  # of a keeper that was killed
                path.unlink(missing_ok=True)
        else:
            link, self._early = self._early or KeeperLink(self.place, clock=self._clock), None
            await link.open()
            self._take(link)
        if not self.is_open:
            self._leading = next(iter(self._known.values()))
        for known in list(self._known.values()):
            known.link.hello = await known.link.ask("hello", steward=True)
            for core in known.link.hello["cores"]:
                self._hear_core(known, core)
            self.foreign[known.boot] = known.link.hello.get("foreign", [])

    async def begin_another(self) -> str:
        """Start a keeper beside those that run and return its name; it leads once a core of it was made to."""
        path = protocol.free_socket(self.place.socket)
        if path is None:
            raise EngineUnavailable("too many keepers run; wait until the older ones have seen off their connections")
        link = KeeperLink(replace(self.place, socket=path), clock=self._clock)
        await link.open()
        known = self._take(link)
        known.is_reserved = True
        link.hello = await link.ask("hello", steward=True)
        return known.boot

    def lead(self, core: str) -> None:
        """Make the keeper of a core the one that new cores are given to."""
        self._leading = self._of(core)
        self._leading.is_reserved = False

    async def tidy(self) -> None:
        """End keepers that have no core any more and do not lead."""
        for known in list(self._known.values()):
            if known is not self._leading and not known.is_reserved and not self._cores_of(known):
                with suppress(KeysteadError):
                    await self.carried()
                    log.info("keeper ends, its cores are gone", pid=known.link.hello["pid"])
                    await known.link.ask("end")
                await known.link.close()

    def unreserve(self, keeper: str) -> None:
        """Let a keeper that was begun, and is not to lead after all, end with its last core."""
        if (known := self._known.get(keeper)) is not None:
            known.is_reserved = False

    async def when_closed(self) -> None:
        """Wait until the leading keeper is gone."""
        while (leading := self._leading) is not None and leading.link.is_open:
            await leading.link.when_closed()

    async def end(self) -> None:
        """Have every keeper end its cores and itself."""
        await asyncio.gather(*(known.link.ask("end") for known in self._known.values() if known.link.is_open))

    async def close(self) -> None:
        """End the connections; attached keepers end with them."""
        for known in list(self._known.values()):
            await known.link.close()

    # --- asking ---

    async def ask(self, verb: str, core: str, **arguments: object) -> Any:
        """Ask the keeper of a core about it."""
        answer = await self._of(core).link.ask(verb, core=_number(core), **arguments)
        return _named(core.partition("/")[0], answer) if isinstance(answer, dict) and "core" in answer else answer

    def tell(self, verb: str, core: str, **arguments: object) -> None:
        """Tell the keeper of a core something without waiting for its answer."""
        self._of(core).link.tell(verb, core=_number(core), **arguments)

    async def ask_all(self, verb: str, **arguments: object) -> list[Any]:
        """Ask every keeper; raise EngineUnavailable when there is none."""
        links = [known.link for known in self._known.values() if known.link.is_open]
        if not links:
            raise EngineUnavailable("the keeper is not reachable")
        return await asyncio.gather(*(link.ask(verb, **arguments) for link in links))

    async def launch(self, launch: Mapping[str, Any], *, keeper: str = "") -> str:
        """Have a core started by the leading keeper, or by the one named; return its name."""
        known = self._known.get(keeper) if keeper else self._leading
        if known is None:
            raise EngineUnavailable("the keeper is not reachable")
        told = _named(known.boot, await known.link.ask("launch", launch=launch))
        self.told.setdefault(told["core"], told)
        return str(told["core"])

    async def relabel(self, memos: Mapping[str, Mapping[str, Any]]) -> None:
        """Note what processes are from now on: at once within a keeper, in the order given between them."""
        by_keeper: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
        for core, memo in memos.items():
            by_keeper.setdefault(core.partition("/")[0], []).append((_number(core), memo))
        for boot, changes in by_keeper.items():
            await self._of(f"{boot}/0").link.ask("relabel", memos=changes)

    async def carried(self) -> Mapping[str, tuple[bool, Labels]]:
        """Return per process whether it lives, and uplink, downlink and the open part of both per label."""
        now_s = self._clock.monotonic_s()
        while self._ended and now_s - next(iter(self._ended.values()))[0] > _ENDED_TOLD_S:
            self._ended.popitem(last=False)
        found: dict[str, tuple[bool, Labels]] = {name: (False, labels) for name, (_, labels) in self._ended.items()}
        for known in [known for known in self._known.values() if known.link.is_open]:
            told = await known.link.ask("carried", since=known.serial)
            if told["is_full"]:
                known.carried = {}
            known.serial = told["serial"]
            for process, labels in told["changed"].items():
                known.carried.setdefault(process, {}).update(labels)
            living = frozenset(told["living"])
            known.carried = {process: known.carried.get(process, {}) for process in told["all"]}
            found |= {process: (process in living, labels) for process, labels in known.carried.items()}
        return found

    def echo_port(self, core: str = "", *, keeper: str = "") -> int:
        """Return the loopback port of the echo of the keeper of a core, of the one named, or of the leading one."""
        known = self._of(core) if core else self._known.get(keeper, self._leading)
        if known is None:
            raise EngineUnavailable("the keeper is not reachable")
        port: int = known.link.hello["echo_port"]
        return port

    async def describe(self) -> list[Message]:
        """Return what each keeper says of itself and its cores now, those we do not understand included."""
        told = []
        for known in [known for known in self._known.values() if known.link.is_open]:
            with suppress(EngineUnavailable):
                said = await known.link.ask("hello")
                self.foreign[known.boot] = said.get("foreign", [])
                told.append({**said, "is_leading": known is self._leading, "is_understood": True})
        return [*told, *({**stranger, "is_leading": False, "is_understood": False} for stranger in self.strangers)]

    # --- the rest ---

    async def _join(self, path: Path) -> bool:
        """Speak to the keeper at a socket, if one answers there; tell whether it does."""
        if any(known.link.place.socket == path for known in self._known.values()):
            return True
        is_early = self._early is not None and path == self.place.socket
        link = (
            self._early if self._early and is_early else KeeperLink(replace(self.place, socket=path), clock=self._clock)
        )
        if not await link.join():
            return False
        if is_early:
            self._early = None
        if link.hello["version"] in self._understood:
            self._take(link)
        else:
            self.strangers.append(link.hello)
            await link.close()
        return True

    def _take(self, link: KeeperLink) -> _Known:
        known = self._known[link.hello["boot"]] = _Known(link)
        link.on_event = partial(self._hear, known)
        link.on_closed = partial(self._forget, known)
        return known

    def _hear(self, known: _Known, message: Message) -> None:
        if message["event"] == "core":
            self.on_core(self._hear_core(known, message))
        elif message["event"] == "ports":
            self.foreign[known.boot] = message["foreign"]
            for told in message["foreign"]:
                log.error("somebody else listens on our port and takes connections", holder=told)

    def _hear_core(self, known: _Known, message: Message) -> Message:
        told = _named(known.boot, message)
        self.told[told["core"]] = told
        return told

    def _forget(self, known: _Known) -> None:
        """Take notice that a keeper is gone, and its cores with it; keep for a while what they carried."""
        self._known.pop(known.boot, None)
        self.foreign.pop(known.boot, None)
        for process, labels in known.carried.items():
            self._ended[process] = (self._clock.monotonic_s(), labels)
        while len(self._ended) > _ENDED_MAX:
            self._ended.popitem(last=False)
        for name in self._cores_of(known):
            gone = {**self.told.pop(name), "state": State.STOPPED.value, "pid": None}
            if known is not self._leading:
                self.on_core(gone)

    def _cores_of(self, known: _Known) -> list[str]:
        return [name for name in self.told if name.startswith(f"{known.boot}/")]

    def _of(self, core: str) -> _Known:
        known = self._known.get(core.partition("/")[0])
        if known is None:
            raise EngineUnavailable("the keeper is not reachable")
        return known


def _named(boot: str, message: Message) -> Message:
    """Return what a keeper said of a core, with the name that the core has among those of all keepers."""
    return {**message, "core": f"{boot}/{message['core']}"}


def _number(core: str) -> int:
    return int(core.partition("/")[2])


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _strangeness(hello: Message) -> str:
    return (
        f"the keeper that runs (pid {hello['pid']}) speaks version {hello['version']} of its wire, and this Keystead "
        f"version {protocol.VERSION}; it serves on and is left alone. Start the Keystead it came from to manage it, "
        "or end it and its connections: stop Keystead, run: keystead engine stop, and start Keystead"
    )
