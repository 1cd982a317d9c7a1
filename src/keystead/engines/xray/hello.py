"""Ask a TLS server for one thing: does it agree to TLS 1.3 with X25519?

Called by the examination of a target (``target.py``). It writes one ClientHello that offers nothing else and reads the
answer; it completes no handshake, so the share it offers may be any 32 bytes.

Why by hand: Python's ``ssl`` cannot be told. ``set_ecdh_curve("X25519")`` raises ``unknown group`` in Debian 12's
Python 3.11.2, which looks names up among the curves of OpenSSL's older interface, where X25519 is not.

Layout and numbers: RFC 8446, sections 4.1.2, 4.1.3, 4.2 and 5.1.
"""

import asyncio
import os
import struct

_HANDSHAKE = 22
_CLIENT_HELLO = 1
_SERVER_HELLO = 2
_TLS13 = 0x0304
_X25519 = 0x001D
_SHARE_BYTES = 32
_SUITES = (0x1301, 0x1302, 0x1303)
_SIGNATURES = (0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0807)

_SERVER_NAME = 0
_SUPPORTED_GROUPS = 10
_SIGNATURE_ALGORITHMS = 13
_ALPN = 16
_SUPPORTED_VERSIONS = 43
_PSK_MODES = 45
_KEY_SHARE = 51


async def agrees_to_x25519(address: str, port: int, name: str) -> bool:
    """Tell whether a server answers a hello under this name with TLS 1.3 and a share of X25519.

    Raises OSError when it cannot be reached; it may keep silent for ever, so the caller sets the time.
    """
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(client_hello(name))
        kind, _, size = struct.unpack("!BHH", await reader.readexactly(5))
        return kind == _HANDSHAKE and is_agreement(await reader.readexactly(size))
    except (asyncio.IncompleteReadError, ConnectionError):
        return False
    finally:
        writer.transport.abort()


def client_hello(name: str) -> bytes:
    """Return the record of a hello that offers TLS 1.3 and X25519 only, and HTTP/2 as browsers do."""
    extensions = (
        _extension(_SERVER_NAME, _sized(2, b"\0" + _sized(2, name.encode("ascii"))))
        + _extension(_SUPPORTED_GROUPS, _sized(2, _words(_X25519)))
        + _extension(_SIGNATURE_ALGORITHMS, _sized(2, _words(*_SIGNATURES)))
        + _extension(_ALPN, _sized(2, _sized(1, b"h2") + _sized(1, b"http/1.1")))
        + _extension(_SUPPORTED_VERSIONS, _sized(1, _words(_TLS13)))
        + _extension(_PSK_MODES, _sized(1, b"\x01"))
        + _extension(_KEY_SHARE, _sized(2, _words(_X25519) + _sized(2, os.urandom(_SHARE_BYTES))))
    )
    body = (
        _words(0x0303)
        + os.urandom(32)
        + _sized(1, os.urandom(32))
        + _sized(2, _words(*_SUITES))
        + _sized(1, b"\0")
        + _sized(2, extensions)
    )
    return bytes([_HANDSHAKE]) + _words(0x0301) + _sized(2, bytes([_CLIENT_HELLO]) + _sized(3, body))


def is_agreement(message: bytes) -> bool:
    """Tell whether a handshake message is a ServerHello of TLS 1.3 that carries a share of X25519.

    A HelloRetryRequest has the same type, but names a group without a share.
    """
    if message[:1] != bytes([_SERVER_HELLO]):
        return False
    body = message[4:]
    session = body[34:35]
    if not session:
        return False
    rest = body[35 + session[0] + 2 + 1 + 2 :]
    found: dict[int, bytes] = {}
    while len(rest) >= 4:
        kind, size = struct.unpack("!HH", rest[:4])
        found[kind] = rest[4 : 4 + size]
        rest = rest[4 + size :]
    share = found.get(_KEY_SHARE, b"")
    has_share = share[:4] == _words(_X25519, _SHARE_BYTES) and len(share) == 4 + _SHARE_BYTES
    return has_share and found.get(_SUPPORTED_VERSIONS) == _words(_TLS13)


def _extension(kind: int, content: bytes) -> bytes:
    return _words(kind) + _sized(2, content)


def _sized(width: int, content: bytes) -> bytes:
    return len(content).to_bytes(width, "big") + content


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)
