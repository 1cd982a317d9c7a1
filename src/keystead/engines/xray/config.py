"""The configuration a core is started with: pure, from what is desired to the JSON that Xray reads.

Called by the drivers. What the configuration is made of:

* every inbound with all its users, so that a start needs no second step;
* one way out, ``direct``, from which private and loopback addresses stay closed: the core's own default for VLESS
  users from 26.5.3 on (proxy/freedom, getDefaultFinalRule), without geo files; a setting opens ranges of them;
* TCP port 25 leads nowhere, unless a setting opens it: one customer's spam costs everybody's address its name;
* the probe: the core as its own client. A loopback SOCKS inbound has an account per listener and server name; each is
  routed to a VLESS outbound that dials our own public inbound as the probe's user, and that user is routed to the one
  address and port of our echo and nowhere else.

Old names of fields are used where both are read (``clients``, ``accounts``: renamed in v26.5.9), since the supported
range starts before.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from keystead.engines.xray import sites
from keystead.engines.xray.state import VISION, XrayDesired, XrayInbound, XraySettings, XrayUser
from keystead.kit.names import authority
from keystead.kit.secret import Secret

Json = dict[str, Any]

PROBE_LABEL = "keystead-probe"
_PROBE = "keystead-probe"
_ECHO = "keystead-echo"
_WARM = "keystead-warm-"
WARMER_TAG_PREFIX = "keystead-warmer-"
_DIRECT = "direct"
BLOCKED = "blocked"
_LOOPBACK = "127.0.0.1"
_ANY = {"0.0.0.0": _LOOPBACK, "::": _LOOPBACK, "": _LOOPBACK}  # noqa: S104 - recognised here, not listened on

# Level 0 is the level of every user we make; the counters have to be asked for at that level.
_POLICY = {"levels": {"0": {"statsUserUplink": True, "statsUserDownlink": True, "statsUserOnline": True}}}
_API_SERVICES = ["HandlerService", "StatsService", "RoutingService", "LoggerService"]


@dataclass(frozen=True)
class Route:
    """One thing the probe dials: an inbound under one of its server names.

    ``account`` selects it at the SOCKS; the core counts its bytes under that name too, hence our own prefix. An inbound
    that stands behind others is dialled ``through`` one of those, as its clients do.
    """

    account: str
    tag: str
    server_name: str
    through: str = ""


@dataclass(frozen=True)
class ProbePlan:
    """How the core dials itself: made anew for every start, with fresh secrets.

    ``warm_routes`` lead through the loopback listeners of a core that has not taken its public ones yet.
    """

    socks_port: int
    echo_port: int
    password: Secret[str]
    user: XrayUser
    routes: tuple[Route, ...]
    warm_routes: tuple[Route, ...] = ()

    @property
    def all_routes(self) -> tuple[Route, ...]:
        """Return every way the core can dial itself."""
        return (*self.routes, *self.warm_routes)

    def own_users(self) -> dict[str, dict[str, XrayUser]]:
        """Return the probe's user in every inbound it dials."""
        return {route.tag: {self.user.label: self.user} for route in self.all_routes}


def routes(inbounds: Iterable[XrayInbound]) -> tuple[Route, ...]:
    """Choose what to dial: every (target, server name) in use once, and every inbound at least once.

    REALITY examines each pair once per process, whichever inbound names it, so a pair proven warm is warm for all.
    """
    listed = list(inbounds)
    fronts = {one.behind: one.tag for one in listed if one.behind}
    seen: set[tuple[str, str]] = set()
    chosen: list[tuple[XrayInbound, str]] = []
    for inbound in listed:
        if inbound.is_behind and inbound.tag not in fronts:
            continue
        goes_to = inbound.stranger_goes_to
        new = [name for name in inbound.server_names if (goes_to, name) not in seen]
        seen.update((goes_to, name) for name in new)
        chosen += [(inbound, name) for name in new or inbound.server_names[:1]]
    return tuple(
        Route(f"{_PROBE}-{number}", inbound.tag, name, fronts.get(inbound.tag, "") if inbound.is_behind else "")
        for number, (inbound, name) in enumerate(chosen)
    )


