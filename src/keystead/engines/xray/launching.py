"""What the keeper is given to start a core with, and what it gives back of it: pure, between driver and keeper.

The memo travels with the launch and comes back to whichever API process finds the core running: how it was
configured, and how it dials itself. It is as secret as the probe's password and stays in memory.
"""

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from keystead.engines.xray import config, warmers, warmth
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.state import XrayDesired, XrayInbound, XraySettings, XrayUser, is_live
from keystead.engines.xray.users import Users
from keystead.keeper.launch import OPENINGS, Change, Launch, Opening
from keystead.keeper.ports import Listen, free_loopback_port
from keystead.keeper.program import Standing
from keystead.kit.secret import Secret

_KIND = "xray"
_MEMO_VERSION = 1
_GAP = re.compile(',?"keystead-gap:([^"]*)"')

# Xray-core v26.7.28, common/log/access.go: from IP:PORT accepted tcp:DEST [inbound -> outbound] email: LABEL
ACCESS_LINE = (
    r"from (?:tcp:|udp:)?\[?(?P<host>[0-9A-Fa-f.:]+?)\]?:(?P<port>\d+) accepted .*"
    r"\[(?P<tag>\S+) (?:->|>>|-) ?\S+\].* email: (?P<label>\S+)"
)


class Role(StrEnum):
    """What a process is for: to take another one's place, to serve, or to end when its last connection has."""

    CANDIDATE = "candidate"
    SERVING = "serving"
    LEAVING = "leaving"


@dataclass(frozen=True)
class Started:
    """What a process was started with, and what it has become: a candidate has no public listener yet.

    Of two that serve, the one of the higher ``generation`` took the place of the other. ``behind`` are the ports of
    what listens on loopback for its other inbounds, by tag. ``needs`` are the routes, by their positions, that have to
    be warm for each place (``warmth.py``); a memo of an earlier Keystead has none. ``pairs`` are those that its routes
    prove, as REALITY tells them apart (``warmers.py``).
    """

    tags: tuple[str, ...]
    digest: str
    version: str
    socket: Path
    probe: config.ProbePlan
    role: Role = Role.SERVING
    binary: Path = Path()
    generation: int = 0
    behind: Mapping[str, int] = field(default_factory=dict)
    needs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    pairs: frozenset[str] = frozenset()


class Launcher:
    """Make launches of one scope's core; every one of them with a probe of its own."""

    def __init__(
        self,
        settings: XraySettings,
        environment: Mapping[str, str],
        probe_secrets: Callable[[], tuple[Secret[str], str]],
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._probe_secrets = probe_secrets

    def launch(
        self,
        desired: XrayDesired,
        binary: Binary,
        socket: Path,
        *,
        echo_port: int,
        generation: int,
        warm: tuple[XrayInbound, ...] | None = None,
    ) -> Launch:
        """Return the launch of a core that holds all that is desired; with ``warm``, of one that is to become it.

        What stands behind other inbounds has its port by now (``XrayDesired.with_ports``).
        """
        extra = warmers.of_start(desired.inbounds, free_loopback_port)
        dialled = (*desired.static, *extra)
        probe = self._probe(dialled, echo_port, None if warm is None else (*warm, *extra))
        rendered = config.render(
            desired,
            api_listen=config.api_on_socket(socket),
            probe=probe,
            settings=self._settings,
            has_access_log=True,
            warm=warm,
            warmers=extra,
        )
        started = Started(
            tuple(inbound.tag for inbound in desired.static),
            config.digest(desired, self._settings),
            binary.version,
            socket,
            probe,
            Role.SERVING if warm is None else Role.CANDIDATE,
            binary.path,
            generation,
            desired.inner_ports(),
            warmth.needs(dialled, probe.routes),
            warmers.pairs_dialled(dialled),
        )
        texts, gaps, entries = with_gaps(rendered)
        listening = (*(desired.static if warm is None else warm), *extra)
        return Launch(
            argv=(str(binary.path), "run", "-config", "stdin:"),
            environment=self._environment,
            texts=texts,
            gaps=gaps,
            entries=entries,
            listens=tuple(Listen(inbound.listen, inbound.port) for inbound in listening),
            openings={tag: _opening(one, desired) for tag, one in desired.live.items()} if warm is None else {},
            # A killed core leaves its socket and the lock of it, and the next one would not start.
            stale_files=(str(socket), f"{socket}.lock"),
            access=ACCESS_LINE,
            limits=desired.limits,
            address_limits=desired.address_limits,
            tags={inbound.tag: 0 if inbound.is_behind else inbound.port for inbound in desired.inbounds},
            memo=memo_of(started),
        )

    def _probe(
        self, dialled: tuple[XrayInbound, ...], echo_port: int, warm: tuple[XrayInbound, ...] | None
    ) -> config.ProbePlan:
        password, user = self._probe_secrets()
        return config.ProbePlan(
            socks_port=free_loopback_port(),
            echo_port=echo_port,
            password=password,
            user=config.probe_user(user),
            routes=config.routes(dialled),
            warm_routes=config.warm_routes(warm or ()),
        )


def with_gaps(rendered: config.Json) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, dict[str, str]]]:
    """Return a configuration as text with gaps, and what fills those of the users of each VLESS inbound.

    The last gap is that of the live inbounds, which are openings and no part of the text.
    """
    entries: dict[str, dict[str, str]] = {}
    inbounds: list[Any] = []
    for inbound in rendered["inbounds"]:
        if is_live(inbound["tag"]):
            continue
        clients = inbound["settings"].get("clients")
        if clients is not None:
            tag = inbound["tag"]
            entries[tag] = {client["email"]: orjson.dumps(client).decode() for client in clients}
            inbound = {**inbound, "settings": {**inbound["settings"], "clients": [f"keystead-gap:{tag}"]}}
        inbounds.append(inbound)
    inbounds.append(f"keystead-gap:{OPENINGS}")
    parts = _GAP.split(orjson.dumps({**rendered, "inbounds": inbounds}).decode())
    return tuple(parts[::2]), tuple(parts[1::2]), entries


