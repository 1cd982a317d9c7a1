"""What a first start chooses and every later one honours: account, first token, public host, shared inbound, target.

Part of the composition root: it joins settings, access and vpn. The examination of the REALITY target is
``examining.py``, for which no start waits.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url

from keystead.access import accounts, datakeys, facts, principal, roles, tokens
from keystead.access.datakeys import OpenKeys, RootKey
from keystead.access.permissions import USUAL_VPN_PERMISSIONS
from keystead.access.work import Work
from keystead.db import migrate
from keystead.db.session import Database
from keystead.kit import machine, names
from keystead.kit.clock import Clock
from keystead.kit.crypto import KeyRing
from keystead.kit.errors import Misconfigured
from keystead.kit.ids import Ids
from keystead.kit.secret import Secret
from keystead.reconcile import store as scopes
from keystead.settings import Settings
from keystead.settings.vpn import DEFAULT_SHORT_ID
from keystead.vpn import clientrules
from keystead.vpn import founding as vpn_founding
from keystead.vpn.clientrules import ClientVersions
from keystead.vpn.founding import KeyPair, Wish
from keystead.vpn.inbound import Inbound
from keystead.vpn.placement import Placement
from keystead.vpn.store import inbounds

_FIRST_TOKEN = "access.first_token"  # noqa: S105 - the name of a fact
PORT = 443
_PORT_UNPRIVILEGED = 8443


@dataclass
class Foundation:
    """What is fixed for this instance; ``first_token`` is there at the very first start only."""

    account_id: int
    public_host: str
    inbound: Inbound | None
    first_token: Secret[str] | None


@dataclass(frozen=True)
class Ground:
    """What a start has opened and founded, on which the rest of an instance is wired."""

    settings: Settings
    foundation: Foundation
    database: Database
    keys: OpenKeys
    root: RootKey
    clock: Clock
    ids: Ids
    scope: str


async def found(
    settings: Settings, database: Database, *, keys: KeyRing, clock: Clock, ids: Ids, scope: str
) -> Foundation:
    """Choose at the first start, check at every other; raise Misconfigured for a setting that contradicts links."""

    def unit(connection: Connection) -> Foundation:
        scopes.register(connection, scope)
        account_id = accounts.ensure_default(connection, clock.now())
        work = Work(connection, principal.system(account_id), clock, ids, keys, "start")
        roles.ensure_built_in(work)
        secret = settings.api_secret_key
        tokens.ensure_environment(work, None if secret is None else Secret(secret.get_secret_value()))
        host = vpn_founding.settle_public_host(work, settings.public_host, machine.own_address())
        inbound = vpn_founding.check_shared_inbound(work, _wish(settings))
        if inbound is None and settings.reality_target is not None:
            inbound = found_inbound(work, scope, settings, settings.reality_target, _wished_names(settings))
        if inbound is not None:
            _require_no_door(settings, inbound)
        settle = clientrules.settle if settings.xray_api is None else clientrules.adopt
        settle(connection, scope, ClientVersions(settings.vpn_client_versions), clock.now())
        return Foundation(account_id, host, inbound, _first_token(work))

    return await database.write(unit)


def found_inbound(work: Work, scope: str, settings: Settings, chosen: str, server_names: tuple[str, ...]) -> Inbound:
    """Make the shared inbound for a target that was chosen, with a key pair of its own."""
    from keystead.engines.xray import keys as xray_keys

    pair = xray_keys.generate()
    own_pair = KeyPair(pair.private_key, pair.public_key)
    return vpn_founding.found_shared_inbound(work, scope, _wish(settings), chosen, server_names, own_pair)


def require_no_contradiction(settings: Settings, connection: Connection) -> None:
    """Raise Misconfigured for settings that contradict what was chosen, as a start would; change nothing."""
    vpn_founding.require_no_contradiction(connection, settings.public_host, _wish(settings))


def shared_inbound(connection: Connection) -> Inbound | None:
    """Return the shared inbound that was chosen, if one was."""
    return inbounds.for_placement(connection, Placement.SHARED)


def sqlite_file(settings: Settings) -> Path | None:
    """Return the file of the database, None where it is PostgreSQL."""
    url = make_url(settings.sqlalchemy_url)
    if url.get_backend_name() != "sqlite":
        return None
    return Path(url.database or settings.data_dir / "keystead.db").absolute()


def has_schema(settings: Settings) -> bool:
    """Tell whether a database is there and has tables; make none."""
    file = sqlite_file(settings)
    if file is not None and not file.exists():
        return False
    engine = create_engine(settings.sqlalchemy_url)
    try:
        with engine.connect() as connection:
            return migrate.current_revision(connection) is not None
    finally:
        engine.dispose()


def load_root(settings: Settings) -> RootKey:
    """Return the root key that the settings name, or the file's."""
    current, previous = settings.root_key, settings.root_key_previous
    return datakeys.load_root_key(
        settings.data_dir,
        None if current is None else Secret(current.get_secret_value()),
        previous=None if previous is None else Secret(previous.get_secret_value()),
    )


def _require_no_door(settings: Settings, inbound: Inbound) -> None:
    """Raise Misconfigured when a door listens where links lead to; the port was chosen by an earlier start."""
    try:
        settings.require_no_door(inbound.listen, inbound.port)
    except ValueError as error:
        raise Misconfigured(str(error)) from None


def _first_token(work: Work) -> Secret[str] | None:
    """Make the token that the first start shows, once."""
    if facts.get(work.connection, _FIRST_TOKEN) is not None:
        return None
    made = tokens.create(work, name="first token", permissions=USUAL_VPN_PERMISSIONS)
    facts.choose(work.connection, _FIRST_TOKEN, made.token.id, work.now)
    return made.secret


def _wish(settings: Settings) -> Wish:
    return Wish(
        listen=settings.vpn_host,
        port=settings.vpn_port,
        default_port=PORT if machine.may_listen(settings.vpn_host, PORT) else _PORT_UNPRIVILEGED,
        target=settings.reality_target,
        server_names=settings.reality_server_names,
        short_id=settings.reality_common_short_id,
        is_short_id_default=settings.reality_common_short_id == DEFAULT_SHORT_ID,
    )


def _wished_names(settings: Settings) -> tuple[str, ...]:
    host, _ = names.host_port(settings.reality_target or "")
    return settings.reality_server_names or (host,)