def warm_inbounds(inbounds: Iterable[XrayInbound], free_port: Callable[[], int]) -> tuple[XrayInbound, ...]:
    """Return a loopback listener for every inbound, alike in all that REALITY examines.

    One that stands behind others is on loopback as it is.
    """
    return tuple(
        inbound
        if inbound.is_behind
        else replace(inbound, tag=f"{_WARM}{inbound.tag}", listen=_LOOPBACK, port=free_port())
        for inbound in inbounds
    )


def is_warmer(tag: str) -> bool:
    """Tell whether an inbound is there for the probe alone (``warmers.py``)."""
    return tag.startswith(WARMER_TAG_PREFIX)


def warm_routes(warm: Iterable[XrayInbound]) -> tuple[Route, ...]:
    """Choose what to dial through the loopback listeners."""
    return tuple(replace(route, account=f"{route.account}-warm") for route in routes(warm))


def render(
    desired: XrayDesired,
    *,
    api_listen: str,
    probe: ProbePlan | None,
    settings: XraySettings,
    log_level: str = "warning",
    has_access_log: bool = False,
    warm: tuple[XrayInbound, ...] | None = None,
    warmers: tuple[XrayInbound, ...] = (),
) -> Json:
    """Return the whole configuration. ``api_listen`` is ``/path/to.sock,0600`` or host:port.

    With ``warm`` (see ``warm_inbounds``) the core listens there alone, without customers, until it is told to take the
    public listeners. ``warmers`` listen on loopback beside either (``warmers.py``).
    With ``has_access_log`` the core writes a line for every stream to its standard output, which must be somebody who
    keeps no destinations.
    """
    own = probe.own_users() if probe else {}
    static = _static((*(desired.static if warm is None else warm), *warmers), settings)
    dialled = (*desired.static, *(warm or ()), *warmers)
    customers = desired.users if warm is None else {}
    listeners = [
        _with_users(listener, {**customers.get(listener["tag"], {}), **own.get(listener["tag"], {})})
        if listener["protocol"] == "vless"
        else listener
        for listener in static["inbounds"]
    ]
    live = [] if warm is not None else [as_listed(one, desired.users) for one in desired.live.values()]
    return {
        **static,
        "log": {"access": "" if has_access_log else "none", "loglevel": log_level},
        "api": {"tag": "api", "listen": api_listen, "services": _API_SERVICES},
        "inbounds": [*listeners, *(_probe_inbounds(probe) if probe else []), *live],
        "outbounds": [
            *static["outbounds"],
            *(_probe_outbounds(probe, dialled) if probe else []),
        ],
        "routing": {
            "domainStrategy": "AsIs",
            "rules": [*(_probe_rules(probe) if probe else []), *static["routing"]["rules"]],
        },
    }


