"""The supervisor with small real programs and a clock that goes only when told to."""

import asyncio
import itertools
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from keystead.keeper.core import Core, State
from keystead.keeper.launch import OPENINGS, Launch, Opening
from keystead.keeper.logfile import LogFile
from keystead.keeper.output import Output
from keystead.keeper.ports import Listen, free_loopback_port, require_free
from keystead.kit.clock import SystemClock
from keystead.kit.errors import Misconfigured
from tests.support.clocks import ManualClock


def script(text: str, *listens: Listen) -> Launch:
    """Return the launch of a program made of shell."""
    return Launch(
        ("/bin/sh", "-c", text),
        environment={"GREETING": "hello"},
        texts=("from memory: ", "\n"),
        gaps=("names",),
        entries={"names": {"a": "anna"}},
        listens=listens,
        memo={"of": text},
    )


@asynccontextmanager
async def running(launch: Launch, path: Path, clock: SystemClock | ManualClock) -> AsyncIterator[Core]:
    names = (f"p-{number}" for number in itertools.count(1))
    output = Output(LogFile(path / "log"))
    core = Core(1, launch, output=output, clock=clock, name_process=lambda: next(names), on_change=lambda _: None)
    core.start()
    try:
        yield core
    finally:
        await core.stop()


def opening(port: int, text: str) -> Opening:
    return Opening("127.0.0.1", port, text)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_the_input_comes_from_memory_and_the_environment_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_SECRET_KEY", "secret of ours")
    async with running(script("cat; env; sleep 60"), tmp_path, SystemClock()) as core:
        await until(lambda: len(core.last_lines) >= 3)

        assert core.last_lines[0] == "from memory: anna"
        assert "GREETING=hello" in core.last_lines
        assert not [line for line in core.last_lines if "API_SECRET_KEY" in line]


async def test_restarts_wait_longer_each_time_up_to_half_a_minute(tmp_path: Path) -> None:
    clock, waits, troubles = ManualClock(), [], set()
    async with running(script("exit 3"), tmp_path, clock) as core:
        for _ in range(10):
            await core.when(State.BACKING_OFF)
            await until(clock.waits_s)
            waits.append(clock.waits_s()[0])
            troubles.add(core.trouble)
            clock.advance(waits[-1])
            await core.when_changed()

    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0, 10.0]
    assert troubles == {"ended with 3: it wrote nothing"}


async def test_a_long_life_makes_the_next_restart_quick_again(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running(script("exec sleep 1000"), tmp_path, clock) as core:
        for lived_s in (1, 1, 61):
            await core.when(State.RUNNING)
            clock.advance(lived_s)
            core.kill("by the test")
            await core.when(State.BACKING_OFF)
            await until(clock.waits_s)
            waits = clock.waits_s()
            clock.advance(waits[0])
            await core.when_changed()

    assert waits[0] == 0.2


async def test_a_start_has_the_entries_of_the_moment_it_is_spawned_in(tmp_path: Path) -> None:
    async with running(script("cat; exec sleep 1000"), tmp_path, SystemClock()) as core:
        await until(lambda: core.last_lines)
        first = core.process
        core.remember(
            [("names", "a", None), ("names", "b", "bert"), ("names", "c", "carl"), ("nowhere", "d", "dora")], {}
        )
        core.kill("by the test")
        await until(lambda: len(core.last_lines) > 1)

        assert core.last_lines == ("from memory: anna", "from memory: bert,carl")
        assert core.process != first


async def test_a_renewed_launch_is_for_the_next_process_and_hurries_one_that_is_put_off(tmp_path: Path) -> None:
    async with running(script("exit 1"), tmp_path, ManualClock()) as core:
        await core.when(State.BACKING_OFF)
        core.renew(script("exec sleep 1000"))
        await core.when(State.RUNNING)

        assert core.memo == {"of": "exec sleep 1000"}
        core.renew(script("exec sleep 2000"))
        assert core.memo == {"of": "exec sleep 1000"}


async def test_stop_ends_the_whole_group_even_a_stopped_one(tmp_path: Path) -> None:
    launch = script("sleep 1000 & trap '' TERM; echo $!; wait; sleep 1000")
    async with running(launch, tmp_path, SystemClock()) as core:
        await until(lambda: core.last_lines)
        inner = int(core.last_lines[0])
        os.kill(core.pid or 0, signal.SIGSTOP)

    await until(lambda: not _is_alive(inner))
    assert core.state is State.STOPPED
    assert core.pid is None


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_child_whose_keeper_is_killed_before_its_first_step_never_becomes_the_core(
    tmp_path: Path, is_killed: bool
) -> None:
    fifo, mark = tmp_path / "fifo", tmp_path / "mark"
    os.mkfifo(fifo)
    keeper = [sys.executable, "-m", "tests.support.orphaning", str(fifo), str(mark)]
    with subprocess.Popen(keeper, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        if is_killed:
            parent.kill()
            parent.wait()

        fifo.write_text("go on\n")
        ended, _, _ = select.select([child], [], [], 10)

    os.close(child)
    assert ended
    assert mark.exists() is not is_killed


async def test_nothing_is_left_when_stopped_while_backing_off(tmp_path: Path) -> None:
    async with running(script("exit 1"), tmp_path, ManualClock()) as core:
        await core.when(State.BACKING_OFF)

    assert core.state is State.STOPPED
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "keeper"]


@pytest.mark.parametrize(
    ("held", "asked"), [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1"), ("::1", "::")]
)
async def test_a_port_that_somebody_holds_is_refused_and_the_holder_named(
    tmp_path: Path, held: str, asked: str
) -> None:
    family = socket.AF_INET6 if ":" in held else socket.AF_INET
    with socket.socket(family) as foreign:
        foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        foreign.bind((held, 0))
        foreign.listen()
        launch = script("exec sleep 1000", Listen(asked, foreign.getsockname()[1]))
        async with running(launch, tmp_path, ManualClock()) as core:
            await core.when(State.BACKING_OFF)

            assert f"(pid {os.getpid()})" in core.trouble
            assert core.pid is None


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(Misconfigured, match="not an address of this machine"):
        require_free([Listen("192.0.2.1", free_loopback_port())])


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


async def test_a_start_has_the_listeners_of_the_moment_it_is_spawned_in(tmp_path: Path) -> None:
    launch = Launch(
        ("/bin/sh", "-c", "cat; exec sleep 1000"),
        texts=("[first", "]\n"),
        gaps=(OPENINGS,),
        openings={"a": opening(free_loopback_port(), "a"), "b": opening(free_loopback_port(), "b")},
    )
    async with running(launch, tmp_path, SystemClock()) as core:
        await until(lambda: core.last_lines)
        core.remember([], {"a": None, "c": opening(free_loopback_port(), "c")})
        core.kill("by the test")
        await until(lambda: len(core.last_lines) > 1)

        assert core.last_lines == ("[first,a,b]", "[first,b,c]")


async def test_a_listener_whose_port_somebody_else_holds_is_left_out_of_a_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        openings = {"taken": opening(taken, "taken"), "free": opening(free_loopback_port(), "free")}
        launch = Launch(
            ("/bin/sh", "-c", "cat; exec sleep 1000"), texts=("[first", "]\n"), gaps=(OPENINGS,), openings=openings
        )
        async with running(launch, tmp_path, SystemClock()) as core:
            await until(lambda: core.last_lines)

            assert core.last_lines == ("[first,free]",)
