"""What ends up in links is chosen once: public host, port, key pair, short id and names; a start that cannot honour it
fails and says so.

Called by the composition root at start, before anything is served.
"""

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from keystead.access import facts
from keystead.access.work import Work
from keystead.engines.xray.state import VISION
from keystead.kit.errors import Misconfigured
from keystead.kit.secret import Secret
from keystead.vpn.inbound import Inbound
from keystead.vpn.placement import Placement
from keystead.vpn.store import inbounds as inbound_store

SHARED_TAG = "shared"
PUBLIC_HOST = "vpn.public_host"


@dataclass(frozen=True)
class Wish:
    """What the settings say about the shared inbound; None is "whatever was chosen, or a default"."""

    listen: str
    port: int | None
    default_port: int
    target: str | None
    server_names: tuple[str, ...]
    short_id: str
    is_short_id_default: bool


@dataclass(frozen=True)
class KeyPair:
    """An X25519 pair in REALITY's form: unpadded URL-safe base64."""

    private_key: Secret[str]
    public_key: str


def settle_public_host(work: Work, wished: str | None, default: str) -> str:
    """Return the host that links carry; raise Misconfigured when another one was chosen before."""
    chosen = str(facts.choose(work.connection, PUBLIC_HOST, wished or default, work.now))
    _require_host(wished, chosen)
    return chosen


def require_no_contradiction(connection: Connection, wished_host: str | None, wish: Wish) -> None:
    """Raise Misconfigured where a start with these settings would; choose nothing and change nothing."""
    chosen = facts.get(connection, PUBLIC_HOST)
    if chosen is not None:
        _require_host(wished_host, str(chosen))
    found = inbound_store.for_placement(connection, Placement.SHARED)
    if found is not None:
        _require_same(found, wish)


def check_shared_inbound(work: Work, wish: Wish) -> Inbound | None:
    """Return the shared inbound as the settings may have it, or None before there is one.

    The address it listens on and its target may change, since no link carries them. Raises Misconfigured for a
    setting that contradicts links already handed out.
    """
    found = inbound_store.for_placement(work.connection, Placement.SHARED)
    if found is None:
        return None
    _require_same(found, wish)
    target = wish.target or found.target
    if (target, wish.listen) != (found.target, found.listen):
        inbound_store.move(work.connection, found, target=target, listen=wish.listen)
        work.audit("vpn.inbound.move", f"vpn inbound {found.tag}", target=target, listen=wish.listen)
        return inbound_store.find(work.connection, found.id)
    return found


def found_shared_inbound(
    work: Work, scope: str, wish: Wish, target: str, names: tuple[str, ...], pair: KeyPair
) -> Inbound:
    """Make the shared inbound, once, with a target that was examined or that the operator named."""
    made = Inbound(
        id=0,
        scope=scope,
        tag=SHARED_TAG,
        placement=Placement.SHARED,
        listen=wish.listen,
        port=wish.port or wish.default_port,
        sealed_private_key="",
        public_key=pair.public_key,
        target=target,
        server_names=names,
        short_ids=(wish.short_id,),
        flow=VISION,
    )
    made = replace(made, id=inbound_store.add(work.connection, made, work.now))
    inbound_store.set_private_key(work.connection, made.id, work.keys.seal(pair.private_key, made.place))
    work.audit("vpn.inbound.create", f"vpn inbound {SHARED_TAG}", port=made.port, target=target, names=list(names))
    return inbound_store.find(work.connection, made.id)


def _require_host(wished: str | None, chosen: str) -> None:
    if wished is not None and wished != chosen:
        raise Misconfigured(_conflict("KEYSTEAD_PUBLIC_HOST", wished, chosen))


def _require_same(found: Inbound, wish: Wish) -> None:
    names = wish.server_names or ((wish.target.rpartition(":")[0],) if wish.target else ())
    for setting, wanted, chosen in (
        ("KEYSTEAD_VPN_PORT", wish.port, found.port),
        ("KEYSTEAD_REALITY_SERVER_NAMES", names or None, found.server_names),
        ("REALITY_COMMON_SHORT_ID", None if wish.is_short_id_default else wish.short_id, found.short_ids[0]),
    ):
        if wanted is not None and wanted != chosen:
            raise Misconfigured(_conflict(setting, _shown(wanted), _shown(chosen)))


def _conflict(setting: str, wished: str, chosen: str) -> str:
    return (
        f"{setting} is {wished}, but links already handed out carry {chosen}; "
        f"set {setting}={chosen} (or unset it), or start with another data directory"
    )


def _shown(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