def entry(user: XrayUser) -> str:
    """Return what stands in the gap for a user."""
    return orjson.dumps(config.client(user)).decode()


def openings(desired: XrayDesired, tags: Iterable[str]) -> dict[str, Opening | None]:
    """Return what a start has to hold of these live inbounds."""
    live = desired.live
    return {tag: _opening(live[tag], desired) if tag in live else None for tag in tags if is_live(tag)}


def places(desired: XrayDesired, subjects: Collection[str]) -> list[str]:
    """Return the live inbounds that these labels of a part are or were in."""
    return [*desired.live, *(tag for label in subjects for tag in desired.leaving.get(label, ()))]


def _opening(inbound: XrayInbound, desired: XrayDesired) -> Opening:
    text = orjson.dumps(config.as_listed(inbound, desired.users)).decode()
    return Opening(inbound.listen, inbound.port, text, tuple(desired.users.get(inbound.tag, ())))


def changes(desired: XrayDesired, subjects: Collection[str], tags: Collection[str]) -> list[Change]:
    """Return what the next start has to hold of these labels in the inbounds that only a start opens."""
    return [
        (tag, label, entry(user) if (user := desired.users.get(tag, {}).get(label)) else None)
        for tag in tags
        for label in subjects
    ]


def memo_of(started: Started) -> dict[str, Any]:
    """Return what the keeper keeps of a process for whichever API finds it running."""
    probe = started.probe
    return {
        "kind": _KIND,
        "memo_version": _MEMO_VERSION,
        "tags": started.tags,
        "digest": started.digest,
        "version": started.version,
        "socket": str(started.socket),
        "socks_port": probe.socks_port,
        "echo_port": probe.echo_port,
        "password": probe.password.reveal(),
        "user": probe.user.uuid,
        "routes": [list(astuple(route)) for route in probe.routes],
        "warm_routes": [list(astuple(route)) for route in probe.warm_routes],
        "role": started.role.value,
        "binary": str(started.binary),
        "generation": started.generation,
        "behind": dict(started.behind),
        "needs": dict(started.needs),
        "pairs": sorted(started.pairs),
    }


def started_with(memo: Mapping[str, Any]) -> Started | None:
    """Return what a memo says of a process; None for one of another kind or another version."""
    if memo.get("kind") != _KIND or memo.get("memo_version") != _MEMO_VERSION:
        return None
    probe = config.ProbePlan(
        socks_port=memo["socks_port"],
        echo_port=memo["echo_port"],
        password=Secret(memo["password"]),
        user=config.probe_user(memo["user"]),
        routes=tuple(config.Route(*told) for told in memo["routes"]),
        warm_routes=tuple(config.Route(*told) for told in memo["warm_routes"]),
    )
    return Started(
        tuple(memo["tags"]),
        memo["digest"],
        memo["version"],
        Path(memo["socket"]),
        probe,
        Role(memo["role"]),
        Path(memo.get("binary", "")),
        memo.get("generation", 0),
        memo.get("behind", {}),
        {place: tuple(numbers) for place, numbers in memo.get("needs", {}).items()},
        frozenset(memo.get("pairs", (place for place in memo.get("needs", {}) if " " in place))),
    )


def standing(memo: Mapping[str, Any]) -> Standing:
    """Tell what a process is, by its memo; a candidate is nobody's after the API that made it."""
    started = started_with(memo)
    if started is None or started.role is Role.CANDIDATE:
        return Standing.FOREIGN
    return Standing.SERVING if started.role is Role.SERVING else Standing.LEAVING


def next_generation(memos: Iterable[Mapping[str, Any]]) -> int:
    """Return the generation of a process that is to take the place of all that are there."""
    return 1 + max((memo.get("generation", 0) for memo in memos), default=0)


def free_socket(first: Path, memos: Iterable[Mapping[str, Any]]) -> Path:
    """Return where a further process may have its API: the first of a row of sockets that none has."""
    taken = {memo.get("socket") for memo in memos}
    others = (first.with_name(f"{first.stem}-{number}{first.suffix}") for number in itertools.count(2))
    return next(path for path in itertools.chain([first], others) if str(path) not in taken)


def with_free_ports(desired: XrayDesired, known: Mapping[str, int]) -> XrayDesired:
    """Return what is desired with a port for everything that listens on loopback for other inbounds."""
    return desired.with_ports({tag: known.get(tag) or free_loopback_port() for tag in desired.inner_tags})


def with_own(desired: XrayDesired, started: Started, tags: Collection[str]) -> Users:
    """Return who is to be in some inbounds, the process's own users among them."""
    own = started.probe.own_users()
    return {tag: {**desired.users.get(tag, {}), **own.get(tag, {})} for tag in tags}
