"""The protobuf messages of ``wire.proto``, made from and read into our own values: pure, used by the client only.

Messages are built by typed code alone, since an account of a wrong type or an inbound without settings can panic the
whole core (XTLS/Xray-core#1910).
"""

import base64
import ipaddress
from collections.abc import Iterable, Mapping

from google.protobuf.message import DecodeError, Message

from keystead.engines.xray import wire_pb2 as wire
from keystead.engines.xray.state import Counters, XrayInbound, XrayUser
from keystead.kit.errors import Rejected
from keystead.kit.secret import Secret

_ACCOUNT = "xray.proxy.vless.Account"
_REALITY = "xray.transport.internet.reality.Config"
_SHORT_ID_SIZE_BYTES = 8
# proxy/socks, AuthType.
_WITH_PASSWORD = 1
_LOOPBACK = "127.0.0.1"
_USER, _UPLINK, _DOWNLINK = "user>>>", "traffic>>>uplink", "traffic>>>downlink"


def add_user(tag: str, user: XrayUser) -> wire.AlterInboundRequest:
    """Return the request that adds a user to an inbound."""
    operation = wire.AddUserOperation(user=_user(user))
    return wire.AlterInboundRequest(tag=tag, operation=_typed("xray.app.proxyman.command.AddUserOperation", operation))


def remove_user(tag: str, label: str) -> wire.AlterInboundRequest:
    """Return the request that removes a user from an inbound."""
    operation = wire.RemoveUserOperation(email=label)
    return wire.AlterInboundRequest(
        tag=tag, operation=_typed("xray.app.proxyman.command.RemoveUserOperation", operation)
    )


def add_inbound(inbound: XrayInbound, users: Iterable[XrayUser]) -> wire.AddInboundRequest:
    """Return the request that opens a VLESS + REALITY listener with its users."""
    reality = wire.RealityConfig(
        dest=inbound.stranger_goes_to,
        xver=1 if inbound.behind else 0,
        type="tcp",
        server_names=inbound.server_names,
        private_key=_raw_key(inbound.private_key.reveal()),
        # Hot-added inbounds get no default for an empty value, those from JSON do: so it is always explicit.
        min_client_version=bytes(int(part) for part in inbound.min_client_version.split(".")),
        short_ids=[_raw_short_id(short_id) for short_id in inbound.short_ids],
    )
    receiver = wire.ReceiverConfig(
        port_list=wire.PortList(range=[wire.PortRange(first=inbound.port, last=inbound.port)]),
        listen=_address(inbound.listen),
        stream_settings=_stream(reality),
    )
    proxy = wire.VlessInboundConfig(users=[_user(user) for user in users], decryption="none")
    return _opening(inbound.tag, receiver, _typed("xray.proxy.vless.inbound.Config", proxy))


def add_socks(tag: str, port: int, *, account: str, password: Secret[str]) -> wire.AddInboundRequest:
    """Return the request that opens a SOCKS listener on loopback, for one account and without UDP."""
    receiver = wire.ReceiverConfig(
        port_list=wire.PortList(range=[wire.PortRange(first=port, last=port)]), listen=_address(_LOOPBACK)
    )
    proxy = wire.SocksInboundConfig(auth_type=_WITH_PASSWORD, accounts={account: password.reveal()})
    return _opening(tag, receiver, _typed("xray.proxy.socks.ServerConfig", proxy))


def add_dialler(tag: str, inbound: XrayInbound, user: XrayUser) -> wire.AddOutboundRequest:
    """Return the request that makes an outbound which dials an inbound as its user, under its first server name."""
    reality = wire.RealityConfig(
        fingerprint="chrome",
        server_name=inbound.server_names[0],
        public_key=_raw_key(inbound.public_key),
        short_id=_raw_short_id(inbound.short_ids[0]),
        # What a JSON configuration is given where it says nothing; without it a stranger's answer ends the core.
        spider_x="/",
        spider_y=[0] * 10,
    )
    server = wire.ServerEndpoint(
        address=_address(inbound.listen),
        port=inbound.port,
        user=_user(XrayUser("", user.uuid, user.flow)),
    )
    return wire.AddOutboundRequest(
        outbound=wire.OutboundHandlerConfig(
            tag=tag,
            sender_settings=_typed(
                "xray.app.proxyman.SenderConfig", wire.SenderConfig(stream_settings=_stream(reality))
            ),
            proxy_settings=_typed("xray.proxy.vless.outbound.Config", wire.VlessOutboundConfig(server=server)),
        )
    )


