"""What is done to an instance: kills, freezes, a full disk, a locked database, a silent API, clock steps.

Each takes the stage and how long it lasts, and leaves nothing of itself behind.
"""

import asyncio
import ctypes
import os
import resource
import shutil
import signal
import socket
import stat
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import create_engine, text

from keystead.opening import ENGINE_SOCKET
from tests.chaos.stage import Stage

_PIDFD_GETFD = 438
_ENDED_WITHIN_S = 15.0

Disturbance = Callable[[Stage, float], Awaitable[None]]


async def kill_core(stage: Stage, lasting_s: float) -> None:
    """Kill -9 the core."""
    _send(stage.cores(), signal.SIGKILL)
    await asyncio.sleep(lasting_s)


async def kill_keeper(stage: Stage, lasting_s: float) -> None:
    """Kill -9 the keeper, which takes its core along."""
    _send(stage.keepers(), signal.SIGKILL)
    await asyncio.sleep(lasting_s)


async def kill_keystead(stage: Stage, lasting_s: float) -> None:
    """Kill -9 Keystead and start it again a moment later."""
    await _without_keystead(stage, signal.SIGKILL, lasting_s)


async def stop_keystead(stage: Stage, lasting_s: float) -> None:
    """Stop Keystead as an operator would and start it again a moment later."""
    await _without_keystead(stage, signal.SIGTERM, lasting_s)


async def freeze_core(stage: Stage, lasting_s: float) -> None:
    """SIGSTOP the core for a while."""
    with _frozen(stage.cores()):
        await asyncio.sleep(lasting_s)


async def freeze_keeper(stage: Stage, lasting_s: float) -> None:
    """SIGSTOP the keeper for a while."""
    with _frozen(stage.keepers()):
        await asyncio.sleep(lasting_s)


async def freeze_keystead(stage: Stage, lasting_s: float) -> None:
    """SIGSTOP Keystead for a while."""
    pid = stage.keystead_pid()
    with _frozen([] if pid is None else [pid]):
        await asyncio.sleep(lasting_s)


async def fill_disk(stage: Stage, lasting_s: float) -> None:
    """Leave no byte on the data directory's disk.

    Where no disk of its own could be mounted, no file of Keystead's may grow (RLIMIT_FSIZE): SQLite then sees EFBIG
    in place of ENOSPC.
    """
    if stage.has_small_disk:
        ballast = stage.instance.data_dir / "ballast"
        try:
            for _ in range(3):  # what others freed meanwhile
                _fill(ballast)
                await asyncio.sleep(lasting_s / 3)
        finally:
            ballast.unlink(missing_ok=True)
    elif (pid := stage.keystead_pid()) is not None:
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, most))
        try:
            await asyncio.sleep(lasting_s)
        finally:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))


async def lock_database(stage: Stage, lasting_s: float) -> None:
    """Let another connection hold the database's write lock for a while."""
    engine = create_engine(stage.instance.database_url, connect_args=_impatient(stage))
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            is_sqlite = engine.dialect.name == "sqlite"
            for _ in range(50):
                with suppress(Exception):
                    connection.execute(text("BEGIN IMMEDIATE" if is_sqlite else "BEGIN"))
                    break
                await asyncio.sleep(0.05)
            else:
                return
            if not is_sqlite:
                connection.execute(text("LOCK TABLE vpn_keys IN EXCLUSIVE MODE"))
            await asyncio.sleep(lasting_s)
            connection.execute(text("ROLLBACK"))
    finally:
        engine.dispose()


async def silence_api(stage: Stage, lasting_s: float) -> None:
    """Let the core's API accept and never answer, while the core goes on serving.

    Its socket is moved aside, one that is never read takes its place, and the connections Keystead has are shut down
    through duplicates of their descriptors, so that it has to connect anew.
    """
    path, pid = stage.run_dir / ENGINE_SOCKET, stage.keystead_pid()
    aside = path.with_name("aside.sock")
    with suppress(FileNotFoundError):
        path.rename(aside)
    with closing(socket.socket(socket.AF_UNIX)) as mute:
        mute.bind(str(path))
        mute.listen(64)
        ours = path.stat().st_ino
        if pid is not None:
            _shut_down_connections(pid, str(path))
        await asyncio.sleep(lasting_s)
    # A core that was started meanwhile has a socket of its own there.
    with suppress(FileNotFoundError):
        if path.stat().st_ino == ours:
            path.unlink()
            aside.rename(path)
    aside.unlink(missing_ok=True)


async def step_clock(stage: Stage, lasting_s: float) -> None:
    """Put the wall clock on by two days, then back to a day before now, then right again."""
    for seconds in (172_800, -86_400, 0):
        stage.clock.write_text(str(seconds))
        await asyncio.sleep(lasting_s / 3)


DISTURBANCES: Mapping[str, Disturbance] = {
    "kill core": kill_core,
    "kill keeper": kill_keeper,
    "kill Keystead": kill_keystead,
    "stop Keystead": stop_keystead,
    "freeze core": freeze_core,
    "freeze keeper": freeze_keeper,
    "freeze Keystead": freeze_keystead,
    "fill disk": fill_disk,
    "lock database": lock_database,
    "silence API": silence_api,
    "step clock": step_clock,
}

# While these last the database takes no writes.
UNWRITABLE = frozenset({"fill disk", "lock database"})


async def _without_keystead(stage: Stage, number: signal.Signals, lasting_s: float) -> None:
    async with stage.taking_down:
        process = stage.instance.process
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(number)
            try:
                async with asyncio.timeout(_ENDED_WITHIN_S):
                    await process.wait()
            except TimeoutError:
                stage.ledger.require(False, f"Keystead did not end within {_ENDED_WITHIN_S} s of signal {number}")
                await stage.instance.stop(signal.SIGKILL)
        await asyncio.sleep(lasting_s)
        await stage.bring_back()


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@contextmanager
def _frozen(pids: list[int]) -> Iterator[None]:
    held = []
    for pid in pids:
        with suppress(ProcessLookupError):
            held.append(os.pidfd_open(pid))
    for descriptor in held:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGSTOP)
    try:
        yield
    finally:
        for descriptor in held:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGCONT)
            os.close(descriptor)


def _fill(path: Path) -> None:
    free = shutil.disk_usage(path.parent).free
    with path.open("ab") as file:
        size = file.tell()
        while free >= 4096:
            try:
                os.posix_fallocate(file.fileno(), size, free)
            except OSError:
                free //= 2
            else:
                return


def _impatient(stage: Stage) -> dict[str, float]:
    return {"timeout": 0.0} if stage.instance.database_url.startswith("sqlite") else {}


def _shut_down_connections(pid: int, path: str) -> None:
    """End every connection of another process to a Unix socket; the kernel lets us, for it is our child."""
    system_call = ctypes.CDLL(None, use_errno=True).syscall
    holder = os.pidfd_open(pid)
    try:
        for entry in os.listdir(f"/proc/{pid}/fd"):
            duplicate = system_call(_PIDFD_GETFD, holder, int(entry), 0)
            if duplicate < 0:
                continue
            try:
                if stat.S_ISSOCK(os.fstat(duplicate).st_mode):
                    _shut_down(duplicate, path)
            finally:
                os.close(duplicate)
    finally:
        os.close(holder)


def _shut_down(descriptor: int, path: str) -> None:
    connection = socket.socket(fileno=os.dup(descriptor))
    with connection, suppress(OSError):
        if connection.family == socket.AF_UNIX and connection.getpeername() == path:
            connection.shutdown(socket.SHUT_RDWR)
