"""What Xray should hold and what it holds, as frozen values in the engine's own words.

Made by ``vpn/desired.py`` (desired) and by the driver (actual); compared by ``plan.py``; rendered by ``config.py``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from keystead.kit.secret import Secret

VISION = "xtls-rprx-vision"

# Labels of Keystead's own users in the core start with this; a customer's label starts with "k" and a digit.
OWN_LABEL_PREFIX = "keystead-"
# Tags of inbounds that are opened and closed while the core runs start with this.
LIVE_TAG_PREFIX = "keystead-port-"
# Tags of inbounds on loopback that nothing but other inbounds of the same core connects to start with this.
BEHIND_TAG_PREFIX = "keystead-behind-"
# Tags of listeners that pass strangers on to the site of the name they ask for start with this.
_SITES_TAG_PREFIX = "keystead-sites-"


class XrayUser(NamedTuple):
    """A VLESS user of an inbound: its label (Xray's email), UUID and flow. There are thousands."""

    label: str
    uuid: str
    flow: str = VISION


def masked(uuid: str) -> str:
    """Return a UUID as Xray compares it: bytes 6 and 7 zeroed; text that is none is compared as it is.

    Two users whose UUIDs differ only there are one to it (proxy/vless/validator.go, v26.7.28).
    """
    try:
        raw = UUID(uuid).bytes
    except ValueError:
        return uuid
    return str(UUID(bytes=raw[:6] + b"\0\0" + raw[8:]))


@dataclass(frozen=True)
class XrayInbound:
    """A VLESS + REALITY listener.

    ``target`` is host:port of the site REALITY hides behind; ``short_ids`` are lower-case hex of even length ≤ 16. One
    whose tag starts with ``LIVE_TAG_PREFIX`` is opened and closed while the core runs, and is there for its users
    alone. A target or server name that no inbound of the other kind has gets a warmer (``warmers.py``).

    ``behind`` is the tag of an inbound with another key pair: whoever does not authenticate here is passed on to it,
    with the address of the peer in front (PROXY protocol), and only by it to the target. Where that one listens is
    chosen for each process (``XrayDesired.with_ports``): ``behind_port`` here is ``port`` there.

    ``sites`` are server names with a site of their own: strangers who ask for one of them are passed on to that
    host:port in place of ``target``, by a listener at ``sites_port`` (``sites.py``), chosen for each process as well.
    """

    tag: str
    listen: str
    port: int
    private_key: Secret[str]
    public_key: str
    target: str
    server_names: tuple[str, ...]
    short_ids: tuple[str, ...]
    min_client_version: str
    behind: str = ""
    behind_port: int = 0
    sites: tuple[tuple[str, str], ...] = ()
    sites_port: int = 0

    @property
    def is_live(self) -> bool:
        """Tell whether it is opened and closed while the core runs."""
        return is_live(self.tag)

    @property
    def is_behind(self) -> bool:
        """Tell whether other inbounds alone connect to it."""
        return self.tag.startswith(BEHIND_TAG_PREFIX)

    @property
    def stranger_goes_to(self) -> str:
        """Return host:port that whoever does not authenticate is passed on to."""
        if self.behind:
            return f"127.0.0.1:{self.behind_port}"
        return f"127.0.0.1:{self.sites_port}" if self.sites else self.target

    @property
    def sites_tag(self) -> str:
        """Return the tag of the listener that passes strangers on to the site of their name."""
        return f"{_SITES_TAG_PREFIX}{self.tag}"

    @property
    def inner_tags(self) -> tuple[str, ...]:
        """Return the tags of what listens on loopback for this inbound, itself included."""
        return (*((self.tag,) if self.is_behind else ()), *((self.sites_tag,) if self.sites else ()))


def is_live(tag: str) -> bool:
    """Tell whether the inbound of a tag is opened and closed while the core runs."""
    return tag.startswith(LIVE_TAG_PREFIX)


@dataclass(frozen=True)
class XrayDesired:
    """The whole desired state of one core, or a part of it: the users of some labels.

    ``users`` maps inbound tag → label → user. In a part, ``inbounds`` are the live ones these labels are or were in
    and that are to be open; ``absent`` names labels that must be in no inbound, ``leaving`` the live ones they may be
    in, by label. ``limits`` are speed limits per label in bytes a second; a label without one is not limited.
    ``address_limits`` are how many addresses at a time a label may be used from. In a part, ``new`` names labels that
    nobody has connected with yet.
    """

    inbounds: tuple[XrayInbound, ...]
    users: Mapping[str, Mapping[str, XrayUser]]
    absent: frozenset[str] = frozenset()
    limits: Mapping[str, int] = field(default_factory=dict)
    address_limits: Mapping[str, int] = field(default_factory=dict)
    leaving: Mapping[str, Collection[str]] = field(default_factory=dict)
    new: frozenset[str] = frozenset()

    @cached_property
    def static(self) -> tuple[XrayInbound, ...]:
        """Return the inbounds that only a start opens."""
        return tuple(inbound for inbound in self.inbounds if not inbound.is_live)

    @cached_property
    def live(self) -> dict[str, XrayInbound]:
        """Return the inbounds that are opened and closed while the core runs, by tag."""
        return {inbound.tag: inbound for inbound in self.inbounds if inbound.is_live}

    @cached_property
    def behind(self) -> tuple[XrayInbound, ...]:
        """Return the inbounds that stand behind others."""
        return tuple(inbound for inbound in self.inbounds if inbound.is_behind)

    @cached_property
    def inner_tags(self) -> tuple[str, ...]:
        """Return the tags of what listens on loopback, for other inbounds of the same core alone."""
        return tuple(tag for inbound in self.inbounds for tag in inbound.inner_tags)

    def inner_ports(self) -> dict[str, int]:
        """Return where what listens on loopback does so, by tag."""
        found = {one.tag: one.port for one in self.behind}
        return found | {one.sites_tag: one.sites_port for one in self.inbounds if one.sites}

    def with_ports(self, ports: Mapping[str, int]) -> "XrayDesired":
        """Return the same for a process in which what listens on loopback does so at these ports, by tag."""
        if not any(one.behind or one.inner_tags for one in self.inbounds):
            return self
        return replace(self, inbounds=tuple(_with_port(one, ports) for one in self.inbounds))


def _with_port(inbound: XrayInbound, ports: Mapping[str, int]) -> XrayInbound:
    if inbound.sites:
        inbound = replace(inbound, sites_port=ports.get(inbound.sites_tag, 0))
    if inbound.is_behind:
        return replace(inbound, port=ports.get(inbound.tag, 0))
    return replace(inbound, behind_port=ports.get(inbound.behind, 0)) if inbound.behind else inbound


@dataclass(frozen=True)
class XrayActual:
    """What a running core holds: users per inbound tag; a missing inbound has no entry.

    ``config_digest`` is the digest of the static configuration the process was started with ("" when unknown).
    ``own`` is what it was given of Keystead's own users (the probe's): they have to be there, and nobody else desires
    them. ``hands_over`` tells that another process can take this one's place without cutting anybody off.
    """

    users: Mapping[str, Mapping[str, XrayUser]] = field(default_factory=dict)
    config_digest: str = ""
    own: Mapping[str, Mapping[str, XrayUser]] = field(default_factory=dict)
    hands_over: bool = False


@dataclass(frozen=True)
class XraySettings:
    """What the operator opens to VPN users beyond the public internet; both are closed by default.

    ``allow_private`` holds CIDR ranges of private or loopback addresses; mail goes out over TCP port 25.
    """

    allow_private: tuple[str, ...] = ()
    is_mail_open: bool = False


class Counters(NamedTuple):
    """Bytes of a label since its core process started: uplink is client to server. There are thousands."""

    uplink: int
    downlink: int


class LiveConnection(NamedTuple):
    """A client's live connection to the core; ages in seconds, bytes as the kernel counts them, handshake included.

    ``id`` is the kernel's cookie of the socket: never used twice while the machine runs. ``label`` is None while nobody
    knows whose it is; ``tag`` names the inbound it authenticated at, None while no line told. There are thousands.
    """

    id: int
    process: str
    label: str | None
    peer_host: str
    peer_port: int
    local_port: int
    age_s: float
    idle_s: float
    uplink: int
    downlink: int
    uplink_per_s: int
    downlink_per_s: int
    tag: str | None = None


class AddressUse(NamedTuple):
    """From how many addresses a label with such a limit is used, and the addresses that are refused."""

    limit: int
    active: int
    refused: Sequence[str]


@dataclass(frozen=True)
class WatchState:
    """How well the connections of a core can be seen and ended here.

    ``tricks`` maps each trick (dump, borrow, pace, reset, destroy) to why it does not work, None when it does; ``cut``
    is the way in force (destroy, reset, shutdown, none). ``lines`` counts the access lines that told an owner since the
    process started. ``ownerless_share`` is the part of the connections whose owner no line told, ``doubtful`` how many
    removed labels are still online by a connection that cannot be proven to be theirs; None, as ``connections``, when
    nobody sees them.
    """

    tricks: Mapping[str, str | None]
    cut: str
    lines: int = 0
    connections: int | None = None
    ownerless_share: float | None = None
    doubtful: int | None = None
    is_managed: bool = True


@dataclass(frozen=True)
class Reading:
    """All counters of one core process at one moment; ``process`` identifies that process, never reused.

    ``may_fall`` says that others can reach the core too and may have reset its counters.
    """

    process: str
    counters: Mapping[str, Counters]
    may_fall: bool = False


class LabelCarried(NamedTuple):
    """Bytes the kernel has carried for a label in one core process, handshakes left out; there are thousands.

    ``uplink`` and ``downlink`` add up all its connections, closed ones too, and never fall while the process lives;
    the open parts are what connections that are still open have carried of it.
    """

    uplink: int
    downlink: int
    open_uplink: int
    open_downlink: int


@dataclass(frozen=True)
class Carried:
    """What the kernel has carried in one core process at one moment; ``is_ended`` says that these are its last words.

    A label that has no connection yet is left out. A process that has ended is told of for at least some minutes.
    """

    process: str
    labels: Mapping[str, LabelCarried]
    is_ended: bool = False


def carried_in(told: Mapping[str, tuple[bool, Mapping[str, Sequence[int]]]]) -> list[Carried]:
    """Return what the keeper told per process: whether it lives, and the four figures of each label.

    The probe's own dials are nobody's and left out.
    """
    return [
        Carried(
            process,
            {name: LabelCarried(*found) for name, found in labels.items() if not name.startswith(OWN_LABEL_PREFIX)},
            is_ended=not lives,
        )
        for process, (lives, labels) in told.items()
    ]
