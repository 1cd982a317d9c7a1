"""The integrations wire's shapes, for its OpenAPI page. Not reused inside."""

from typing import Any

from pydantic import BaseModel, Field

from keystead.http.shapes import Shape


class CloudflareInit(Shape):
    """What connects a Cloudflare account."""

    cf_account_id: str = Field(examples=["7fadeb365dc925694b8dcfb313412345"])
    bootstrap_token: str = Field(description="A token that may make tokens; it is deleted when the key works")
    key_alias: str | None = Field(None, description="Name for people; default: 301st-YYYYMMDD-HHMMSS")
    profile: str | None = Field(None, description="documented (the default), dns-only, bulk-redirects")
    confirm_replace: bool = Field(False, description="Replace another account, where the plan allows one only")


class Sync(Shape):
    """How many zones and domains were taken over."""

    zones: int
    domains: int
    errors: list[str] | None = Field(None, description="Zones that another account has")


class CloudflareConnected(Shape):
    """A Cloudflare account that is connected."""

    ok: bool
    key_id: int
    is_rotation: bool
    sync: Sync | None = Field(None, description="Only when zones were read")
    sync_error: str | None = Field(None, description="Why zones could not be read; they will be, by themselves")
    warnings: list[str] | None = Field(None, description="What is left at Cloudflare")


class NamecheapInit(Shape):
    """What connects a Namecheap user."""

    username: str
    api_key: str
    key_alias: str | None = Field(None, description="Name for people; default: namecheap-{username}")


class NamecheapConnected(Shape):
    """A Namecheap user that is connected."""

    ok: bool
    key_id: int
    message: str
    balance: str = Field(examples=["8.32"])


class ProxyIps(Shape):
    """The addresses that Namecheap has to let in."""

    ok: bool
    ips: list[str]


class Joined(BaseModel, extra="allow"):
    """A provider that is connected; what it says of the account comes besides."""

    ok: bool
    key_id: int
    message: str


class Standing(BaseModel, extra="allow"):
    """How a key stands, as its provider said now; what it says of the account comes besides."""

    ok: bool
    key_id: int
    status: str = Field(examples=["active"], description="active, refused, expired or revoked")
    checked_at: str | None = Field(description="When the provider was asked last")
    reason: str | None = Field(None, description="Why it is refused")
    message: str | None = Field(None, description="The provider's own sentence")


class RegisteredDomain(Shape):
    """A domain at its registrar."""

    domain: str
    expires: str = Field(examples=["09/22/2026"], description="MM/DD/YYYY")


class Domains(Shape):
    """All domains of a user."""

    ok: bool
    domains: list[RegisteredDomain]


class Counter(Shape):
    """A counter that the user may see."""

    id: int
    name: str
    site: str
    status: str
    permission: str = Field(examples=["own"], description="own, view or edit")
    owner_login: str


class Counters(Shape):
    """All counters of a user."""

    ok: bool
    counters: list[Counter]


class DayOfVisits(Shape):
    """The visits of one day."""

    date: str = Field(examples=["2026-11-01"])
    visits: int


class Visits(Shape):
    """A counter's visits by day, every day of the time that was asked for."""

    ok: bool
    visits: list[DayOfVisits]


class Goal(Shape):
    """A goal of a counter."""

    id: int
    name: str
    type: str


class Goals(Shape):
    """A counter's goals."""

    ok: bool
    goals: list[Goal]


class NameServers(Shape):
    """Where a domain is pointed."""

    key_id: int
    domain: str
    nameservers: list[str] = Field(min_length=1)


class Message(Shape):
    """A change that is in force."""

    ok: bool
    message: str


class Key(Shape):
    """A key of a provider, without its secret."""

    id: int
    account_id: int
    provider: str
    key_alias: str
    external_account_id: str
    status: str = Field(examples=["active"], description="active, expired or revoked")
    expires_at: str | None
    last_used: str | None
    created_at: str
    provider_scope: dict[str, Any] | str
    client_env: None


class Keys(Shape):
    """All keys of the account, newest first."""

    ok: bool
    keys: list[Key]


class OneKey(Shape):
    """One key."""

    ok: bool
    key: Key


class KeyChange(Shape):
    """What changes about a key."""

    key_alias: str | None = None
    status: str | None = Field(None, description="active or revoked")


class Done(Shape):
    """A change that is in force."""

    ok: bool


class Error(Shape):
    """Any failure."""

    ok: bool
    error: str = Field(examples=["missing_fields"])
    recoverable: bool = Field(description="Whether the same request may work later")
    reason: str | None = Field(None, description="With owner_required")
    message: str | None = None
    context: dict[str, Any] | None = None
