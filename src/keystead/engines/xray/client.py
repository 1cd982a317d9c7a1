"""Xray's gRPC API in our own words: one long-lived channel, a timeout on every call, errors translated here and once.

Used by the drivers only. The core answers nearly everything that goes wrong with code UNKNOWN and a text, so texts
are matched, each held by a test against the real core (tests/engines/xray/test_client.py); sources: proxy/vless
(validator.go), app/proxyman/inbound (inbound.go) and common (ErrNoClue) of v26.7.28.

The API has no authentication: the socket's mode is its lock.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from keystead.engines.xray import messages
from keystead.engines.xray import wire_pb2 as wire
from keystead.engines.xray.state import Counters, XrayInbound, XrayUser
from keystead.kit.errors import AlreadyExists, EngineUnavailable, KeysteadError, NotFound, Rejected, Unsupported
from keystead.kit.secret import Secret

_HANDLER = "/xray.app.proxyman.command.HandlerService/"
_STATS = "/xray.app.stats.command.StatsService/"
_ROUTING = "/xray.app.router.command.RoutingService/"

_OVER = "the Xray that was asked has ended"

_OPTIONS = [
    # The default of 4 MiB ends at about 30,000 users.
    ("grpc.max_receive_message_length", 256 << 20),
    # The default back-off grows to two minutes; a core is back within a second.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    # Pings that find out how much the way holds would ride on every call; to a process beside us it holds enough.
    ("grpc.http2.bdp_probe", 0),
    # A proxy in the environment is for the outside world, not for our own engine.
    ("grpc.enable_http_proxy", 0),
]

Answer = TypeVar("Answer", bound=Message, covariant=True)


class _Readable(Protocol[Answer]):
    @staticmethod
    def FromString(s: bytes) -> Answer: ...  # noqa: N802 - protobuf's own name


class XrayClient:
    """Talk to one core's API. Made and used on one event loop, which grpc.aio ties the channel to."""

    def __init__(self, address: str, *, timeout_s: float = 2.0, slow_timeout_s: float = 10.0) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._timeout_s = timeout_s
        self._slow_timeout_s = slow_timeout_s
        self._calls: dict[str, Any] = {}

    @classmethod
    def on_socket(cls, path: Path, *, timeout_s: float = 2.0) -> "XrayClient":
        """Return a client of the core whose API listens on a Unix socket."""
        return cls(f"unix:{path}", timeout_s=timeout_s)

    async def close(self) -> None:
        """Close the channel; calls under way may get their answer first, all others EngineUnavailable."""
        await self._channel.close(grace=self._timeout_s)

    async def add_user(self, tag: str, user: XrayUser) -> None:
        """Add a user to an inbound; raise AlreadyExists for a label that is in it, NotFound for no such inbound."""
        await self._ask(f"{_HANDLER}AlterInbound", messages.add_user(tag, user), wire.Empty)

    async def remove_user(self, tag: str, label: str) -> None:
        """Remove a user from an inbound; raise NotFound of kind ``user`` or ``inbound``."""
        await self._ask(f"{_HANDLER}AlterInbound", messages.remove_user(tag, label), wire.Empty)

    async def add_inbound(self, inbound: XrayInbound, users: Iterable[XrayUser] = ()) -> None:
        """Open a listener; a failed one is taken back, since the core keeps its tag although nothing listens."""
        try:
            request = messages.add_inbound(inbound, users)
            await self._ask(f"{_HANDLER}AddInbound", request, wire.Empty, self._slow_timeout_s)
        except Rejected:
            await self.remove_inbound(inbound.tag)
            raise

    async def remove_inbound(self, tag: str) -> None:
        """Close a listener; raise NotFound when there is none of that tag."""
        await self._ask(f"{_HANDLER}RemoveInbound", wire.RemoveInboundRequest(tag=tag), wire.Empty)

    async def add_socks(self, tag: str, port: int, *, account: str, password: Secret[str]) -> None:
        """Open a SOCKS listener on loopback for one account; a failed one is taken back."""
        try:
            request = messages.add_socks(tag, port, account=account, password=password)
            await self._ask(f"{_HANDLER}AddInbound", request, wire.Empty)
        except Rejected:
            await self.remove_inbound(tag)
            raise

    async def add_dialler(self, tag: str, inbound: XrayInbound, user: XrayUser) -> None:
        """Make an outbound that dials an inbound as its user; raise AlreadyExists when there is one of that tag."""
        await self._ask(f"{_HANDLER}AddOutbound", messages.add_dialler(tag, inbound, user), wire.Empty)

    async def remove_outbound(self, tag: str) -> None:
        """Drop an outbound; nothing happens when there is none of that tag."""
        await self._ask(f"{_HANDLER}RemoveOutbound", wire.RemoveOutboundRequest(tag=tag), wire.Empty)

    async def lead(self, tag: str) -> None:
        """Lead an inbound to the outbound of the same tag; it may be led there already."""
        await self._ask(f"{_ROUTING}RemoveRule", wire.RemoveRuleRequest(rule_tag=tag), wire.Empty)
        await self._ask(f"{_ROUTING}AddRule", messages.leading_rule(tag), wire.Empty)

    async def inbound_tags(self) -> Sequence[str]:
        """Return the tags of all inbounds."""
        request = wire.ListInboundsRequest(is_only_tags=True)
        answer = await self._ask(f"{_HANDLER}ListInbounds", request, wire.ListInboundsResponse)
        return [inbound.tag for inbound in answer.inbounds]

    async def users(self, tag: str) -> dict[str, XrayUser]:
        """Return all users of an inbound by label; raise NotFound for no such inbound."""
        request = wire.InboundUsersRequest(tag=tag)
        return messages.users_of(
            await self._ask(f"{_HANDLER}GetInboundUsers", request, wire.InboundUsersResponse, self._slow_timeout_s)
        )

    async def users_count(self, tag: str) -> int:
        """Return how many users an inbound has; raise NotFound for no such inbound."""
        request = wire.InboundUsersRequest(tag=tag)
        answer = await self._ask(f"{_HANDLER}GetInboundUsersCount", request, wire.InboundUsersCountResponse)
        return answer.count

    async def counters(self, label: str | None = None) -> Mapping[str, Counters]:
        """Return the bytes of a label (None: of all) since the core started, without resetting anything."""
        request = wire.QueryStatsRequest(pattern="user>>>" if label is None else f"user>>>{label}>>>")
        timeout_s = self._slow_timeout_s if label is None else self._timeout_s
        answer = await self._ask(f"{_STATS}QueryStats", request, wire.QueryStatsResponse, timeout_s)
        return messages.counters_of(answer)

    async def uptime_s(self) -> int:
        """Return the core's age in whole seconds: the cheapest question there is."""
        return (await self._ask(f"{_STATS}GetSysStats", wire.Empty(), wire.SysStatsResponse)).uptime_s

    async def online(self) -> Mapping[str, Mapping[str, int]]:
        """Return the labels online at each address, 127.0.0.1 and ::1 left out: the core does not note them.

        With each stands the second of the wall clock in which it last opened a connection, or a stream in one, from
        that address (app/stats/online_map.go, app/dispatcher/default.go of v26.7.28).

        One call from v26.4.13 on; a call for each user online before that.
        """
        try:
            answer = await self._ask(
                f"{_STATS}GetUsersStats", wire.UsersStatsRequest(), wire.UsersStatsResponse, self._slow_timeout_s
            )
        except Unsupported:
            return messages.labels_by_address(await self._online_one_by_one())
        return messages.labels_by_address(
            {user.email: {entry.ip: entry.last_seen for entry in user.ips} for user in answer.users}
        )

    async def _online_one_by_one(self) -> dict[str, dict[str, int]]:
        told = await self._ask(f"{_STATS}GetAllOnlineUsers", wire.Empty(), wire.AllOnlineUsersResponse)
        found: dict[str, dict[str, int]] = {}
        for name in told.users:
            with suppress(NotFound):
                request = wire.StatsRequest(name=name)
                listed = await self._ask(f"{_STATS}GetStatsOnlineIpList", request, wire.OnlineAddressesResponse)
                found[name.split(">>>")[1]] = dict(listed.ips)
        return found

    async def block(self, labels: Iterable[str], outbound: str) -> None:
        """Send new streams of these users to an outbound, also those inside a live Mux connection."""
        await self._ask(f"{_ROUTING}AddRule", messages.block_rules(labels, outbound), wire.Empty)

    async def unblock(self, label: str) -> None:
        """Drop the rule of a user; nothing happens when there is none."""
        await self._ask(f"{_ROUTING}RemoveRule", wire.RemoveRuleRequest(rule_tag=label), wire.Empty)

    async def rules(self) -> Sequence[str]:
        """Return the names of all routing rules that have one."""
        answer = await self._ask(f"{_ROUTING}ListRule", wire.Empty(), wire.ListRuleResponse)
        return [rule.rule_tag for rule in answer.rules if rule.rule_tag]

    async def _ask(
        self, method: str, request: Message, answer: _Readable[Answer], timeout_s: float | None = None
    ) -> Answer:
        call = self._calls.get(method)
        if call is None:
            call = self._calls[method] = self._channel.unary_unary(
                method, request_serializer=_serialized, response_deserializer=answer.FromString
            )
        try:
            result: Answer = await call(request, timeout=timeout_s or self._timeout_s)
        except grpc.aio.AioRpcError as error:
            raise _translated(error, method.rpartition("/")[2], request) from error
        except grpc.aio.UsageError as error:
            raise EngineUnavailable(_OVER) from error
        except asyncio.CancelledError as error:
            # A channel that is closed cancels its calls; that is no order to whoever waits for one to end.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise EngineUnavailable(_OVER) from error
        return result


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


def _translated(error: grpc.aio.AioRpcError, method: str, request: Message) -> KeysteadError:
    tag = getattr(request, "tag", "")
    match error.code():
        case grpc.StatusCode.UNAVAILABLE:
            return EngineUnavailable("Xray is not reachable")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return EngineUnavailable("Xray does not answer in time")
        case grpc.StatusCode.UNIMPLEMENTED:
            return Unsupported(f"this version of Xray has no {method}")
        case _:
            return _said(error.details() or "", method, tag) or Rejected(f"Xray refused {method}: {error.code().name}")


def _said(text: str, method: str, tag: str) -> KeysteadError | None:
    if "failed to get handler" in text or "not enough information" in text:
        return NotFound("inbound", tag)
    if "existing tag found" in text:
        return AlreadyExists(f"Xray has an inbound {tag} already")
    if "already exists" in text:
        return AlreadyExists(f"Xray has a user of that label in {tag} already")
    if "not found" in text:
        return NotFound("user", f"in {tag}")
    if "address already in use" in text:
        return Rejected(f"another program listens where {tag} should; stop it or choose another port")
    return None