def users_of(response: wire.InboundUsersResponse) -> dict[str, XrayUser]:
    """Return the users of an inbound by label; raise Rejected for an account that is not VLESS."""
    return {user.email: _parsed(user) for user in response.users}


def counters_of(response: wire.QueryStatsResponse) -> Mapping[str, Counters]:
    """Return the bytes of each label from ``user>>>LABEL>>>traffic>>>uplink|downlink``; other counters are skipped."""
    ways: dict[str, dict[str, int]] = {_UPLINK: {}, _DOWNLINK: {}}
    for stat in response.stat:
        name = stat.name
        label, _, what = name[len(_USER) :].partition(">>>")
        if what in ways and name.startswith(_USER):
            ways[what][label] = stat.value
    up, down = ways[_UPLINK], ways[_DOWNLINK]
    return {label: Counters(up.get(label, 0), down.get(label, 0)) for label in up | down}


def labels_by_address(users: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Return the labels online at each address with their last second there, from the addresses of each label."""
    found: dict[str, dict[str, int]] = {}
    for label, addresses in users.items():
        for address, last_seen in addresses.items():
            found.setdefault(address, {})[label] = last_seen
    return found


def block_rules(labels: Iterable[str], outbound: str) -> wire.AddRuleRequest:
    """Return the request that sends everything these users ask for to an outbound; each rule is named as its label.

    Appended: a request that does not append replaces every rule there is (app/router/router.go, v26.7.28).
    """
    return _appended([wire.RoutingRule(tag=outbound, user_email=[label], rule_tag=label) for label in labels])


def leading_rule(tag: str) -> wire.AddRuleRequest:
    """Return the request that has all that comes in at an inbound go out by the outbound of the same tag."""
    return _appended([wire.RoutingRule(tag=tag, inbound_tag=[tag], rule_tag=tag)])


def _appended(rules: Iterable[wire.RoutingRule]) -> wire.AddRuleRequest:
    config = wire.RouterConfig(rule=rules)
    return wire.AddRuleRequest(config=_typed("xray.app.router.Config", config), should_append=True)


def _opening(tag: str, receiver: wire.ReceiverConfig, proxy: wire.TypedMessage) -> wire.AddInboundRequest:
    settings = _typed("xray.app.proxyman.ReceiverConfig", receiver)
    return wire.AddInboundRequest(
        inbound=wire.InboundHandlerConfig(tag=tag, receiver_settings=settings, proxy_settings=proxy)
    )


def _stream(reality: wire.RealityConfig) -> wire.StreamConfig:
    settings = [_typed(_REALITY, reality)]
    return wire.StreamConfig(protocol_name="tcp", security_type=_REALITY, security_settings=settings)


def _address(host: str) -> wire.IpOrDomain:
    return wire.IpOrDomain(ip=ipaddress.ip_address(host).packed)


def _user(user: XrayUser) -> wire.User:
    account = wire.VlessAccount(id=user.uuid, flow=user.flow, encryption="none")
    return wire.User(email=user.label, account=_typed(_ACCOUNT, account))


def _parsed(user: wire.User) -> XrayUser:
    if user.account.type != _ACCOUNT:
        raise Rejected(f"user {user.email} has an account of type {user.account.type or 'nothing'}, not VLESS")
    try:
        account = wire.VlessAccount.FromString(user.account.value)
    except DecodeError as error:
        raise Rejected(f"the account of user {user.email} cannot be read; is this core supported?") from error
    return XrayUser(user.email, account.id, account.flow)


def _typed(name: str, message: Message) -> wire.TypedMessage:
    return wire.TypedMessage(type=name, value=message.SerializeToString())


def _raw_short_id(text: str) -> bytes:
    return bytes.fromhex(text).ljust(_SHORT_ID_SIZE_BYTES, b"\0")


def _raw_key(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
