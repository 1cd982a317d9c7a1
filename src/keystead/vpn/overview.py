"""Keys that have a port of their own, seen together: which ports they take, and whether the engine holds just them.

The verbs read; the rest is pure. What the engine holds is observed outside (``operations/vpn/overview.py``). Keys of
the shared inbound are no part of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from keystead.access.permissions import Permission, requires
from keystead.access.principal import Principal
from keystead.access.work import Work
from keystead.engines.xray.state import OWN_LABEL_PREFIX, XrayUser, is_live
from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.vpn import links
from keystead.vpn.keyvalue import KeyState, number_of
from keystead.vpn.lookup import IsApplied, IsGone, is_allowed, is_visible
from keystead.vpn.store import formerports as former_store
from keystead.vpn.store import inbounds as inbound_store
from keystead.vpn.store import keys as key_store
from keystead.vpn.store.keys import OwnPort
from keystead.vpn.values import ClientProfile

# Users of the engine's inbounds: tag → label → user.
Held = Mapping[str, Mapping[str, XrayUser]]
# The public half of a private key of REALITY; Invalid when it is none.
PublicOf = Callable[[Secret[str]], str]


@dataclass(frozen=True)
class Overview:
    """The keys with ports of their own that a caller sees, by port.

    ``taken`` are the ports in use by anybody; ``hidden`` are the numbers of keys that the caller is not to be told
    of; ``sees_strangers`` says that it may be told of users of the engine that are nobody's. ``former`` are the labels
    at ports that keys had before and are still served at, as pairs of tag and label; keys of the shared inbound too.
    """

    ports: tuple[OwnPort, ...]
    taken: frozenset[int]
    hidden: frozenset[int]
    sees_strangers: bool
    former: frozenset[tuple[str, str]] = frozenset()

    @cached_property
    def numbers(self) -> frozenset[int]:
        """Return the numbers of the keys."""
        return frozenset(port.key.number for port in self.ports)

    @cached_property
    def wanted(self) -> dict[str, OwnPort]:
        """Return those that should connect, by label."""
        return {port.key.label: port for port in self.ports if port.key.is_active}


@dataclass(frozen=True)
class OpenInbound:
    """An inbound the engine has open for a key, with the UUIDs in it."""

    port: OwnPort
    uuids: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What the engine should hold and what it holds, of the keys that a caller sees.

    ``missing`` ones should be in the engine, ``misplaced`` ones are not where their port and short id are; ``extra``
    are UUIDs that should not be there. ``held`` are all UUIDs that are.
    """

    wanted: tuple[OwnPort, ...]
    held: tuple[str, ...]
    missing: tuple[OwnPort, ...]
    extra: tuple[str, ...]
    misplaced: tuple[OwnPort, ...]
    inbounds: tuple[OpenInbound, ...]

    @property
    def has_same_keys(self) -> bool:
        """Tell whether the engine holds just the keys it should."""
        return not self.missing and not self.extra

    @property
    def is_same(self) -> bool:
        """Tell whether there is nothing to repair."""
        return self.has_same_keys and not self.misplaced


@requires(Permission.VPN_KEYS_READ)
def own_ports(work: Work, *, is_applied: IsApplied, is_gone: IsGone) -> Overview:
    """Return the keys with ports of their own that the caller sees, and the ports that are taken in all."""
    stored = key_store.own_ports(work.connection)
    gone = {port.key.number: port.port for port in stored if _is_out(port, is_gone)}
    found = [port for port in stored if port.key.number not in gone]
    owned = [port for port in found if _is_owned(work.principal, port)]
    told = {
        port.key.number for port in owned if port.key.state is KeyState.REMOVING or is_visible(port.key, is_applied)
    }
    return Overview(
        ports=tuple(port for port in owned if is_visible(port.key, is_applied)),
        taken=frozenset(inbound_store.all_ports(work.connection) - set(gone.values())),
        hidden=frozenset(port.key.number for port in stored) - told,
        sees_strangers=work.principal.confined_to_token is None,
        former=former_store.places(work.connection),
    )


@requires(Permission.VPN_KEYS_READ)
def check_credentials(
    work: Work, *, is_applied: IsApplied, is_gone: IsGone, public_host: str, public_of: PublicOf
) -> list[str]:
    """Return what is wrong with key pairs of inbounds and with links of the caller's keys; nothing when all is well.

    A pair is right when its public half belongs to its private one; a link, when it reads back as its key and its
    inbound say.
    """
    shown = own_ports(work, is_applied=is_applied, is_gone=is_gone).ports
    tags = {port.tag for port in shown}
    # Thousands of inbounds have one pair.
    derived = cache(public_of)
    problems = [
        f"the public key of inbound {inbound.tag} does not belong to its private key"
        for inbound in inbound_store.all_of(work.connection)
        if (inbound.tag in tags or not is_live(inbound.tag))
        and derived(work.keys.open(inbound.sealed_private_key, inbound.place)) != inbound.public_key
    ]
    return [*problems, *(problem for port in shown for problem in link_problems(port, public_host))]


