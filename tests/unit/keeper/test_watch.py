"""The watch over connections of this very process, read from the kernel's real table; the clock is a manual one."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from keystead.keeper import diag, proving
from keystead.keeper.connections import Table
from keystead.keeper.diag import Socket
from keystead.keeper.hunting import Hunted
from keystead.keeper.opened import HANDSHAKE_UPLINK
from keystead.keeper.proving import Tricks
from keystead.keeper.watch import ENDED_TOLD_S, FORGET_AFTER_S, Watch
from tests.support.clock import ManualClock

LABEL = "k1-1"
ONLY_SHUTDOWN = Tricks(reset="switched off", destroy="switched off")


class Watched:
    """A watch, and a connection of a customer that it sees."""

    def __init__(self, client: socket.socket, accepted: socket.socket, tricks: Tricks) -> None:
        port = accepted.getsockname()[1]
        self.clock = ManualClock()
        self.watch = Watch(self.clock)
        self.watch.tricks = tricks
        self.watch.begin("p-1", os.getpid(), {"shared": port})
        self.watch.note_access("p-1", *client.getsockname(), "shared", LABEL)
        self.client = client
        self.accepted = accepted
        self.look()

    def look(self) -> None:
        self.clock.advance(1.0)
        self.watch._look()

    def is_cut(self) -> bool:
        self.client.settimeout(0.2)
        try:
            return self.client.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True


@contextmanager
def watched(tricks: Tricks = ONLY_SHUTDOWN) -> Iterator[Watched]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        listener.accept()[0] as accepted,
    ):
        made = Watched(client, accepted, tricks)
        yield made
        made.watch.end("p-1")


def test_a_condemned_labels_connection_is_cut() -> None:
    with watched() as on:
        was_cut = on.is_cut()
        found = on.watch.cut([LABEL])

        assert (was_cut, found, on.is_cut()) == (False, 1, True)


def test_what_the_kernel_cannot_cut_now_is_cut_by_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Socket) -> bool:
        raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))

    with watched(Tricks(reset="switched off")) as on:
        with monkeypatch.context() as patched:  # no kernel runs out of buffers on demand
            patched.setattr(diag, "destroy", refuse)
            found = on.watch.cut([LABEL])
            on.look()
            was_cut, trouble = on.is_cut(), on.watch.state()["trouble"]
        on.watch._processes["p-1"].cutter.way = proving.Way.SHUTDOWN  # destroying takes a privilege
        on.look()

        assert (found, was_cut, on.is_cut()) == (1, False, True)
        assert "not cut" in trouble


def test_a_deleted_label_is_forgotten_after_a_day_and_whoever_asks_is_told_in_full() -> None:
    with watched() as on:
        before = on.watch.carried(-1)
        on.client.close()
        on.accepted.close()
        for _ in range(3):
            on.look()
        on.watch.forget()
        kept = on.watch.carried(before["serial"])
        on.clock.advance(FORGET_AFTER_S + 1)
        on.watch.forget()
        after = on.watch.carried(kept["serial"])

    assert before["changed"]["p-1"].keys() == {LABEL}
    assert not kept["is_full"]
    assert after["is_full"]
    assert after["changed"] == {"p-1": {}}


def test_an_ended_process_is_told_for_minutes_to_each_who_keeps_asking() -> None:
    with watched() as on:
        on.watch.end("p-1")
        serial = on.watch.carried(-1)["serial"]
        on.clock.advance(ENDED_TOLD_S - 1)
        still = on.watch.carried(serial)
        anew = on.watch.carried(-1)
        on.clock.advance(2)
        later = on.watch.carried(anew["serial"])
        on.clock.advance(ENDED_TOLD_S)
        last = on.watch.carried(later["serial"])

    assert [told["all"] for told in (still, anew, later, last)] == [["p-1"], ["p-1"], ["p-1"], []]


def test_only_a_look_that_is_newer_than_the_cores_answer_ends_what_nobody_owns() -> None:
    with watched() as on:
        on.client.sendall(bytes(HANDSHAKE_UPLINK + 1))
        on.watch._processes["p-1"].table = Table({"shared": on.accepted.getsockname()[1]}, on.watch._condemned)
        on.look()
        on.watch.cut([LABEL])
        noticed = on.watch.suspects("p-1")
        online = {"127.0.0.1": {LABEL: None}}
        early = on.watch.hunt("p-1", online, {})
        was_cut = on.is_cut()
        on.clock.advance(0.9)
        late = on.watch.hunt("p-1", online, {})

        assert (noticed, early, was_cut) == ({"p-1": 1}, Hunted(0, is_over=False), False)
        assert (late.given, on.is_cut()) == (1, True)
