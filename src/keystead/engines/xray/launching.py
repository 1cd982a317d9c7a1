"""What the keeper is given to start a core with, and what it gives back of it: pure, between driver and keeper.

The memo travels with the launch and comes back to whichever API process finds the core running: how it was
configured, and how it dials itself. It is as secret as the probe's password and stays in memory.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from keystead.engines.xray import config
from keystead.engines.xray.state import XrayDesired, XrayInbound, XraySettings, XrayUser
from keystead.keeper.launch import Launch
from keystead.keeper.ports import Listen
from keystead.kit.secret import Secret

_KIND = "xray"
_MEMO_VERSION = 1
_GAP = re.compile('"keystead-gap:([^"]*)"')

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
    """What a process was started with, and what it has become: a candidate has no public listener yet."""

    tags: tuple[str, ...]
    digest: str
    version: str
    socket: Path
    probe: config.ProbePlan
    role: Role = Role.SERVING


def launch(
    desired: XrayDesired,
    *,
    binary: Path,
    version: str,
    socket: Path,
    environment: Mapping[str, str],
    settings: XraySettings,
    probe: config.ProbePlan,
    warm: tuple[XrayInbound, ...] | None = None,
) -> Launch:
    """Return the launch of a core that is to hold everything desired; with ``warm``, of one that is to become it."""
    rendered = config.render(
        desired, api_listen=config.api_on_socket(socket), probe=probe, settings=settings, has_access_log=True, warm=warm
    )
    started = Started(
        tuple(inbound.tag for inbound in desired.inbounds),
        config.digest(desired, settings),
        version,
        socket,
        probe,
        Role.SERVING if warm is None else Role.CANDIDATE,
    )
    texts, gaps, entries = with_gaps(rendered)
    return Launch(
        argv=(str(binary), "run", "-config", "stdin:"),
        environment=environment,
        texts=texts,
        gaps=gaps,
        entries=entries,
        listens=tuple(Listen(inbound.listen, inbound.port) for inbound in (desired.inbounds if warm is None else warm)),
        # A killed core leaves its socket and the lock of it, and the next one would not start.
        stale_files=(str(socket), f"{socket}.lock"),
        access=ACCESS_LINE,
        limits=desired.limits,
        tags={inbound.tag: inbound.port for inbound in desired.inbounds},
        memo=memo_of(started),
    )


def with_gaps(rendered: config.Json) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, dict[str, str]]]:
    """Return a configuration as text with a gap for the users of each VLESS inbound, and what fills the gaps."""
    entries: dict[str, dict[str, str]] = {}
    inbounds = []
    for inbound in rendered["inbounds"]:
        clients = inbound["settings"].get("clients")
        if clients is not None:
            tag = inbound["tag"]
            entries[tag] = {client["email"]: orjson.dumps(client).decode() for client in clients}
            inbound = {**inbound, "settings": {**inbound["settings"], "clients": [f"keystead-gap:{tag}"]}}
        inbounds.append(inbound)
    parts = _GAP.split(orjson.dumps({**rendered, "inbounds": inbounds}).decode())
    return tuple(parts[::2]), tuple(parts[1::2]), entries


def entry(user: XrayUser) -> str:
    """Return what stands in the gap for a user."""
    return orjson.dumps(config.client(user)).decode()


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
        "routes": [[route.account, route.tag, route.server_name] for route in probe.routes],
        "warm_routes": [[route.account, route.tag, route.server_name] for route in probe.warm_routes],
        "role": started.role.value,
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
        routes=tuple(config.Route(account, tag, name) for account, tag, name in memo["routes"]),
        warm_routes=tuple(config.Route(account, tag, name) for account, tag, name in memo["warm_routes"]),
    )
    return Started(
        tuple(memo["tags"]), memo["digest"], memo["version"], Path(memo["socket"]), probe, Role(memo["role"])
    )
