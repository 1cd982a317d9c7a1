"""Running what is measured: Keystead with any number of keys, with its real core or an idle one, and bare servers."""

import asyncio
import os
import shutil
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import RowMapping, insert, select
from tests.support import xray
from tests.support.keystead import World, world

from bench.load import PROJECT
from bench.wire import Refused, Wire
from keystead.db.session import sqlite_engine
from keystead.engines.xray.state import masked
from keystead.keeper.ports import free_loopback_port
from keystead.vpn.keyvalue import KeyState, label_of
from keystead.vpn.models import INBOUNDS, KEYS, TRAFFIC

START_S = 60.0


@dataclass
class Instance:
    """A Keystead that can be started again and again over the same data."""

    world: World
    directory: Path
    environment: dict[str, str]
    module: str
    process: asyncio.subprocess.Process | None = None

    @property
    def port(self) -> int:
        """Return the port of the API."""
        return int(self.environment["KEYSTEAD_PORT"])

    @property
    def vpn_port(self) -> int:
        """Return the port of the VPN."""
        return int(self.environment["KEYSTEAD_VPN_PORT"])

    @property
    def data_dir(self) -> Path:
        """Return the data directory."""
        return self.directory / "data"

    @property
    def engine_socket(self) -> Path:
        """Return the socket of the core's API."""
        return self.data_dir / "run" / "xray.sock"

    @property
    def token(self) -> str:
        """Return the first token."""
        return (self.data_dir / "first-token").read_text().strip()

    def wire(self) -> Wire:
        """Return a connection that presents the first token."""
        return Wire(self.port, self.token)

    async def launch(self) -> None:
        """Start the process and return at once."""
        arguments = ("serve", "--foreground") if self.module == "keystead" else ()
        self.process = await launched(self.module, *arguments, environment=self.environment, log=self._log_path)

    async def start(self) -> None:
        """Start the process and wait until it says that a client would be served."""
        await self.launch()
        async with asyncio.timeout(START_S):
            while not await asyncio.to_thread(self._is_ready):
                assert self.process is not None
                assert self.process.returncode is None, self._log_path.read_text()
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """End the process as an operator would."""
        await ended(self.process)

    def core(self) -> psutil.Process:
        """Return the running core."""
        assert self.process is not None
        return next(child for child in psutil.Process(self.process.pid).children(True) if "xray" in child.name())

    def _is_ready(self) -> bool:
        with suppress(OSError, Refused), Wire(self.port) as wire:
            return bool(wire.ask_json("GET", "/health")["status"] == "ok")
        return False

    @property
    def _log_path(self) -> Path:
        return self.directory / "keystead.log"


@asynccontextmanager
async def instance(directory: Path, keys: int, *, module: str = "keystead", **settings: str) -> AsyncIterator[Instance]:
    """Run an instance that holds this many keys; the target's certificate is not trusted, so nothing is examined."""
    directory.mkdir(parents=True)
    async with world(directory) as outside:
        made = Instance(outside, directory, _environment(directory, outside) | settings, module)
        try:
            await made.start()
            if keys:
                await made.stop()
                await asyncio.to_thread(seed, made.data_dir / "keystead.db", keys)
                await made.start()
            yield made
        finally:
            await made.stop()


def seed(database: Path, count: int) -> None:
    """Put live keys into the database of an instance that does not run."""
    engine = sqlite_engine(f"sqlite:///{database}", synchronous="OFF")
    now = datetime.now(UTC)
    with engine.connect() as connection:
        inbound = connection.execute(select(INBOUNDS)).mappings().first()
        assert inbound is not None
        connection.exec_driver_sql("BEGIN")
        connection.execute(insert(KEYS), [_row(number, inbound, now) for number in range(1, count + 1)])
        connection.execute(insert(TRAFFIC), [_traffic(number, now) for number in range(1, count + 1)])
        connection.exec_driver_sql("COMMIT")
    engine.dispose()


def _row(number: int, inbound: RowMapping, now: datetime) -> dict[str, object]:
    vless_uuid = str(uuid.uuid4())
    return {
        "number": number,
        "public_id": str(uuid.uuid4()),
        "account_id": 1,
        "inbound_id": inbound["id"],
        "issued_by": None,
        "name": f"customer {number}",
        "uuid": vless_uuid,
        "masked_uuid": masked(vless_uuid),
        "label": label_of(number, 1),
        "flow": inbound["flow"],
        "short_id": inbound["short_ids"][0],
        "server_name": inbound["server_names"][0],
        "is_active": True,
        "state": KeyState.LIVE.value,
        "created_at": now,
    }


def _traffic(number: int, now: datetime) -> dict[str, object]:
    counts = ("uplink", "downlink", "forgiven_uplink", "forgiven_downlink", "read_uplink", "read_downlink")
    zero = dict.fromkeys(counts, 0)
    return {"label": label_of(number, 1), "key_number": number, "process": "", **zero, "changed_at": now}


def _environment(directory: Path, outside: World) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "KEYSTEAD_CACHE_DIR") if name in os.environ}
    return inherited | {
        "PYTHONPATH": f"{PROJECT / 'src'}:{PROJECT}",
        "KEYSTEAD_DATA_DIR": str(directory / "data"),
        "KEYSTEAD_PORT": str(free_loopback_port()),
        "KEYSTEAD_PUBLIC_HOST": "127.0.0.1",
        "KEYSTEAD_VPN_HOST": "127.0.0.1",
        "KEYSTEAD_VPN_PORT": str(free_loopback_port()),
        "KEYSTEAD_VPN_ALLOW_PRIVATE": "127.0.0.0/8",
        "KEYSTEAD_REALITY_TARGET": f"127.0.0.1:{outside.target_port}",
        "KEYSTEAD_REALITY_SERVER_NAMES": xray.SERVER_NAME,
    }


@asynccontextmanager
async def bare_framework(directory: Path) -> AsyncIterator[int]:
    """Run the bare framework; yield its port."""
    port = free_loopback_port()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{PROJECT / 'src'}:{PROJECT}"}
    process = await launched("bench.hello", str(port), environment=environment, log=directory / "hello.log")
    try:
        await xray.until_listening(port)
        yield port
    finally:
        await ended(process)


async def launched(
    module: str, *arguments: str, environment: Mapping[str, str], log: Path
) -> asyncio.subprocess.Process:
    """Start a Python module that ends with us."""
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *(shutil.which("setpriv") or "setpriv", "--pdeathsig", "TERM", "--"),
            *(sys.executable, "-m", module, *arguments),
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=log.parent,
        )


async def ended(process: asyncio.subprocess.Process | None) -> None:
    """End a process and wait for it."""
    if process is not None and process.returncode is None:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def instances(directory: Path, sizes: tuple[int, ...], **options: Any) -> AsyncIterator[dict[int, Instance]]:
    """Run one instance for each number of keys."""
    async with AsyncExitStack() as stack:
        yield {
            size: await stack.enter_async_context(instance(directory / str(size), size, **options)) for size in sizes
        }
