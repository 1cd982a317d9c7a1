"""The kernel's own table of TCP sockets: who is connected to our ports, and how many bytes each connection has carried.

Called by the keeper about every second. One netlink request per address family lists every connection of the ports
asked for, for all processes at once and without any privilege. What the bytes mean and whose they are is left to
``connections``.

Sources: Linux include/uapi/linux/inet_diag.h, netlink.h, sock_diag.h and tcp.h (6.1 and 6.18); net/ipv4/inet_diag.c for
the filter's rules and the errors. Why this is not a library's work: docs/adr/0012.
"""

import errno
import os
import socket
import struct
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY, SOCK_DESTROY = 20, 21
_REQUEST, _REQUEST_ACK, _REQUEST_DUMP = 0x1, 0x5, 0x301
_LAST = frozenset({2, 3})  # NLMSG_ERROR, NLMSG_DONE
_INTERRUPTED = 0x10
_ATTRIBUTE_INFO = 2
_BYTECODE, _JUMP, _LOCAL_PORT_IS = 1, 1, 11

_ESTABLISHED, _LISTEN = 1 << 1, 1 << 10
# Established, both FIN-WAITs, CLOSE-WAIT, LAST-ACK, CLOSING: the states in which bytes may still be on their way.
_CARRYING = _ESTABLISHED | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11

_HEADER = struct.Struct("=IHHII")
_ASK = struct.Struct("=BBBBI")
_SIZE_AND_KIND = struct.Struct("=IH")
_STATUS = struct.Struct("=i")
# nlmsghdr and inet_diag_msg: size, kind, family, local and peer port, local and peer address, cookie,
# bytes that wait to be read, uid, inode.
_MESSAGE = struct.Struct("=IH10xB3xHH16s16s4xQ4xI4xII")
_LOCAL_PORT, _LOCAL, _UID, _INODE = 3, 5, 9, 10
_IDENTITY_AT, _IDENTITY_SIZE = 20, 48
_IDENTITY_END = _IDENTITY_AT + _IDENTITY_SIZE
_ATTRIBUTE = struct.Struct("=HH")
_CARRIED = struct.Struct("=QQ")
# tcpi_bytes_acked and tcpi_bytes_received stand at 120 and 128 of struct tcp_info since Linux 4.1.
_CARRIED_AT = 4 + 120

# The kernel fills at most 32 KiB per answer of a dump (net/netlink/af_netlink.c, netlink_dump).
_BUFFER_BYTES = 1 << 16
_FILTERED_PORTS_MAX = 64
_ATTEMPTS = 3
_TIMEOUT_S = 2.0
_MAPPED = bytes(10) + b"\xff\xff"


class Socket(NamedTuple):
    """One connection of ours as the kernel sees it.

    ``cookie`` names the socket for as long as the kernel keeps it. ``inode`` is 0 before its process has accepted it
    and after it has closed it, while the kernel still sends what is left. ``acked`` are the bytes the peer has
    confirmed, ``received`` those it sent, of which ``waiting`` were not read yet.
    """

    local_port: int
    peer_host: str
    peer_port: int
    inode: int
    cookie: int
    acked: int
    received: int
    family: int = socket.AF_INET
    identity: bytes = b""
    waiting: int = 0


class Listener(NamedTuple):
    """A socket that accepts connections at a port, and the user it belongs to."""

    host: str
    port: int
    inode: int
    uid: int


class Interrupted(OSError):
    """The socket table changed too much while it was read; ask again at the next tick."""


def dump(ports: Collection[int]) -> list[Socket]:
    """Return every connection whose local port is one of these; raise OSError when the kernel does not tell.

    IPv4 peers of an IPv6 listener are shown as IPv4. A socket may, rarely, be missing from one dump although it lives:
    the kernel gives the table in pieces and does not hold it still between them.
    """
    return [*_connections(socket.AF_INET, ports), *_connections(socket.AF_INET6, ports)]


