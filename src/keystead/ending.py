"""End the engines of an instance that does not serve: before a machine is shut down, or packages are removed.

Used by ``keystead engine stop``; part of the composition root. It speaks to the keepers itself, whichever version of
Keystead started them: ``hello`` and ``end`` are the same in all. What the processes counted is booked first.
"""

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from keystead.db import migrate
from keystead.db.session import Database, open_database
from keystead.engines.xray.handover import COUNTED_WITHIN_S
from keystead.engines.xray.launching import started_with
from keystead.engines.xray.reading import read
from keystead.keeper import protocol
from keystead.keeper.link import ANSWER_S, KeeperLink, KeeperPlace
from keystead.kit.clock import Clock, SystemClock
from keystead.kit.errors import KeysteadError, Misconfigured
from keystead.kit.files import exclusive_lock, noted_directory
from keystead.kit.log import get_logger
from keystead.kit.waiting import within
from keystead.settings import Settings
from keystead.vpn import booking

log = get_logger()

_CALL_S = 2.0


@dataclass(frozen=True)
class Ended:
    """A keeper that was ended, and how many processes and connections with it; None where it did not say."""

    pid: int
    cores: int
    connections: int | None
    is_booked: bool


def end_all(settings: Settings, scope: str) -> list[Ended]:
    """End every keeper of an instance and return them; raise Misconfigured while Keystead serves."""
    if not settings.data_dir.is_dir():
        raise Misconfigured(f"{settings.data_dir} holds no instance; name it with KEYSTEAD_DATA_DIR")
    try:
        with exclusive_lock(settings.data_dir / "keystead.lock", held_by="Keystead"):
            return asyncio.run(_end_all(settings, scope))
    except Misconfigured as error:
        if "in use" not in error.message:
            raise
        raise Misconfigured(
            f"Keystead serves on {settings.data_dir} and would start the engine again; stop it first "
            "(systemctl stop keystead, or Ctrl-C where it runs), then: keystead engine stop"
        ) from error


async def _end_all(settings: Settings, scope: str) -> list[Ended]:
    first = noted_directory(settings.data_dir / "run") / protocol.SOCKET_NAME
    clock, ended = SystemClock(), []
    for path in protocol.sockets(first):
        place = KeeperPlace(path, settings.data_dir / "xray.log", settings.data_dir / "keeper.log", is_attached=False)
        link = KeeperLink(place, clock=clock)
        if await link.join():
            is_booked = await _booked(settings, scope, link, clock)
            await _end(link, clock)
            cores = link.hello["cores"]
            counts = [core.get("connections") for core in cores]
            ended.append(Ended(link.hello["pid"], len(cores), None if None in counts else sum(counts), is_booked))
    return ended


async def _end(link: KeeperLink, clock: Clock) -> None:
    try:
        await link.ask("end")
    except KeysteadError:
        with suppress(ProcessLookupError):
            os.kill(link.hello["pid"], signal.SIGTERM)
    if not await within(clock, ANSWER_S, link.when_closed()):
        raise Misconfigured(f"the keeper (pid {link.hello['pid']}) does not end; look at what it waits for, or kill it")
    await link.close()


async def _booked(settings: Settings, scope: str, link: KeeperLink, clock: Clock) -> bool:
    """Book what processes have counted since Keystead was stopped; a database that is away does not keep the engine."""
    if link.hello["version"] not in protocol.UNDERSTOOD:
        return False
    try:
        database = open_database(settings.sqlalchemy_url)
        try:
            if not migrate.engine_is_current(database.engine):
                return False
            return all([await _is_booked(database, scope, link, core, clock) for core in link.hello["cores"]])
        finally:
            database.close()
    except (KeysteadError, SQLAlchemyError) as error:
        log.warning("the last counters are not booked", reason=str(error).splitlines()[0])
        return False


async def _is_booked(database: Database, scope: str, link: KeeperLink, core: dict[str, Any], clock: Clock) -> bool:
    """Book one process and tell whether that was possible; one that ends at this moment costs no other its figures."""
    try:
        await _book(database, scope, link, core, clock)
    except (KeysteadError, SQLAlchemyError) as error:
        log.warning(
            "the last counters of a process are not booked",
            process=core["process"],
            reason=str(error).splitlines()[0],
        )
        return False
    return True


async def _book(database: Database, scope: str, link: KeeperLink, core: dict[str, Any], clock: Clock) -> None:
    from keystead.engines.xray.client import XrayClient

    started = started_with(core["memo"])
    if started is None or core["pid"] is None:
        return
    # What goes through the kernel alone is counted when the connection ends.
    if await link.ask("cut", process=core["process"]):
        await clock.sleep(COUNTED_WITHIN_S)
    client = XrayClient.on_socket(started.socket, timeout_s=_CALL_S)
    try:
        reading = await read(client, core["process"])
    finally:
        await client.close()

    def unit(connection: Connection) -> int:
        return booking.book_all(connection, scope, reading, clock.now())

    await database.write(unit)
