"""Who else listens on our ports: ours are told from others', and harmless ones are not looked at again."""

import os
import socket
from collections.abc import Collection
from pathlib import Path

import pytest

from keystead.keeper import protocol
from keystead.keeper.diag import Listener
from keystead.keeper.neighbours import Neighbours, overlap


def listening(host: str, port: int = 0) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((host, port))
    made.listen()
    return made


def test_a_stranger_is_named_until_it_goes_and_an_address_beside_ours_is_none() -> None:
    neighbours = Neighbours()
    asked = 0

    def held() -> Collection[int]:
        nonlocal asked
        asked += 1
        return {os.fstat(ours.fileno()).st_ino}

    with listening("127.0.0.1") as ours:
        port = ours.getsockname()[1]
        with listening("127.0.0.2", port):
            alone = [neighbours.look([port], held) for _ in range(3)]
            with listening("127.0.0.1", port):
                beside = neighbours.look([port], held)
            gone = neighbours.look([port], held)

    assert alone == [[], [], []]
    assert len(beside) == 1
    assert beside[0].startswith(f"127.0.0.1:{port} by ")
    assert f"(pid {os.getpid()})" in beside[0]
    assert gone == []
    assert asked == 2


def test_without_a_listener_of_ours_nobody_is_a_stranger() -> None:
    with listening("127.0.0.1") as other:
        assert Neighbours().look([other.getsockname()[1]], frozenset) == []


@pytest.mark.parametrize(
    ("one", "other", "is_shared"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.1", "::", True),
        ("127.0.0.1", "127.0.0.2", False),
    ],
)
def test_two_addresses_share_connections_when_one_holds_the_other(one: str, other: str, is_shared: bool) -> None:
    assert overlap(Listener(one, 443, 1, 0), Listener(other, 443, 2, 0)) is is_shared
    assert not overlap(Listener(one, 443, 1, 0), Listener(other, 444, 2, 0))


def test_keepers_of_a_directory_find_each_other_by_their_sockets(tmp_path: Path) -> None:
    first = tmp_path / protocol.SOCKET_NAME

    assert (protocol.sockets(first), protocol.free_socket(first)) == ([], first)
    first.touch()
    (tmp_path / "control.sock").touch()
    assert protocol.is_alone(first)
    second = protocol.free_socket(first)
    assert second == tmp_path / "keeper2.sock"
    second.touch()
    assert protocol.sockets(first) == [first, second]
    assert not protocol.is_alone(first)
    assert not protocol.is_alone(second)
    first.unlink()
    assert protocol.is_alone(second)
    assert protocol.free_socket(first) == first
