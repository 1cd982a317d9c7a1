"""Every trick tried for real, each downgrade forced, and the way to cut that follows."""

import os
import socket
import subprocess
import time

import pytest

from keystead.keeper import diag, proving
from keystead.keeper.borrowed import Borrower
from keystead.keeper.proving import Cutter, Trick, Tricks, Way, prove
from tests.support.nobody import as_nobody
from tests.unit.keeper.test_borrowed import child

OFF = "switched off"


def proves_without_privilege() -> None:
    tricks = prove()

    assert tricks == Tricks(destroy="not permitted")
    assert tricks.way is Way.RESET


@pytest.mark.skipif(os.geteuid() != 0, reason="needs CAP_NET_ADMIN")
def test_root_can_do_everything_fast_and_leaves_nothing_behind() -> None:
    before = (os.listdir("/proc/self/fd"), children())

    begun = time.monotonic()
    tricks = prove()
    took_s = time.monotonic() - begun

    assert tricks == Tricks()
    assert took_s < 0.5
    assert (len(before[0]), before[1]) == (len(os.listdir("/proc/self/fd")), children())


def test_without_privileges_only_destroying_is_lost() -> None:
    as_nobody(proves_without_privilege)


def children() -> str:
    with open(f"/proc/self/task/{os.getpid()}/children") as listing:
        return listing.read()


@pytest.mark.parametrize(
    ("without", "expected", "way"),
    [
        ({"destroy"}, Tricks(destroy=OFF), Way.RESET),
        ({"destroy", "reset"}, Tricks(destroy=OFF, reset=OFF), Way.SHUTDOWN),
        ({"destroy", "borrow"}, Tricks(destroy=OFF, borrow=OFF, pace=OFF, reset=OFF), Way.NONE),
        ({"destroy", "pace"}, Tricks(destroy=OFF, pace=OFF), Way.RESET),
        ({"destroy", "dump"}, Tricks(destroy=OFF, dump=OFF), Way.NONE),
        (set(Trick), Tricks(OFF, OFF, OFF, OFF, OFF), Way.NONE),
    ],
)
def test_each_downgrade_can_be_forced(without: set[str], expected: Tricks, way: Way) -> None:
    tricks = prove(without)

    assert (tricks, tricks.way) == (expected, way)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs CAP_NET_ADMIN")
def test_destroying_is_preferred_where_it_works() -> None:
    assert prove({"borrow"}).way is Way.DESTROY
    assert prove({"borrow"}).works(Trick.DESTROY)


def test_a_machine_without_the_tricks_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", refuse)

    tricks = prove({"destroy"})

    assert tricks.dump is None
    assert tricks.borrow == tricks.pace == tricks.reset == "not supported by this kernel"


def test_a_trick_that_does_nothing_does_not_count_as_working(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Borrower, "reset", lambda *_: True)
    monkeypatch.setattr(Borrower, "pace", lambda *_: True)
    monkeypatch.setattr(diag, "destroy", lambda _: True)

    tricks = prove()

    assert tricks.pace == "a capped socket sends as fast as ever"
    assert tricks.reset == tricks.destroy == "the connection goes on"


WAYS = [Tricks(destroy=OFF), Tricks(destroy=OFF, reset=OFF), *([Tricks()] if os.geteuid() == 0 else [])]


@pytest.mark.parametrize("tricks", WAYS, ids=lambda tricks: tricks.way)
def test_each_way_cuts_one_connection_and_spares_the_other(tricks: Tricks) -> None:
    with child(2) as (program, near, inodes), Borrower(program.pid) as borrower:
        port = near[0].getpeername()[1]
        targets = {one.inode: one for one in diag.dump([port])}
        cutter = Cutter(tricks, borrower)

        is_cut = cutter.cut(targets[inodes[1]])

        assert is_cut
        assert has_ended(near[1])
        near[0].sendall(b"x")
        assert near[0].recv(1) == b"x"
        assert cutter.way is tricks.way


def has_ended(near: socket.socket) -> bool:
    try:
        return near.recv(1) == b""
    except ConnectionResetError:
        return True


def test_when_destroying_is_no_longer_allowed_the_next_way_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_target: diag.Socket) -> bool:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(proving.diag, "destroy", refuse)
    with child() as (program, near, _), Borrower(program.pid) as borrower:
        targets = diag.dump([near[0].getpeername()[1]])
        cutter = Cutter(Tricks(), borrower)

        cut = cutter.cut_many(targets)

        assert cut == {one.cookie for one in targets}
        assert cutter.way is Way.RESET
        assert has_ended(near[0])
        assert Cutter(Tricks(destroy=OFF), None).way is Way.NONE
        assert not Cutter(Tricks(destroy=OFF), None).cut(targets[0])


def test_the_child_of_the_proof_is_gone_even_when_a_proof_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def remembered(*args: object, **more: object) -> subprocess.Popen[bytes]:
        started.append(popen(*args, **more))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(proving.subprocess, "Popen", remembered)
    monkeypatch.setattr(proving, "_prove_dump", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        prove()

    assert [one.returncode is not None for one in started] == [True]