def link_problems(port: OwnPort, public_host: str) -> list[str]:
    """Return what a key's link says otherwise than its inbound."""
    key = port.key
    profile = ClientProfile(
        host=public_host,
        port=port.port,
        uuid=key.uuid,
        flow=key.flow,
        public_key=port.public_key,
        short_id=key.short_id,
        server_name=key.server_name,
        name=key.name,
    )
    try:
        read = links.parse_link(links.vless_link(profile))
    except Invalid as error:
        return [f"the link of vpn key {key.number} cannot be read: {error.message}"]
    is_right = {
        "address": (read.host, read.port) == (profile.host, port.port),
        "UUID": read.uuid == key.uuid,
        "flow": read.flow == key.flow,
        "public key": read.public_key == port.public_key,
        "short id": read.short_id in port.short_ids,
        "server name": read.server_name in port.server_names,
    }
    return [f"the link of vpn key {key.number} has a wrong {part}" for part, is_so in is_right.items() if not is_so]


def compare(before: Overview, held: Held, after: Overview) -> Comparison:
    """Compare the engine with overviews from before and after it was observed, so that no change meanwhile differs."""
    former = before.wanted
    wanted = {label: port for label, port in after.wanted.items() if label in former}
    places = [
        (tag, user)
        for tag, users in held.items()
        if is_live(tag)
        for label, user in users.items()
        if not label.startswith(OWN_LABEL_PREFIX)
    ]
    right = {user.label for _, user in places if user.label in wanted and user.uuid == wanted[user.label].key.uuid}
    at_home = {user.label for tag, user in places if user.label in right and tag == wanted[user.label].tag}
    astray = right - at_home
    left = before.former | after.former
    extra = tuple(
        user.uuid for tag, user in places if (tag, user.label) not in left and _is_extra(user, wanted, (before, after))
    )
    return Comparison(
        wanted=tuple(wanted.values()),
        held=(*(port.key.uuid for label, port in wanted.items() if label in right), *extra),
        missing=tuple(port for label, port in wanted.items() if label not in right),
        extra=extra,
        misplaced=tuple(port for label, port in wanted.items() if label in astray),
        inbounds=tuple(_open_inbounds(after.ports, places)),
    )


def port_problems(overview: Overview, comparison: Comparison, allowed: range) -> list[str]:
    """Return what is wrong with the ports of keys: outside the range, used twice, or not open in the engine."""
    first = {port.port: at for at, port in reversed(tuple(enumerate(overview.ports)))}
    outside = [f"{_named(port)} is outside the range" for port in overview.ports if port.port not in allowed]
    twice = [f"{_named(port)} is used twice" for at, port in enumerate(overview.ports) if first[port.port] != at]
    closed = [f"{_named(port)} is not open in Xray" for port in (*comparison.missing, *comparison.misplaced)]
    return [*outside, *twice, *closed]


def _named(port: OwnPort) -> str:
    return f"port {port.port} of key {port.key.public_id}"


def _is_extra(user: XrayUser, wanted: Mapping[str, OwnPort], overviews: tuple[Overview, Overview]) -> bool:
    if user.label in wanted:
        return user.uuid != wanted[user.label].key.uuid
    number = number_of(user.label)
    if any(user.label in seen.wanted or number in seen.hidden for seen in overviews):
        return False
    is_own = any(number in seen.numbers for seen in overviews)
    return is_own or all(seen.sees_strangers for seen in overviews)


def _open_inbounds(ports: Sequence[OwnPort], places: Sequence[tuple[str, XrayUser]]) -> list[OpenInbound]:
    uuids: dict[str, list[str]] = {}
    for tag, user in places:
        uuids.setdefault(tag, []).append(user.uuid)
    return [OpenInbound(port, tuple(uuids[port.tag])) for port in ports if port.tag in uuids]


def _is_out(port: OwnPort, is_gone: IsGone) -> bool:
    """Tell whether a key has been removed, and only the database does not say so yet."""
    return port.key.state is KeyState.REMOVING and is_gone(port.key.label)


def _is_owned(principal: Principal, port: OwnPort) -> bool:
    return port.key.account_id == principal.account_id and is_allowed(principal, port.key)
