"""The kernel's socket table, read with real connections on loopback, as root and as nobody."""

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from keystead.keeper import diag
from tests.support.nobody import as_nobody

Connect = Callable[..., tuple[socket.socket, socket.socket, int]]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connect to a listener of our own; return the client's end, the server's end and the port."""
    with ExitStack() as stack:

        def connected(listen: str = "127.0.0.1", dial: str = "127.0.0.1") -> tuple[socket.socket, socket.socket, int]:
            family = socket.AF_INET6 if ":" in listen else socket.AF_INET
            listener = stack.enter_context(
                socket.create_server((listen, 0), family=family, dualstack_ipv6=listen == "::")
            )
            port: int = listener.getsockname()[1]
            client = stack.enter_context(socket.create_connection((dial, port), timeout=5))
            server, _ = listener.accept()
            server.settimeout(5)
            return client, stack.enter_context(server), port

        yield connected


def test_a_connection_is_listed_with_its_bytes_and_its_inode(connect: Connect) -> None:
    client, server, port = connect()
    client.sendall(b"x" * 1000)
    server.sendall(b"y" * 5000)
    client.recv(1)
    server.recv(1)

    (found,) = diag.dump([port])

    assert found[:4] == (port, *client.getsockname(), os.fstat(server.fileno()).st_ino)
    assert found.received == 1000
    assert found.acked == 5000


@pytest.mark.parametrize(("listen", "dial"), [("::", "127.0.0.1"), ("::", "::1"), ("::1", "::1")])
def test_ipv6_is_listed_too_and_a_mapped_peer_as_ipv4(connect: Connect, listen: str, dial: str) -> None:
    client, _, port = connect(listen, dial)

    (found,) = diag.dump([port])

    assert (found.peer_host, found.peer_port) == (dial, client.getsockname()[1])


@pytest.mark.parametrize("more", [0, 1, 63, 64, 1000])
def test_other_ports_are_left_out_however_many_are_asked_for(connect: Connect, more: int) -> None:
    _, _, port = connect()
    connect()

    found = diag.dump([port, *range(1, more + 1)])

    assert [one.local_port for one in found] == [port]


def test_each_of_several_ports_is_found(connect: Connect) -> None:
    ports = [connect()[2] for _ in range(5)]

    assert sorted(one.local_port for one in diag.dump(ports)) == sorted(ports)
    assert diag.dump([]) == []


def test_a_closed_connection_keeps_its_cookie_while_the_kernel_still_sends(connect: Connect) -> None:
    _, server, port = connect()
    server.setblocking(False)
    try:
        while True:
            server.send(bytes(65536))
    except BlockingIOError:
        (before,) = diag.dump([port])

    server.close()
    (after,) = diag.dump([port])

    assert (after.inode, after.cookie) == (0, before.cookie)


def read_and_fail_to_destroy(port: int, peer_port: int) -> None:
    (found,) = diag.dump([port])
    assert found.peer_port == peer_port
    with pytest.raises(PermissionError):
        diag.destroy(found)


def test_anybody_may_read_the_table_but_not_destroy(connect: Connect) -> None:
    client, _, port = connect()

    as_nobody(read_and_fail_to_destroy, port, client.getsockname()[1])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs CAP_NET_ADMIN")
@pytest.mark.parametrize("listen", ["127.0.0.1", "::"])
def test_destroy_resets_one_connection_and_says_when_it_is_gone(connect: Connect, listen: str) -> None:
    client, _, port = connect(listen)
    other, kept, other_port = connect(listen)
    (found,) = diag.dump([port])

    outcomes = [diag.destroy(found), diag.destroy(found)]

    assert outcomes == [True, False]
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    other.sendall(b"x")
    assert kept.recv(1) == b"x"
    assert len(diag.dump([other_port])) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs CAP_NET_ADMIN")
def test_destroy_spares_a_newer_connection_between_the_same_ends(connect: Connect) -> None:
    client, server, port = connect()
    (found,) = diag.dump([port])
    identity = found.identity[:-8] + struct.pack("=Q", found.cookie + 1)

    is_destroyed = diag.destroy(found._replace(identity=identity))

    assert not is_destroyed
    client.sendall(b"x")
    assert server.recv(1) == b"x"


def test_a_listener_and_its_holder_are_named(connect: Connect) -> None:
    _, _, port = connect()

    (found,) = diag.listeners([port])

    assert found[:2] == ("127.0.0.1", port)
    assert found.uid == os.geteuid()
    name = diag.holder(found.inode)
    assert name is not None
    assert name[0] == os.getpid()
    assert diag.holder(1) is None


def message(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body


def connection(*attributes: tuple[int, bytes]) -> bytes:
    body = struct.pack("=BBBB", socket.AF_INET, 1, 0, 0) + struct.pack(">HH", 443, 5000)
    body += bytes(16) + socket.inet_aton("192.0.2.1") + bytes(12) + bytes(4) + struct.pack("=Q", 77)
    body += bytes(12) + struct.pack("=II", 0, 99)
    for kind, value in attributes:
        body += struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
    return message(20, body)


INFO = bytes(120) + struct.pack("=QQ", 11, 22) + bytes(100)


def test_the_counts_are_found_behind_other_attributes() -> None:
    answer = connection((8, b"\0"), (2, INFO)) + connection((8, b"\0"), (15, b"\0"), (2, INFO))

    found = list(diag._read_connections([answer]))

    assert [one[:7] for one in found] == [(443, "192.0.2.1", 5000, 99, 77, 11, 22)] * 2


def test_a_connection_without_counts_is_left_out_and_a_kernel_without_them_refused() -> None:
    assert list(diag._read_connections([connection((8, b"\0")), connection()])) == []
    with pytest.raises(OSError, match="does not count bytes") as caught:
        list(diag._read_connections([connection((2, INFO[:104]))]))
    assert caught.value.errno == errno.EOPNOTSUPP


@pytest.mark.parametrize(
    ("answer", "kind", "number"),
    [
        (message(2, struct.pack("=i", -errno.EPERM)), PermissionError, errno.EPERM),
        (message(3, struct.pack("=i", -errno.ENOENT)), FileNotFoundError, errno.ENOENT),
        (message(20, bytes(72), flags=0x10), diag.Interrupted, errno.EINTR),
        (message(20, bytes(72))[:-8], OSError, errno.EBADMSG),
        (struct.pack("=IHHII", 0, 20, 0, 1, 0), OSError, errno.EBADMSG),
    ],
)
def test_what_the_kernel_refuses_is_raised(answer: bytes, kind: type[OSError], number: int) -> None:
    with pytest.raises(kind) as caught:
        diag._is_last(answer)

    assert caught.value.errno == number


def test_a_truncated_attribute_ends_the_reading_of_its_message() -> None:
    broken = bytearray(connection((2, INFO)))
    struct.pack_into("=H", broken, 88, 60000)

    assert list(diag._read_connections([bytes(broken)])) == []
