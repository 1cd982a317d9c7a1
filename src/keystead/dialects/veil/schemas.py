"""The veil wire's shapes, for its OpenAPI page and for parsing bodies. Not reused inside."""

from typing import Annotated

from pydantic import ConfigDict, Field

from keystead.http.shapes import Shape

UUID_EXAMPLE = "123e4567-e89b-12d3-a456-426614174000"


class KeyCreate(Shape):
    """Body of a create; a missing body is an empty one, unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)
    name: Annotated[str, Field(max_length=255)] | None = None
    plan: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="Name of a plan: quota, period, expiry and speed are copied from it (ours, not documented)"
    )


class Key(Shape):
    """A key."""

    key_id: int
    uuid: str = Field(examples=[UUID_EXAMPLE])
    short_id: str = Field(examples=["7bb45050"])
    name: str | None
    created_at: int = Field(description="Unix seconds")
    is_active: bool


class KeyList(Shape):
    """All keys."""

    keys: list[Key]
    total: int


class Deleted(Shape):
    """A deletion that is in force."""

    success: bool
    message: str


class Link(Shape):
    """A link."""

    key_id: int
    vless_link: str


class Config(Link):
    """A link under every name that clients read it by."""

    client_config: str
    vless_url: str
    config: str


class Traffic(Shape):
    """Bytes since the last reset; upload is client to server."""

    key_id: int
    upload: int
    download: int
    total: int
    last_updated: int = Field(description="Unix seconds")


class TrafficReset(Shape):
    """The figures a reset ended."""

    success: bool
    message: str
    key_id: int
    previous_upload: int
    previous_download: int
    previous_total: int


class TrafficSync(Shape):
    """How a sync went."""

    success: bool
    message: str
    updated: int
    errors: int


class ConfigSync(Shape):
    """The engine holds what it should."""

    message: str
    status: str
    timestamp: int


class Service(Shape):
    """Liveness."""

    status: str
    service: str
    message: str
    version: str


class Health(Shape):
    """How the service is doing."""

    status: str = Field(description="ok, degraded or unhealthy")
    service: str
    reasons: list[str]


class FieldProblem(Shape):
    """What is wrong with one field."""

    field: str
    message: str


class Error(Shape):
    """Any failure."""

    detail: str = Field(examples=["Key with id 999 not found"])
    errors: list[FieldProblem] | None = Field(None, description="With 400: what is wrong with each field")
    error: str | None = Field(None, description="With 429: the same as detail, for clients that read this name")
    request_id: str | None = Field(None, description="With 500: what to look for in the log")
