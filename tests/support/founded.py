"""What a first start makes, without one: for whoever needs an instance that was started once and does not serve."""

import asyncio
from collections.abc import Mapping

from keystead import founding, settings
from keystead.access import datakeys
from keystead.cli.running import FIRST_TOKEN_FILE
from keystead.db import migrate
from keystead.db.session import open_database
from keystead.kit.clock import SystemClock
from keystead.kit.files import private_directory, write_private
from keystead.kit.ids import RandomIds
from keystead.main import SCOPE
from keystead.settings import Settings, environment_name


def found(chosen: Settings) -> None:
    """Make schema, keys, account, shared inbound and first token of an instance."""
    private_directory(chosen.data_dir)
    migrate.upgrade(chosen.sqlalchemy_url)
    asyncio.run(_found(chosen))


def settings_of(environment: Mapping[str, str]) -> Settings:
    """Return the settings that an environment names."""
    named = {field: environment_name(field) for field in Settings.model_fields}
    return settings.load(**{field: environment[name] for field, name in named.items() if name in environment})


async def found_by(environment: Mapping[str, str]) -> Settings:
    """Do the same for the settings of an environment, beside a running event loop; return these settings."""
    chosen = settings_of(environment)
    await asyncio.to_thread(found, chosen)
    return chosen


async def _found(chosen: Settings) -> None:
    database, clock = open_database(chosen.sqlalchemy_url), SystemClock()
    root = founding.load_root(chosen)
    try:
        keys = await database.write(lambda connection: datakeys.open_keys(connection, root, clock.now()).ring)
        made = await founding.found(chosen, database, keys=keys, clock=clock, ids=RandomIds(), scope=SCOPE)
        if made.first_token is not None:
            write_private(chosen.data_dir / FIRST_TOKEN_FILE, made.first_token.reveal().encode())
    finally:
        database.close()
