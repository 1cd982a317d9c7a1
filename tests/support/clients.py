"""Client programs for tests: one Xray for many keys, and UDP through a SOCKS port."""

import asyncio
import ipaddress
import json
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from python_socks import ProxyConnectionError, ProxyError, ProxyType
from python_socks.async_.asyncio import Proxy

from keystead.keeper.ports import free_loopback_port
from tests.support import xray
from tests.support.xray import Profile

_AT_ONCE = 16
_PASSWORD = "x"


@asynccontextmanager
async def running(argv: Sequence[str | Path], config: Mapping[str, object], port: int) -> AsyncIterator[int]:
    """Run a client program that reads its configuration from standard input; yield its pid when it listens."""
    process = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig", "KILL", "--", *argv),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(config).encode())
        process.stdin.close()
        await xray.until_listening(port)
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def many_config(profiles: Sequence[Profile], socks_port: int, *, sent_from: str = "0.0.0.0") -> dict[str, object]:
    """Return the configuration of one Xray for many keys: the account ``u<n>`` of its SOCKS goes out as profile n."""
    outbounds: list[dict[str, Any]] = []
    for number, profile in enumerate(profiles):
        whole: Any = xray.client_config(profile, socks_port)
        outbounds.append({**whole["outbounds"][0], "tag": f"o{number}", "sendThrough": sent_from})
    accounts = [{"user": f"u{number}", "pass": _PASSWORD} for number in range(len(profiles))]
    inbound = {
        "listen": "127.0.0.1",
        "port": socks_port,
        "protocol": "socks",
        "settings": {"auth": "password", "accounts": accounts},
    }
    rules = [{"type": "field", "user": [f"u{n}"], "outboundTag": f"o{n}"} for n in range(len(profiles))]
    return {
        "log": {"loglevel": "none", "access": "none"},
        "inbounds": [inbound],
        "outbounds": outbounds,
        "routing": {"rules": rules},
    }


async def dial_many(
    profiles: Sequence[Profile],
    to: tuple[str, int],
    size: int = 100,
    *,
    within_s: float = 20.0,
    sent_from: str = "0.0.0.0",
) -> list[bool]:
    """Fetch once as every one of these keys, from one client program; tell for each whether it was served."""
    if not profiles:
        return []
    port, gate = free_loopback_port(), asyncio.Semaphore(_AT_ONCE)
    config = many_config(profiles, port, sent_from=sent_from)

    async def one(number: int) -> bool:
        async with gate:
            return await fetches(port, f"u{number}", to, size, within_s)

    async with running([xray.xray_path(), "run", "-config", "stdin:"], config, port):
        return await asyncio.gather(*(one(number) for number in range(len(profiles))))


async def fetches(socks_port: int, account: str, to: tuple[str, int], size: int, within_s: float) -> bool:
    """Fetch once through a SOCKS port as one of its accounts; tell whether all of it came."""
    proxy = Proxy(ProxyType.SOCKS5, "127.0.0.1", socks_port, username=account, password=_PASSWORD)
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection(sock=await proxy.connect(*to))
            try:
                writer.write(b"GET /%d HTTP/1.1\r\nHost: origin\r\n\r\n" % size)
                answer = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(size)
            finally:
                writer.transport.abort()
    except (OSError, EOFError, ProxyError, ProxyConnectionError):
        return False
    return answer.startswith(b"HTTP/1.1 200")


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.received.put_nowait(data)


class _Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._transport.sendto(data, addr)


@asynccontextmanager
async def udp_echo(host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Echo datagrams on a loopback port."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(_Echo, local_addr=(host, 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


async def udp_exchange(socks_port: int, to: tuple[str, int], payload: bytes, *, within_s: float = 10.0) -> bytes | None:
    """Send a datagram through a SOCKS port (RFC 1928, UDP ASSOCIATE) and return what comes back; None for nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", socks_port)
    try:
        async with asyncio.timeout(within_s):
            writer.write(b"\x05\x01\x00")
            assert await reader.readexactly(2) == b"\x05\x00"
            writer.write(b"\x05\x03\x00\x01\0\0\0\0\0\0")
            answer = await reader.readexactly(10)
            relay = ("127.0.0.1", struct.unpack("!H", answer[8:])[0])
            transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
                _Datagrams, remote_addr=relay
            )
            try:
                header = b"\0\0\0\x01" + ipaddress.IPv4Address(to[0]).packed + struct.pack("!H", to[1])
                transport.sendto(header + payload)
                return (await protocol.received.get())[10:]
            finally:
                transport.close()
    except TimeoutError:
        return None
    finally:
        writer.transport.abort()