def listeners(ports: Collection[int]) -> list[Listener]:
    """Return who listens at these ports, whichever process it is."""
    return [*_listeners(socket.AF_INET, ports), *_listeners(socket.AF_INET6, ports)]


def destroy(target: Socket) -> bool:
    """Reset a connection in the kernel; return False when it was already gone.

    PermissionError without CAP_NET_ADMIN; OSError with EOPNOTSUPP when the kernel was built without
    CONFIG_INET_DIAG_DESTROY, which is the default of some distributions.
    """
    request = _ASK.pack(target.family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + target.identity
    try:
        _answers(SOCK_DESTROY, _REQUEST_ACK, request)
    except OSError as error:
        # ESTALE: the address and port are those of another connection by now.
        if error.errno in {errno.ENOENT, errno.ESTALE}:
            return False
        raise
    return True


def holder(inode: int) -> tuple[int, str] | None:
    """Return process number and name of whoever holds a socket; None when nobody does or we may not see it."""
    wanted = f"socket:[{inode}]"
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _holds(process / "fd", wanted):
            with suppress(OSError):
                return int(process.name), (process / "comm").read_text(errors="replace").strip()
    return None


# --- asking ---


def _connections(family: int, ports: Collection[int]) -> list[Socket]:
    wanted = frozenset(ports)
    answers = _dumped(family, _CARRYING, wanted) if wanted else ()
    return [found for found in _read_connections(answers) if found.local_port in wanted]


def _listeners(family: int, ports: Collection[int]) -> list[Listener]:
    wanted = frozenset(ports)
    found: list[Listener] = []
    for answer in _dumped(family, _LISTEN, wanted) if wanted else ():
        for at, _ in _messages(answer):
            values = _MESSAGE.unpack_from(answer, at)
            port = _swapped(values[_LOCAL_PORT])
            if port in wanted:
                found.append(Listener(_host(family, values[_LOCAL]), port, values[_INODE], values[_UID]))
    return found


def _dumped(family: int, states: int, ports: frozenset[int]) -> list[bytes]:
    extensions = 0 if states == _LISTEN else 1 << (_ATTRIBUTE_INFO - 1)
    request = _ASK.pack(family, socket.IPPROTO_TCP, extensions, 0, states) + bytes(_IDENTITY_SIZE)
    if len(ports) <= _FILTERED_PORTS_MAX:
        request += _filter(ports)
    for _ in range(_ATTEMPTS):
        with suppress(Interrupted):
            return _answers(SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, request)
    raise Interrupted(errno.EINTR, "the socket table changed while it was read")


def _filter(ports: Collection[int]) -> bytes:
    """Return the kernel's filter program for “the local port is one of these”, as an attribute.

    Each condition is eight bytes; true goes on to a jump out of the program at its end (accepted), false skips that
    jump. The last one's “false” leads four bytes past the end (rejected). See inet_diag_bc_audit.
    """
    program = b""
    for port in sorted(ports, reverse=True):
        jump = struct.pack("=BBH", _JUMP, 4, 4 + len(program)) if program else b""
        program = struct.pack("=BBHBBH", _LOCAL_PORT_IS, 8, 12, 0, 0, port) + jump + program
    return _ATTRIBUTE.pack(4 + len(program), _BYTECODE) + program


def _answers(kind: int, flags: int, request: bytes) -> list[bytes]:
    """Return an answer in its pieces, each checked to consist of whole messages; raise what the kernel says in it."""
    answers: list[bytes] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG) as channel:
        channel.settimeout(_TIMEOUT_S)
        channel.bind((0, 0))
        channel.send(_HEADER.pack(_HEADER.size + len(request), kind, flags, 1, 0) + request)
        while True:
            answer, _, received, _ = channel.recvmsg(_BUFFER_BYTES)
            if received & socket.MSG_TRUNC:
                raise OSError(errno.EMSGSIZE, "an answer of the kernel is larger than any it should give")
            answers.append(answer)
            if _is_last(answer):
                return answers


