"""A Keystead to disturb: its processes as they come and go, its disk, and the world of its customers."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from sqlalchemy import create_engine

from keystead.access import datakeys
from keystead.engines.xray.state import OWN_LABEL_PREFIX
from keystead.keeper import protocol
from keystead.kit.clock import SystemClock
from keystead.kit.files import noted_directory
from keystead.kit.ids import RandomIds
from keystead.main import SCOPE
from keystead.vpn.desired import XraySource
from tests.chaos.ledger import Ledger
from tests.support.keystead import Keystead, keystead

# Addresses nobody else uses, so that a log that holds one of them has it from a customer's connection.
CUSTOMER, DESTINATION = "127.77.7.7", "127.88.8.8"
DISK_BYTES = 48 << 20
STEPPED = Path(__file__).parents[1] / "support" / "stepped"
_CHUNK = bytes(16_384)
_BACK_WITHIN_S = 30.0
_NOTED_EVERY_S = 0.15


@dataclass
class Stage:
    """One instance, and what is known of it from outside.

    Whoever ends Keystead holds ``taking_down`` until it is back. ``seen`` are the keepers and cores of this instance
    that ever lived, by process id, with when they were started.
    """

    instance: Keystead
    ledger: Ledger
    origin: tuple[str, int]
    has_small_disk: bool
    clock: Path
    seen: dict[int, int] = field(default_factory=dict)
    taking_down: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def run_dir(self) -> Path:
        """Return where the sockets stand."""
        return noted_directory(self.instance.data_dir / "run")

    def operator(self) -> httpx2.AsyncClient:
        """Return a client that speaks over the local socket, with a short patience."""
        transport = httpx2.AsyncHTTPTransport(uds=str(self.run_dir / "control.sock"))
        return httpx2.AsyncClient(transport=transport, base_url="http://keystead", timeout=5.0)

    # --- processes ---

    def keystead_pid(self) -> int | None:
        """Return the process id of Keystead while it runs."""
        process = self.instance.process
        return process.pid if process is not None and process.returncode is None else None

    def keepers(self) -> list[int]:
        """Return every keeper of this instance that lives."""
        return [pid for pid, line in _living() if "keystead.keeper" in line and str(self.run_dir) in line]

    def cores(self) -> list[int]:
        """Return every core of this instance that lives: the children of its keepers, and what is left of others."""
        found = {child for keeper in self.keepers() for child in _children(keeper)}
        lost = {pid for pid, begun in self.seen.items() if _begun(pid) == begun}
        return sorted((found | lost).difference(self.keepers()))

    def note_processes(self) -> None:
        """Remember who lives, to know later who should not any more."""
        for pid in [*self.keepers(), *self.cores()]:
            if (begun := _begun(pid)) is not None:
                self.seen[pid] = begun

    def leftovers(self) -> list[str]:
        """Return who was ever seen and still lives."""
        return [f"{pid} {_command(pid)}" for pid, begun in self.seen.items() if _begun(pid) == begun]

    async def bring_back(self) -> None:
        """Start Keystead again as a service manager would: until it runs."""
        end_s = time.monotonic() + _BACK_WITHIN_S
        while True:
            try:
                await self.instance.start()
            except (AssertionError, TimeoutError, OSError):
                self.ledger.count("starts that failed")
                await self.instance.stop(signal.SIGKILL)
                if time.monotonic() > end_s:
                    raise
                await asyncio.sleep(0.3)
            else:
                return

    async def keep_noting(self) -> None:
        """Note who lives, and start Keystead again should it end of itself, until cancelled."""
        while True:
            self.note_processes()
            process = self.instance.process
            if not self.taking_down.locked() and process is not None and process.returncode is not None:
                self.ledger.require(False, f"Keystead ended of itself with {process.returncode}")
                async with self.taking_down:
                    await self.bring_back()
            await asyncio.sleep(_NOTED_EVERY_S)

    # --- what is known inside ---

    def connected_labels(self) -> set[str]:
        """Return the labels that have open connections by the keeper's word, Keystead's own left out."""
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(5)
            wire.connect(str(self.run_dir / protocol.SOCKET_NAME))
            wire.sendall(protocol.frame({"id": 1, "verb": "connections", "labels": None}))
            with wire.makefile("rb") as answers:
                while "answer" not in (said := json.loads(answers.read(int.from_bytes(answers.read(4), "big")))):
                    continue
        labels = {row[2] for row in said["answer"] if row[2] is not None}
        return {label for label in labels if not label.startswith(OWN_LABEL_PREFIX)}

    def private_keys(self) -> list[str]:
        """Return the private keys of the core's configuration, opened as Keystead opens them."""
        engine, clock = create_engine(self.instance.database_url), SystemClock()
        try:
            root = datakeys.load_root_key(self.instance.data_dir, None)
            with engine.connect() as connection:
                keys = datakeys.open_keys(connection, root, clock.now())
                source = XraySource(SCOPE, keys=keys.ring, clock=clock, ids=RandomIds())
                return [inbound.private_key.reveal() for inbound in source.desired(connection).inbounds]
        finally:
            engine.dispose()


@asynccontextmanager
async def opened(directory: Path, *, is_detached: bool, has_own_disk: bool = True) -> AsyncIterator[Stage]:
    """Run an instance on a small disk of its own, where that may be mounted, with a clock that can be stepped."""
    clock = directory / "clock"
    clock.write_text("0")
    data = directory / "data"
    settings = {
        "KEYSTEAD_DATA_DIR": str(data),
        "PYTHONPATH": os.pathsep.join([str(STEPPED), os.environ.get("PYTHONPATH", "")]),
        "CHAOS_CLOCK": str(clock),
    }
    async with AsyncExitStack() as stack:
        has_small_disk = has_own_disk and stack.enter_context(_small_disk(data))
        server = await asyncio.start_server(_serve, DESTINATION, 0)
        stack.callback(server.close)
        instance = await stack.enter_async_context(keystead(directory, is_detached=is_detached, **settings))
        origin = (DESTINATION, server.sockets[0].getsockname()[1])
        stage = Stage(instance, Ledger(), origin, has_small_disk, clock)
        noting = asyncio.create_task(stage.keep_noting())
        stack.push_async_callback(_cancelled, noting)
        yield stage


@contextmanager
def _small_disk(directory: Path) -> Iterator[bool]:
    """Mount a small file system there; tell whether that was allowed."""
    directory.mkdir(mode=0o700)
    options = f"size={DISK_BYTES},mode=0700"
    asked = ["mount", "-t", "tmpfs", "-o", options, "keystead-chaos", str(directory)]
    is_mounted = os.geteuid() == 0 and subprocess.run(asked, check=False, capture_output=True).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(directory)], check=False, capture_output=True)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer ``GET /<n>`` with n bytes, and ``GET /drip`` slowly and without end."""
    with suppress(OSError, EOFError, asyncio.CancelledError):
        what = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].lstrip(b"/")
        if what != b"drip":
            size = int(what)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
            await writer.drain()
            await reader.read()
        else:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(_CHUNK)
                await writer.drain()
                await asyncio.sleep(0.1)
    writer.transport.abort()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _living() -> Iterator[tuple[int, str]]:
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (line := _command(int(entry))):
            yield int(entry), line


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _begun(pid: int) -> int | None:
    """Return when a process was started, in ticks of the kernel; None when it is gone or a zombie."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[19]) if fields[0] != "Z" else None
    return None


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        told = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")]
        return [child for child in map(int, " ".join(told).split()) if _begun(child) is not None]
    return []