def digest(desired: XrayDesired, settings: XraySettings) -> str:
    """Return a digest of what only a restart changes: no users, no live inbounds, nothing made up for each start."""
    static = _static(desired.with_ports({}).static, settings)
    return hashlib.sha256(orjson.dumps(static, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _static(inbounds: Iterable[XrayInbound], settings: XraySettings) -> Json:
    listed = sorted(inbounds, key=lambda inbound: inbound.tag)
    sorting = [inbound for inbound in listed if inbound.sites]
    opened = [{"action": "allow", "ip": list(settings.allow_private)}] if settings.allow_private else []
    mail = {"network": "tcp", "port": "25", "outboundTag": BLOCKED}
    return {
        "stats": {},
        "policy": _POLICY,
        "inbounds": [*map(_listener, listed), *map(sites.listener, sorting)],
        "outbounds": [
            {"tag": _DIRECT, "protocol": "freedom", "settings": {"finalRules": opened}},
            {"tag": BLOCKED, "protocol": "blackhole"},
            *(outbound for inbound in sorting for outbound in sites.outbounds(inbound)),
        ],
        "routing": {
            "rules": [
                *(rule for inbound in sorting for rule in sites.rules(inbound)),
                *([] if settings.is_mail_open else [mail]),
            ]
        },
    }


def _listener(inbound: XrayInbound) -> Json:
    return {
        "tag": inbound.tag,
        "listen": inbound.listen,
        "port": inbound.port,
        "protocol": "vless",
        "settings": {"decryption": "none"},
        "streamSettings": {
            "network": "tcp",
            "security": "reality",
            "realitySettings": {
                "target": inbound.stranger_goes_to,
                **({"xver": 1} if inbound.behind else {}),
                "serverNames": list(inbound.server_names),
                "privateKey": inbound.private_key.reveal(),
                "shortIds": list(inbound.short_ids),
                # Never left out: unset means 26.3.27 from v26.7.11 on, which refuses sing-box and mihomo.
                "minClientVer": inbound.min_client_version,
            },
            **({"sockopt": {"acceptProxyProtocol": True}} if inbound.is_behind else {}),
        },
    }


def as_listed(inbound: XrayInbound, users: Mapping[str, Mapping[str, XrayUser]]) -> Json:
    """Return an inbound with its users, as a configuration lists it."""
    return _with_users(_listener(inbound), users.get(inbound.tag, {}))


def _with_users(listener: Json, users: Mapping[str, XrayUser]) -> Json:
    clients = [client(user) for user in users.values()]
    return {**listener, "settings": {**listener["settings"], "clients": clients}}


def client(user: XrayUser) -> Json:
    """Return a user as an inbound's configuration lists it."""
    return {"id": user.uuid, "email": user.label, "flow": user.flow}


def _probe_inbounds(probe: ProbePlan) -> list[Json]:
    password = probe.password.reveal()
    accounts = [{"user": route.account, "pass": password} for route in probe.all_routes]
    settings = {"auth": "password", "accounts": accounts, "udp": False}
    return [{"tag": _PROBE, "listen": _LOOPBACK, "port": probe.socks_port, "protocol": "socks", "settings": settings}]


def _probe_outbounds(probe: ProbePlan, inbounds: Iterable[XrayInbound]) -> list[Json]:
    by_tag = {inbound.tag: inbound for inbound in inbounds}
    only_echo = [
        {"action": "allow", "network": "tcp", "ip": [f"{_LOOPBACK}/32"], "port": str(probe.echo_port)},
        {"action": "block"},
    ]
    echo = {"tag": _ECHO, "protocol": "freedom", "settings": {"finalRules": only_echo}}
    return [
        echo,
        *(
            _self_outbound(route, by_tag[route.tag], by_tag[route.through or route.tag], probe.user)
            for route in probe.all_routes
        ),
    ]


def _self_outbound(route: Route, inbound: XrayInbound, front: XrayInbound, user: XrayUser) -> Json:
    account = {"id": user.uuid, "encryption": "none", "flow": user.flow}
    address = _ANY.get(front.listen, front.listen)
    return {
        "tag": route.account,
        "protocol": "vless",
        "settings": {"vnext": [{"address": address, "port": front.port, "users": [account]}]},
        "streamSettings": {
            "network": "tcp",
            "security": "reality",
            "realitySettings": {
                "serverName": route.server_name,
                "fingerprint": "chrome",
                "publicKey": inbound.public_key,
                "shortId": inbound.short_ids[0],
            },
        },
    }


def _probe_rules(probe: ProbePlan) -> list[Json]:
    to_self = [
        {"inboundTag": [_PROBE], "user": [route.account], "outboundTag": route.account} for route in probe.all_routes
    ]
    nothing_else = {"inboundTag": [_PROBE], "outboundTag": BLOCKED}
    return [*to_self, nothing_else, {"user": [PROBE_LABEL], "outboundTag": _ECHO}]


def probe_user(uuid: str) -> XrayUser:
    """Return the probe's user with a UUID."""
    return XrayUser(PROBE_LABEL, uuid, VISION)


def api_on_socket(path: Path) -> str:
    """Return the API's ``listen`` for a Unix socket that only its owner may use; without a mode it would be 0755."""
    return f"{path},0600"


def described(inbound: XrayInbound) -> str:
    """Return where an inbound listens and for what, for people."""
    if inbound.is_behind:
        others = "".join(f" and {target}" for target in dict.fromkeys(target for _, target in inbound.sites))
        return f"{inbound.tag} behind others for {inbound.target}{others}"
    passing = f" with {inbound.behind} behind it" if inbound.behind else ""
    return f"{inbound.tag} at {authority(inbound.listen, inbound.port)} for {inbound.target}{passing}"
