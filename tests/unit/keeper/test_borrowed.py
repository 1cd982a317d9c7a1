"""Sockets of a real child, duplicated, paced and reset; as root and as nobody."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from keystead.keeper import borrowed
from keystead.keeper.borrowed import Borrower
from tests.support.nobody import as_nobody


@contextmanager
def child(
    count: int = 1, program: str = "cat"
) -> Iterator[tuple[subprocess.Popen[bytes], list[socket.socket], list[int]]]:
    """Run a child that holds the far ends of connections and echoes the first; yield near ends and inodes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = [socket.create_connection(listener.getsockname(), timeout=5) for _ in range(count)]
        far = [listener.accept()[0] for _ in near]
    inodes = [os.fstat(one.fileno()).st_ino for one in far]
    started = subprocess.Popen(
        [program],
        stdin=far[0].fileno(),
        stdout=far[0].fileno(),
        stderr=subprocess.DEVNULL,
        pass_fds=[one.fileno() for one in far[1:]],
    )
    for one in far:
        one.close()
    try:
        yield started, near, inodes
    finally:
        for one in near:
            one.close()
        started.kill()
        started.wait()


def echo_s(near: socket.socket, size: int) -> float:
    """Send in rounds of 50 kB and take back; return the seconds it took."""
    begun = time.monotonic()
    for _ in range(size // 50_000):
        near.sendall(bytes(50_000))
        left = 50_000
        while left:
            left -= len(near.recv(left))
    return time.monotonic() - begun


def reset_one_and_spare_the_other() -> None:
    with child(2) as (program, near, inodes), Borrower(program.pid) as borrower:
        assert borrower.reset(inodes[1])
        with pytest.raises(ConnectionResetError):
            near[1].recv(1)
        assert echo_s(near[0], 50_000) < 2
        assert borrower.refusal is None


def test_a_reset_ends_one_connection_of_a_child_and_spares_the_other() -> None:
    reset_one_and_spare_the_other()


def test_no_privilege_is_needed_for_a_child() -> None:
    as_nobody(reset_one_and_spare_the_other)


def test_a_cap_holds_and_can_be_lifted() -> None:
    with child() as (program, near, inodes), Borrower(program.pid) as borrower:
        is_paced = borrower.pace(inodes[0], 2_000_000)
        paced_s = echo_s(near[0], 1_000_000)
        is_lifted = borrower.pace(inodes[0], None)
        echo_s(near[0], 1_000_000)
        lifted_s = echo_s(near[0], 1_000_000)

    assert is_paced
    assert is_lifted
    # The kernel lets half of it go at once after a pause.
    assert paced_s > 0.24
    assert lifted_s < paced_s


def test_nothing_stays_open_so_the_connection_ends_with_the_child() -> None:
    with child() as (program, near, inodes), Borrower(program.pid) as borrower:
        before = os.listdir("/proc/self/fd")
        borrower.pace(inodes[0], 1_000_000)
        after = os.listdir("/proc/self/fd")
        program.kill()
        program.wait()

        assert len(before) == len(after)
        assert near[0].recv(1) == b""
        assert not borrower.reset(inodes[0])
        assert borrower.refusal is None


def test_a_socket_the_child_does_not_have_is_looked_for_once_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    look = Borrower._look_through

    def counted(self: Borrower) -> None:
        nonlocal looks
        looks += 1
        look(self)

    monkeypatch.setattr(Borrower, "_look_through", counted)
    with child(3) as (program, _, inodes), Borrower(program.pid) as borrower:
        first = borrower.pace_many({1: 5, 2: 5, **dict.fromkeys(inodes, 100_000)})
        again = borrower.pace_many(dict.fromkeys(inodes, 200_000))
        unborn = borrower.pace(0, 5)

    assert (first, again, unborn, looks) == (set(inodes), set(inodes), False, 1)


def test_a_descriptor_that_became_another_socket_is_not_touched() -> None:
    with child(2) as (program, near, inodes), Borrower(program.pid) as borrower:
        borrower.pace_many(dict.fromkeys(inodes))
        borrower._places = {99: borrower._places[inodes[0]], inodes[1]: borrower._places[inodes[0]]}

        outcomes = [borrower.reset(99), borrower.reset(inodes[1])]

        assert outcomes == [False, True]
        assert echo_s(near[0], 50_000) < 2
        with pytest.raises(ConnectionResetError):
            near[1].recv(1)


def fail_to_reset(pid: int, inode: int) -> None:
    with Borrower(pid) as borrower:
        assert not borrower.reset(inode)
        assert isinstance(borrower.refusal, PermissionError)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has processes that are out of another user's reach")
def test_a_process_of_another_user_is_refused_with_the_reason() -> None:
    with child() as (program, _, inodes):
        as_nobody(fail_to_reset, program.pid, inodes[0])


def test_a_refusal_to_duplicate_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with child() as (program, _, inodes), Borrower(program.pid) as borrower:
        borrower.pace(inodes[0], None)
        monkeypatch.setattr(borrowed, "_PIDFD_GETFD", 100_000)

        is_reset = borrower.reset(inodes[0])

        assert not is_reset
        assert "not implemented" in str(borrower.refusal)


def fail_to_reset_child(program: str) -> None:
    with child(program=program) as (started, near, inodes):
        assert echo_s(near[0], 50_000) < 2
        fail_to_reset(started.pid, inodes[0])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a program that others may run and not read")
def test_a_program_that_its_user_may_not_read_is_out_of_reach_and_says_so() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        os.chmod(directory, 0o755)
        program = Path(directory, "cat")
        shutil.copy("/bin/cat", program)
        program.chmod(0o711)

        as_nobody(fail_to_reset_child, str(program))


def test_shutting_down_is_the_gentler_way() -> None:
    with child(2) as (program, near, inodes), Borrower(program.pid) as borrower:
        assert borrower.shut_many([inodes[1], 5]) == {inodes[1]}

        assert near[1].recv(1) == b""
