"""The part of a start that needs the database: what the core's configuration is made of.

Part of the composition root (called by ``main.py`` only, which imports it while the keeper starts).
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from keystead import founding
from keystead.access import datakeys, idempotency
from keystead.access.datakeys import OpenKeys, RootKey
from keystead.db import migrate
from keystead.db.session import Database, open_database
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.driver import ManagedXray
from keystead.engines.xray.options import XrayOptions
from keystead.engines.xray.state import Reading, XrayDesired, XraySettings
from keystead.founding import Ground
from keystead.keeper.keepers import Keepers
from keystead.kit.clock import Clock, SystemClock
from keystead.kit.errors import Misconfigured
from keystead.kit.ids import RandomIds
from keystead.settings import Settings
from keystead.vpn.clientrules import ClientVersions
from keystead.vpn.desired import XraySource

if TYPE_CHECKING:
    from keystead.wiring import Instance, Xray

ENGINE_SOCKET = "xray.sock"


def database_of(settings: Settings) -> Database:
    """Bring the schema up to date and open the database; raise Misconfigured when it is out of reach."""
    migrate.upgrade(settings.sqlalchemy_url)
    return open_database(settings.sqlalchemy_url, synchronous=settings.database_synchronous)


async def ground(settings: Settings, database: Database, scope: str) -> Ground:
    """Open the data keys and found the instance, or check that it was founded so; raise Misconfigured."""
    clock, ids = SystemClock(), RandomIds()
    root = founding.load_root(settings)
    keys = await database.write(lambda connection: datakeys.open_keys(connection, root, clock.now()))
    if keys.is_rotation_unfinished:
        await _finish_rotation(database, root, keys, clock)
    await database.write(idempotency.abandon_running)
    foundation = await founding.found(settings, database, keys=keys.ring, clock=clock, ids=ids, scope=scope)
    return Ground(settings, foundation, database, keys, clock, ids, scope)


class Builder:
    """Make what an instance is wired of, from what its start has opened."""

    def __init__(self, ground: Ground, find: Callable[[], Binary]) -> None:
        settings = ground.settings
        self._find = find
        self._ground = ground
        self._settings = settings
        self._database = ground.database
        self._clock = ground.clock
        self._xray_settings = XraySettings(settings.vpn_allow_private, is_mail_open=settings.vpn_allow_smtp)
        self._source = XraySource(
            ground.scope,
            keys=ground.keys.ring,
            clock=ground.clock,
            ids=ground.ids,
            versions=ClientVersions(settings.vpn_client_versions),
        )

    def build(self, driver: "Xray", run_dir: Path) -> "Instance":
        from keystead import wiring

        return wiring.wire(
            self._ground, driver, source=self._source, xray_settings=self._xray_settings, run_dir=run_dir
        )

    def driver(self, program: Binary, run_dir: Path, keeper: Keepers) -> "Xray":
        settings = self._settings
        if settings.xray_api is not None and settings.xray_config is not None:
            from keystead.engines.xray.external import ExternalOptions, ExternalXray

            external = ExternalOptions(settings.xray_api, settings.xray_config, settings=self._xray_settings)
            return ExternalXray(program, external, load=self._load_one, clock=self._clock, known=self._known_processes)
        options = XrayOptions(
            socket=run_dir / ENGINE_SOCKET,
            keeper=keeper,
            settings=self._xray_settings,
            environment=_engine_environment(settings),
        )
        return ManagedXray(
            program,
            options,
            load=self._load,
            clock=self._clock,
            ids=self._ground.ids,
            find=self._find,
            on_final_reading=self._book_final,
        )

    async def _load(self) -> XrayDesired:
        return await self._database.read(self._source.desired)

    async def _load_one(self) -> XrayDesired:
        """Return what is desired of a core that somebody else runs, who could not place one inbound behind another."""
        desired = await self._load()
        if desired.behind:
            raise Misconfigured(
                "two key pairs are served, which takes an Xray that Keystead runs; unset KEYSTEAD_XRAY_API and wait "
                "until the second is retired, or retire it now: keystead vpn pair retire"
            )
        return desired

    async def _known_processes(self) -> set[str]:
        from keystead.vpn import traffic

        return await self._database.read(traffic.processes)

    async def _book_final(self, reading: Reading) -> None:
        from keystead.vpn import booking

        def unit(connection: Connection) -> int:
            return booking.book_all(connection, self._ground.scope, reading, self._clock.now())

        await self._database.write(unit)


async def _finish_rotation(database: Database, root: RootKey, keys: OpenKeys, clock: Clock) -> None:
    from keystead.access import rotation
    from keystead.sealing import SEALED_COLUMNS

    await rotation.rotate(database, root, keys.ring, SEALED_COLUMNS, clock=clock)


def _engine_environment(settings: Settings) -> dict[str, str]:
    trusted = settings.xray_trusted_certificates
    return {} if trusted is None else {"SSL_CERT_FILE": str(trusted)}
