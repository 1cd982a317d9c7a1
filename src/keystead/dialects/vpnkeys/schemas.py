"""The vpnkeys wire's shapes, for its OpenAPI page and for parsing bodies. Not reused inside."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from keystead.http.shapes import Shape

UUID_EXAMPLE = "123e4567-e89b-12d3-a456-426614174000"
UNIX = "Unix seconds"


class KeyCreate(Shape):
    """Body of a create; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)
    name: Annotated[str, Field(max_length=255)]
    plan: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="Name of a plan: quota, period, expiry and speed are copied from it (ours, not documented)"
    )


class Key(Shape):
    """A key."""

    id: str = Field(examples=[UUID_EXAMPLE])
    name: str
    uuid: str = Field(examples=[UUID_EXAMPLE])
    created_at: str = Field(description="ISO 8601, UTC", examples=["2025-08-05T12:00:00.000000"])
    is_active: bool
    port: int
    short_id: str = Field(examples=["5f9c2b7adfe7d8ab"])
    sni: str


class Config(Shape):
    """A key with its link."""

    key: Key
    client_config: str
    vless_url: str
    short_id: str


class Link(Config):
    """A link under every name that clients read it by."""

    key_id: str
    vless_link: str


class Deleted(Shape):
    """A deletion that is in force."""

    message: str


class Traffic(Shape):
    """Bytes of both directions since the creation or the last reset."""

    status: str
    key_id: str
    key_uuid: str
    total_bytes: int
    timestamp: str = Field(description="ISO 8601, UTC: when the figures were read", examples=["2025-11-21T16:00:00"])


class TrafficReset(Shape):
    """A reset."""

    status: str
    message: str
    key_id: str
    key_uuid: str
    timestamp: str = Field(description="ISO 8601, UTC", examples=["2025-11-21T16:00:00"])


class ShortIdMismatch(Shape):
    """A key that is not served where its short id is."""

    uuid: str
    port: int
    short_id: str


class ShortIds(Shape):
    """Whether each key is served where its short id is."""

    short_id_synced: bool
    keys_count: int
    config_count: int
    short_id_mismatches: list[ShortIdMismatch]
    short_id_mismatches_count: int


class Validation(ShortIds):
    """How database and engine agree, under every name that clients read it by."""

    synced: bool
    synchronized: bool
    uuid_synced: bool
    key_uuids: list[str]
    config_uuids: list[str]
    missing_in_config: list[str]
    extra_in_config: list[str]
    total_keys: int
    total_config_clients: int


class Done(Shape):
    """Something that was carried out."""

    message: str
    status: str
    timestamp: int = Field(description=UNIX)


class ConfigSync(Done):
    """The engine holds what it should."""

    validation: Validation


class XrayConfigSync(Done):
    """The engine holds what it should."""

    short_id_sync: ShortIds


class ConfigStatus(Shape):
    """Which keys there are and which the engine holds."""

    synchronized: bool
    keys_json_count: int
    config_json_count: int
    keys_json_uuids: list[str]
    config_json_uuids: list[str]
    timestamp: int = Field(description=UNIX)


class Ports(Shape):
    """Which ports are taken."""

    port_assignments: dict[str, Any]
    used_ports: int
    available_ports: int
    max_ports: int
    port_range: str = Field(examples=["10001-10100"])
    timestamp: int = Field(description=UNIX)


class PortValidation(Shape):
    """What is wrong with the ports."""

    valid: bool
    issues: list[str]
    total_assignments: int
    total_used_ports: int


class PortsStatus(Shape):
    """Whether the ports are in order."""

    validation: PortValidation
    timestamp: int = Field(description=UNIX)


class EngineStatus(Shape):
    """What the engine has open."""

    status: str
    total_inbounds: int
    vless_inbounds: int
    api_inbound: bool
    api_inbounds: int
    port_assignments: dict[str, list[str]]
    config_valid: bool
    timestamp: int = Field(description=UNIX)


class XrayConfigStatus(Shape):
    """What the engine has open."""

    config_status: EngineStatus
    timestamp: int = Field(description=UNIX)


class Inbound(Shape):
    """An inbound that the engine has open."""

    tag: str
    port: int
    client_count: int
    uuids: list[str]
    short_ids: list[str]
    dest: str
    server_names: list[str]


class Inbounds(Shape):
    """The inbounds of keys that the engine has open."""

    inbounds: list[Inbound]
    timestamp: int = Field(description=UNIX)
    source: str


class XrayValidation(Shape):
    """How database and engine agree."""

    validation: Validation
    timestamp: int = Field(description=UNIX)


class Service(Shape):
    """Liveness."""

    message: str
    version: str
    status: str


class Health(Shape):
    """How the service is doing."""

    status: str = Field(description="healthy, degraded or unhealthy")
    timestamp: str = Field(description="ISO 8601, UTC")
    version: str
    services: dict[str, str]
    resources: dict[str, float]
    uptime_seconds: int
    reasons: list[str]


class FieldProblem(Shape):
    """What is wrong with one field."""

    field: str
    message: str


class Error(Shape):
    """Any failure."""

    detail: str = Field(examples=["Key not found"])
    errors: list[FieldProblem] | None = Field(None, description="With 400: what is wrong with each field")
    error: str | None = Field(None, description="With 429: the same as detail, for clients that read this name")
    request_id: str | None = Field(None, description="With 500: what to look for in the log")