def _is_last(answer: bytes) -> bool:
    """Tell whether a piece ends the answer; raise what it says."""
    at = 0
    while at + _HEADER.size <= len(answer):
        size, what, marks, _, _ = _HEADER.unpack_from(answer, at)
        if size < _HEADER.size or at + size > len(answer):
            raise OSError(errno.EBADMSG, "an answer of the kernel is cut short")
        if marks & _INTERRUPTED:
            raise Interrupted(errno.EINTR, "the socket table changed while it was read")
        if what in _LAST:
            status = _STATUS.unpack_from(answer, at + _HEADER.size)[0] if size >= _HEADER.size + _STATUS.size else 0
            if status < 0:
                raise OSError(-status, os.strerror(-status))
            return True
        at += (size + 3) & ~3
    return False


# --- reading ---


def _messages(answer: bytes) -> Iterator[tuple[int, int]]:
    """Yield begin and size of each socket's message."""
    at = 0
    while at + _MESSAGE.size <= len(answer):
        size, kind = _SIZE_AND_KIND.unpack_from(answer, at)
        if kind == SOCK_DIAG_BY_FAMILY and size >= _MESSAGE.size:
            yield at, size
        at += (size + 3) & ~3


def _read_connections(answers: Iterable[bytes]) -> Iterator[Socket]:
    """Yield connections; not those without counts: a handshake, or a closed one that only waits."""
    # Local names, and no calls of our own, for each connection: this runs thousands of times a second.
    message, carried, new = _MESSAGE.unpack_from, _CARRIED.unpack_from, tuple.__new__
    attribute, text, ipv4 = _ATTRIBUTE.unpack_from, socket.inet_ntop, int(socket.AF_INET)
    # Messages of one length have one layout: the kernel appends its attributes in a fixed order.
    places: dict[int, int] = {}
    for answer in answers:
        for at, size in _messages(answer):
            place = places.get(size, 0)
            if not place or attribute(answer, at + place)[1] != _ATTRIBUTE_INFO:
                place = places[size] = _place_of_info(answer, at, size)
            if not place:
                continue
            _, _, family, port, peer_port, _, address, cookie, waiting, _, inode = message(answer, at)
            # The ports are in the network's order.
            read = (
                port >> 8 | (port & 255) << 8,
                text(family, address[:4]) if family == ipv4 else _host(family, address),
                peer_port >> 8 | (peer_port & 255) << 8,
                inode,
                cookie,
                *carried(answer, at + place + _CARRIED_AT),
                family,
                answer[at + _IDENTITY_AT : at + _IDENTITY_END],
                waiting,
            )
            yield new(Socket, read)


def _place_of_info(answer: bytes, begin: int, size: int) -> int:
    """Return where in a message the attribute with the counts stands, 0 when it has none."""
    place = _MESSAGE.size
    while place + _ATTRIBUTE.size <= size:
        length, kind = _ATTRIBUTE.unpack_from(answer, begin + place)
        if length < _ATTRIBUTE.size or place + length > size:
            return 0
        if kind == _ATTRIBUTE_INFO:
            if length < _CARRIED_AT + _CARRIED.size:
                raise OSError(errno.EOPNOTSUPP, "this kernel does not count bytes per connection (Linux 4.1 does)")
            return place
        place += (length + 3) & ~3
    return 0


def _host(family: int, address: bytes) -> str:
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, address[:4])
    if address.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, address[12:])
    return socket.inet_ntop(socket.AF_INET6, address)


def _swapped(port: int) -> int:
    return port >> 8 | (port & 255) << 8


def _holds(directory: Path, wanted: str) -> bool:
    with suppress(OSError):
        return any(_leads_to(directory / name, wanted) for name in os.listdir(directory))
    return False


def _leads_to(link: Path, wanted: str) -> bool:
    with suppress(OSError):
        return os.readlink(link) == wanted
    return False
