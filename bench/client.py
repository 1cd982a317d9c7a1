"""A real Xray client that stays warm: its one way out is exchanged over its API, so that a dial costs only a dial.

Starting a client takes longer than anything measured here, and is not part of it. Field numbers are those of
v26.7.28: app/proxyman/command/command.proto, core/config.proto, app/proxyman/config.proto,
proxy/vless/outbound/config.proto, common/protocol/server_spec.proto, transport/internet/reality/config.proto.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from google.protobuf.message import Message
from tests.support import xray

from bench.instances import ended
from keystead.engines.xray import wire_pb2 as wire
from keystead.engines.xray.messages import _raw_key
from keystead.keeper.ports import free_loopback_port
from keystead.vpn.values import ClientProfile

_TAG = "way-out"
_SERVICE = "/xray.app.proxyman.command.HandlerService/"
_REALITY = "xray.transport.internet.reality.Config"


class WarmClient:
    """A client whose profile can be exchanged."""

    def __init__(self, socks_port: int, channel: grpc.aio.Channel) -> None:
        self._socks_port = socks_port
        self._add = channel.unary_unary(f"{_SERVICE}AddOutbound", None, None)
        self._remove = channel.unary_unary(f"{_SERVICE}RemoveOutbound", None, None)

    async def use(self, profile: ClientProfile) -> None:
        """Dial as this profile from now on."""
        await self._remove(_field(1, _TAG))
        await self._add(_field(1, _outbound(profile)))

    async def get(self, origin: tuple[str, int], *, within_s: float = 15.0) -> float | None:
        """Fetch a small page through the tunnel; return the seconds it took, None when it failed."""
        begun = time.perf_counter()
        is_served = await xray.get(self._socks_port, origin, 100, within_s=within_s) is not None
        return time.perf_counter() - begun if is_served else None


@asynccontextmanager
async def warm_client() -> AsyncIterator[WarmClient]:
    """Run a client without any profile yet."""
    socks_port, api_port = free_loopback_port(), free_loopback_port()
    config = {
        "log": {"loglevel": "none"},
        "api": {"tag": "api", "listen": f"127.0.0.1:{api_port}", "services": ["HandlerService"]},
        "inbounds": [{"listen": "127.0.0.1", "port": socks_port, "protocol": "socks"}],
        "outbounds": [],
    }
    process = await core(json.dumps(config).encode())
    try:
        await xray.until_listening(socks_port)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{api_port}", [("grpc.enable_http_proxy", 0)]) as channel:
            yield WarmClient(socks_port, channel)
    finally:
        await ended(process)


async def core(config: bytes) -> asyncio.subprocess.Process:
    """Start a bare core with a configuration, as anybody would by hand."""
    process = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig", "KILL", "--", str(xray.xray_path()), "run", "-config", "stdin:"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.write(config)
    process.stdin.close()
    return process


def _outbound(profile: ClientProfile) -> bytes:
    account = wire.VlessAccount(id=profile.uuid, flow=profile.flow, encryption="none")
    user = wire.User(account=_typed("xray.proxy.vless.Account", account.SerializeToString()))
    address = wire.IpOrDomain(ip=bytes(int(part) for part in profile.host.split(".")))
    endpoint = _field(1, _raw(address)) + _number(2, profile.port) + _field(3, _raw(user))
    reality = (
        _field(21, profile.fingerprint)
        + _field(22, profile.server_name)
        + _field(23, _raw_key(profile.public_key))
        + _field(24, bytes.fromhex(profile.short_id).ljust(8, b"\0"))
        + _field(26, "/")
    )
    stream = wire.StreamConfig(
        protocol_name="tcp", security_type=_REALITY, security_settings=[_typed(_REALITY, reality)]
    )
    sender = _typed("xray.app.proxyman.SenderConfig", _field(2, _raw(stream)))
    proxy = _typed("xray.proxy.vless.outbound.Config", _field(1, endpoint))
    return _field(1, _TAG) + _field(2, _raw(sender)) + _field(3, _raw(proxy))


def _typed(name: str, value: bytes) -> wire.TypedMessage:
    return wire.TypedMessage(type=name, value=value)


def _raw(message: Message) -> bytes:
    return message.SerializeToString()


def _field(number: int, value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
