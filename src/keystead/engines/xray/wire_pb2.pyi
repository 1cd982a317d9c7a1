from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TypedMessage(_message.Message):
    __slots__ = ("type", "value")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    type: str
    value: bytes
    def __init__(self, type: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...

class User(_message.Message):
    __slots__ = ("level", "email", "account")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    level: int
    email: str
    account: TypedMessage
    def __init__(self, level: _Optional[int] = ..., email: _Optional[str] = ..., account: _Optional[_Union[TypedMessage, _Mapping]] = ...) -> None: ...

class VlessAccount(_message.Message):
    __slots__ = ("id", "flow", "encryption")
    ID_FIELD_NUMBER: _ClassVar[int]
    FLOW_FIELD_NUMBER: _ClassVar[int]
    ENCRYPTION_FIELD_NUMBER: _ClassVar[int]
    id: str
    flow: str
    encryption: str
    def __init__(self, id: _Optional[str] = ..., flow: _Optional[str] = ..., encryption: _Optional[str] = ...) -> None: ...

class AddUserOperation(_message.Message):
    __slots__ = ("user",)
    USER_FIELD_NUMBER: _ClassVar[int]
    user: User
    def __init__(self, user: _Optional[_Union[User, _Mapping]] = ...) -> None: ...

class RemoveUserOperation(_message.Message):
    __slots__ = ("email",)
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    email: str
    def __init__(self, email: _Optional[str] = ...) -> None: ...

class AlterInboundRequest(_message.Message):
    __slots__ = ("tag", "operation")
    TAG_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    tag: str
    operation: TypedMessage
    def __init__(self, tag: _Optional[str] = ..., operation: _Optional[_Union[TypedMessage, _Mapping]] = ...) -> None: ...

class InboundHandlerConfig(_message.Message):
    __slots__ = ("tag", "receiver_settings", "proxy_settings")
    TAG_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    PROXY_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    tag: str
    receiver_settings: TypedMessage
    proxy_settings: TypedMessage
    def __init__(self, tag: _Optional[str] = ..., receiver_settings: _Optional[_Union[TypedMessage, _Mapping]] = ..., proxy_settings: _Optional[_Union[TypedMessage, _Mapping]] = ...) -> None: ...

class AddInboundRequest(_message.Message):
    __slots__ = ("inbound",)
    INBOUND_FIELD_NUMBER: _ClassVar[int]
    inbound: InboundHandlerConfig
    def __init__(self, inbound: _Optional[_Union[InboundHandlerConfig, _Mapping]] = ...) -> None: ...

class RemoveInboundRequest(_message.Message):
    __slots__ = ("tag",)
    TAG_FIELD_NUMBER: _ClassVar[int]
    tag: str
    def __init__(self, tag: _Optional[str] = ...) -> None: ...

class ListInboundsRequest(_message.Message):
    __slots__ = ("is_only_tags",)
    IS_ONLY_TAGS_FIELD_NUMBER: _ClassVar[int]
    is_only_tags: bool
    def __init__(self, is_only_tags: _Optional[bool] = ...) -> None: ...

class ListInboundsResponse(_message.Message):
    __slots__ = ("inbounds",)
    INBOUNDS_FIELD_NUMBER: _ClassVar[int]
    inbounds: _containers.RepeatedCompositeFieldContainer[InboundHandlerConfig]
    def __init__(self, inbounds: _Optional[_Iterable[_Union[InboundHandlerConfig, _Mapping]]] = ...) -> None: ...

class InboundUsersRequest(_message.Message):
    __slots__ = ("tag", "email")
    TAG_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    tag: str
    email: str
    def __init__(self, tag: _Optional[str] = ..., email: _Optional[str] = ...) -> None: ...

class InboundUsersResponse(_message.Message):
    __slots__ = ("users",)
    USERS_FIELD_NUMBER: _ClassVar[int]
    users: _containers.RepeatedCompositeFieldContainer[User]
    def __init__(self, users: _Optional[_Iterable[_Union[User, _Mapping]]] = ...) -> None: ...

class InboundUsersCountResponse(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class PortRange(_message.Message):
    __slots__ = ("first", "last")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    first: int
    last: int
    def __init__(self, first: _Optional[int] = ..., last: _Optional[int] = ...) -> None: ...

class PortList(_message.Message):
    __slots__ = ("range",)
    RANGE_FIELD_NUMBER: _ClassVar[int]
    range: _containers.RepeatedCompositeFieldContainer[PortRange]
    def __init__(self, range: _Optional[_Iterable[_Union[PortRange, _Mapping]]] = ...) -> None: ...

class IpOrDomain(_message.Message):
    __slots__ = ("ip", "domain")
    IP_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    ip: bytes
    domain: str
    def __init__(self, ip: _Optional[bytes] = ..., domain: _Optional[str] = ...) -> None: ...

class StreamConfig(_message.Message):
    __slots__ = ("security_type", "security_settings", "protocol_name")
    SECURITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    SECURITY_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_NAME_FIELD_NUMBER: _ClassVar[int]
    security_type: str
    security_settings: _containers.RepeatedCompositeFieldContainer[TypedMessage]
    protocol_name: str
    def __init__(self, security_type: _Optional[str] = ..., security_settings: _Optional[_Iterable[_Union[TypedMessage, _Mapping]]] = ..., protocol_name: _Optional[str] = ...) -> None: ...

class ReceiverConfig(_message.Message):
    __slots__ = ("port_list", "listen", "stream_settings")
    PORT_LIST_FIELD_NUMBER: _ClassVar[int]
    LISTEN_FIELD_NUMBER: _ClassVar[int]
    STREAM_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    port_list: PortList
    listen: IpOrDomain
    stream_settings: StreamConfig
    def __init__(self, port_list: _Optional[_Union[PortList, _Mapping]] = ..., listen: _Optional[_Union[IpOrDomain, _Mapping]] = ..., stream_settings: _Optional[_Union[StreamConfig, _Mapping]] = ...) -> None: ...

class RealityConfig(_message.Message):
    __slots__ = ("dest", "type", "xver", "server_names", "private_key", "min_client_version", "short_ids", "fingerprint", "server_name", "public_key", "short_id", "spider_x", "spider_y")
    DEST_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    XVER_FIELD_NUMBER: _ClassVar[int]
    SERVER_NAMES_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_KEY_FIELD_NUMBER: _ClassVar[int]
    MIN_CLIENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    SHORT_IDS_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    SERVER_NAME_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    SHORT_ID_FIELD_NUMBER: _ClassVar[int]
    SPIDER_X_FIELD_NUMBER: _ClassVar[int]
    SPIDER_Y_FIELD_NUMBER: _ClassVar[int]
    dest: str
    type: str
    xver: int
    server_names: _containers.RepeatedScalarFieldContainer[str]
    private_key: bytes
    min_client_version: bytes
    short_ids: _containers.RepeatedScalarFieldContainer[bytes]
    fingerprint: str
    server_name: str
    public_key: bytes
    short_id: bytes
    spider_x: str
    spider_y: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, dest: _Optional[str] = ..., type: _Optional[str] = ..., xver: _Optional[int] = ..., server_names: _Optional[_Iterable[str]] = ..., private_key: _Optional[bytes] = ..., min_client_version: _Optional[bytes] = ..., short_ids: _Optional[_Iterable[bytes]] = ..., fingerprint: _Optional[str] = ..., server_name: _Optional[str] = ..., public_key: _Optional[bytes] = ..., short_id: _Optional[bytes] = ..., spider_x: _Optional[str] = ..., spider_y: _Optional[_Iterable[int]] = ...) -> None: ...

class VlessInboundConfig(_message.Message):
    __slots__ = ("users", "decryption")
    USERS_FIELD_NUMBER: _ClassVar[int]
    DECRYPTION_FIELD_NUMBER: _ClassVar[int]
    users: _containers.RepeatedCompositeFieldContainer[User]
    decryption: str
    def __init__(self, users: _Optional[_Iterable[_Union[User, _Mapping]]] = ..., decryption: _Optional[str] = ...) -> None: ...

class SocksInboundConfig(_message.Message):
    __slots__ = ("auth_type", "accounts")
    class AccountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    AUTH_TYPE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    auth_type: int
    accounts: _containers.ScalarMap[str, str]
    def __init__(self, auth_type: _Optional[int] = ..., accounts: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ServerEndpoint(_message.Message):
    __slots__ = ("address", "port", "user")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    address: IpOrDomain
    port: int
    user: User
    def __init__(self, address: _Optional[_Union[IpOrDomain, _Mapping]] = ..., port: _Optional[int] = ..., user: _Optional[_Union[User, _Mapping]] = ...) -> None: ...

class VlessOutboundConfig(_message.Message):
    __slots__ = ("server",)
    SERVER_FIELD_NUMBER: _ClassVar[int]
    server: ServerEndpoint
    def __init__(self, server: _Optional[_Union[ServerEndpoint, _Mapping]] = ...) -> None: ...

class SenderConfig(_message.Message):
    __slots__ = ("stream_settings",)
    STREAM_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    stream_settings: StreamConfig
    def __init__(self, stream_settings: _Optional[_Union[StreamConfig, _Mapping]] = ...) -> None: ...

class OutboundHandlerConfig(_message.Message):
    __slots__ = ("tag", "sender_settings", "proxy_settings")
    TAG_FIELD_NUMBER: _ClassVar[int]
    SENDER_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    PROXY_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    tag: str
    sender_settings: TypedMessage
    proxy_settings: TypedMessage
    def __init__(self, tag: _Optional[str] = ..., sender_settings: _Optional[_Union[TypedMessage, _Mapping]] = ..., proxy_settings: _Optional[_Union[TypedMessage, _Mapping]] = ...) -> None: ...

class AddOutboundRequest(_message.Message):
    __slots__ = ("outbound",)
    OUTBOUND_FIELD_NUMBER: _ClassVar[int]
    outbound: OutboundHandlerConfig
    def __init__(self, outbound: _Optional[_Union[OutboundHandlerConfig, _Mapping]] = ...) -> None: ...

class RemoveOutboundRequest(_message.Message):
    __slots__ = ("tag",)
    TAG_FIELD_NUMBER: _ClassVar[int]
    tag: str
    def __init__(self, tag: _Optional[str] = ...) -> None: ...

class QueryStatsRequest(_message.Message):
    __slots__ = ("pattern", "reset")
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    pattern: str
    reset: bool
    def __init__(self, pattern: _Optional[str] = ..., reset: _Optional[bool] = ...) -> None: ...

class Stat(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: int
    def __init__(self, name: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...

class QueryStatsResponse(_message.Message):
    __slots__ = ("stat",)
    STAT_FIELD_NUMBER: _ClassVar[int]
    stat: _containers.RepeatedCompositeFieldContainer[Stat]
    def __init__(self, stat: _Optional[_Iterable[_Union[Stat, _Mapping]]] = ...) -> None: ...

class SysStatsResponse(_message.Message):
    __slots__ = ("goroutines", "allocated_bytes", "uptime_s")
    GOROUTINES_FIELD_NUMBER: _ClassVar[int]
    ALLOCATED_BYTES_FIELD_NUMBER: _ClassVar[int]
    UPTIME_S_FIELD_NUMBER: _ClassVar[int]
    goroutines: int
    allocated_bytes: int
    uptime_s: int
    def __init__(self, goroutines: _Optional[int] = ..., allocated_bytes: _Optional[int] = ..., uptime_s: _Optional[int] = ...) -> None: ...

class UsersStatsRequest(_message.Message):
    __slots__ = ("include_traffic",)
    INCLUDE_TRAFFIC_FIELD_NUMBER: _ClassVar[int]
    include_traffic: bool
    def __init__(self, include_traffic: _Optional[bool] = ...) -> None: ...

class OnlineAddress(_message.Message):
    __slots__ = ("ip", "last_seen")
    IP_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_FIELD_NUMBER: _ClassVar[int]
    ip: str
    last_seen: int
    def __init__(self, ip: _Optional[str] = ..., last_seen: _Optional[int] = ...) -> None: ...

class UserStat(_message.Message):
    __slots__ = ("email", "ips")
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    IPS_FIELD_NUMBER: _ClassVar[int]
    email: str
    ips: _containers.RepeatedCompositeFieldContainer[OnlineAddress]
    def __init__(self, email: _Optional[str] = ..., ips: _Optional[_Iterable[_Union[OnlineAddress, _Mapping]]] = ...) -> None: ...

class UsersStatsResponse(_message.Message):
    __slots__ = ("users",)
    USERS_FIELD_NUMBER: _ClassVar[int]
    users: _containers.RepeatedCompositeFieldContainer[UserStat]
    def __init__(self, users: _Optional[_Iterable[_Union[UserStat, _Mapping]]] = ...) -> None: ...

class AllOnlineUsersResponse(_message.Message):
    __slots__ = ("users",)
    USERS_FIELD_NUMBER: _ClassVar[int]
    users: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, users: _Optional[_Iterable[str]] = ...) -> None: ...

class StatsRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class OnlineAddressesResponse(_message.Message):
    __slots__ = ("name", "ips")
    class IpsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    IPS_FIELD_NUMBER: _ClassVar[int]
    name: str
    ips: _containers.ScalarMap[str, int]
    def __init__(self, name: _Optional[str] = ..., ips: _Optional[_Mapping[str, int]] = ...) -> None: ...

class RoutingRule(_message.Message):
    __slots__ = ("tag", "user_email", "inbound_tag", "rule_tag")
    TAG_FIELD_NUMBER: _ClassVar[int]
    USER_EMAIL_FIELD_NUMBER: _ClassVar[int]
    INBOUND_TAG_FIELD_NUMBER: _ClassVar[int]
    RULE_TAG_FIELD_NUMBER: _ClassVar[int]
    tag: str
    user_email: _containers.RepeatedScalarFieldContainer[str]
    inbound_tag: _containers.RepeatedScalarFieldContainer[str]
    rule_tag: str
    def __init__(self, tag: _Optional[str] = ..., user_email: _Optional[_Iterable[str]] = ..., inbound_tag: _Optional[_Iterable[str]] = ..., rule_tag: _Optional[str] = ...) -> None: ...

class RouterConfig(_message.Message):
    __slots__ = ("rule",)
    RULE_FIELD_NUMBER: _ClassVar[int]
    rule: _containers.RepeatedCompositeFieldContainer[RoutingRule]
    def __init__(self, rule: _Optional[_Iterable[_Union[RoutingRule, _Mapping]]] = ...) -> None: ...

class AddRuleRequest(_message.Message):
    __slots__ = ("config", "should_append")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    SHOULD_APPEND_FIELD_NUMBER: _ClassVar[int]
    config: TypedMessage
    should_append: bool
    def __init__(self, config: _Optional[_Union[TypedMessage, _Mapping]] = ..., should_append: _Optional[bool] = ...) -> None: ...

class RemoveRuleRequest(_message.Message):
    __slots__ = ("rule_tag",)
    RULE_TAG_FIELD_NUMBER: _ClassVar[int]
    rule_tag: str
    def __init__(self, rule_tag: _Optional[str] = ...) -> None: ...

class ListedRule(_message.Message):
    __slots__ = ("tag", "rule_tag")
    TAG_FIELD_NUMBER: _ClassVar[int]
    RULE_TAG_FIELD_NUMBER: _ClassVar[int]
    tag: str
    rule_tag: str
    def __init__(self, tag: _Optional[str] = ..., rule_tag: _Optional[str] = ...) -> None: ...

class ListRuleResponse(_message.Message):
    __slots__ = ("rules",)
    RULES_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[ListedRule]
    def __init__(self, rules: _Optional[_Iterable[_Union[ListedRule, _Mapping]]] = ...) -> None: ...

class Empty(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
