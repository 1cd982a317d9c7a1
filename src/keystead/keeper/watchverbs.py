"""What may be asked of the watch over connections, as the keeper's wire has it: its verbs ``cut``, ``carried`` etc.

Used by the service. Fields of messages are those of the wire; what they mean is told at the watch.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from keystead.keeper import siblings
from keystead.keeper.protocol import Message
from keystead.keeper.watch import Watch
from keystead.kit.clock import Clock

Verb = Callable[[Message], Awaitable[Any]]


def of(watch: Watch, clock: Clock) -> dict[str, Verb]:
    """Return the verbs of a watch by name."""
    verbs = _Verbs(watch, clock)
    return {
        "cut": verbs.cut,
        "limit": verbs.limit,
        "sent": verbs.sent,
        "addresses": verbs.addresses,
        "carried": verbs.carried,
        "carried_now": verbs.carried_now,
        "connections": verbs.connections,
        "attribute": verbs.attribute,
        "suspects": verbs.suspects,
        "hunt": verbs.hunt,
        "seen": verbs.seen,
        "state": verbs.state,
    }


class _Verbs:
    def __init__(self, watch: Watch, clock: Clock) -> None:
        self._watch = watch
        self._clock = clock

    async def cut(self, message: Message) -> int:
        """Cut the connections of labels, or all of a process."""
        if "process" in message:
            return self._watch.cut_all(message["process"])
        if message.get("is_once"):
            return self._watch.cut_present(message["labels"])
        return self._watch.cut(message["labels"])

    async def limit(self, message: Message) -> Message:
        self._watch.limit(message["limits"], message.get("addresses", {}))
        return {}

    async def sent(self, _: Message) -> dict[str, list[list[object]]]:
        """Return what the open connections of limited labels have sent, for another keeper that has some of them."""
        self._watch.look_again()
        return siblings.told(self._watch.speeds.sent())

    async def addresses(self, message: Message) -> dict[str, list[Any]]:
        """Return by label its limit, how many addresses are active, and which are refused."""
        found = self._watch.addresses.use(message["labels"], self._clock.monotonic_s())
        return {label: list(use) for label, use in found.items()}

    async def carried(self, message: Message) -> Message:
        return self._watch.carried(message["since"])

    async def carried_now(self, message: Message) -> Message:
        self._watch.look_again()
        return self._watch.carried_of(message["label"])

    async def connections(self, message: Message) -> list[list[Any]]:
        """Return cookie, process, label, peer, local port, ages, bytes and inbound of open connections."""
        await self._watch.proven.wait()
        now_s = self._clock.monotonic_s()
        return [
            [
                *(one.socket.cookie, process, one.label),
                *(one.socket.peer_host, one.socket.peer_port, one.socket.local_port),
                *(round(now_s - one.first_seen_s, 1), round(now_s - one.moved_s, 1)),
                *(one.uplink, one.downlink, one.uplink_per_s, one.downlink_per_s, one.tag),
            ]
            for process, one in self._watch.connections(message["labels"])
        ]

    async def attribute(self, message: Message) -> int:
        return self._watch.attribute(message["process"], message["online"])

    async def suspects(self, message: Message) -> dict[str, int]:
        return self._watch.suspects(message.get("process"))

    async def hunt(self, message: Message) -> Message:
        """Judge by who is online where; when each connected last is in a field of its own, younger than this verb."""
        last = message.get("last", {})
        online = {
            host: {label: last.get(host, {}).get(label) for label in labels}
            for host, labels in message["online"].items()
        }
        return self._watch.hunt(message["process"], online, message.get("counted", {}))._asdict()

    async def seen(self, message: Message) -> dict[str, float]:
        seen = self._watch.seen(float(message["within_s"]), is_behind=message.get("is_behind"))
        wanted = message.get("labels")
        return seen if wanted is None else {label: seen[label] for label in wanted if label in seen}

    async def state(self, _: Message) -> Message:
        await self._watch.proven.wait()
        return self._watch.state()
