"""The shapes of zones, domains and records on the integrations wire, for its OpenAPI page. Not reused inside."""

from typing import Any, Literal

from pydantic import Field

from keystead.http.shapes import Shape


class ZoneMake(Shape):
    """A zone to be made."""

    root_domain: str = Field(examples=["example.com"])
    key_id: int | None = Field(None, description="Which key makes it; not needed where there is one of Cloudflare")


class Zone(Shape):
    """A zone as it was last seen."""

    id: int
    account_id: int
    key_id: int
    cf_zone_id: str
    root_domain: str
    status: str = Field(description="active, pending or error")
    plan: str
    ns_expected: str = Field(examples=["bob.ns.cloudflare.com,lola.ns.cloudflare.com"])
    verified: bool
    missing_since: str | None = Field(description="Since when it is no longer at Cloudflare")
    last_sync_at: str


class OneZone(Shape):
    """One zone."""

    ok: bool
    zone: Zone


class Zones(Shape):
    """All zones of the account."""

    ok: bool
    zones: list[Zone]


class SyncWanted(Shape):
    """Whose zones are read; an empty body is all keys'."""

    key_id: int | None = None


class Synced(Shape):
    """How many zones and domains were taken over."""

    ok: bool
    zones_synced: int
    domains_synced: int
    errors: list[str] | None = None


class Record(Shape):
    """A record; more fields are handed on to Cloudflare."""

    type: str = Field(examples=["A"])
    name: str = Field(examples=["www"])
    content: str | None = Field(None, examples=["192.0.2.1"])
    ttl: int = Field(1, description="Seconds; 1 is Cloudflare's choice")
    proxied: bool | None = None
    priority: int | None = None
    comment: str | None = None


class OneRecord(Shape):
    """One record, as Cloudflare writes it."""

    ok: bool
    record: dict[str, Any]


class Records(Shape):
    """All records of a zone, as Cloudflare writes them."""

    ok: bool
    records: list[dict[str, Any]]


class Operation(Shape):
    """A change of a batch."""

    action: Literal["create", "update", "delete"]
    id: str | None = Field(None, description="Of the record; not for a create")
    record: dict[str, Any] | None = Field(None, description="Not for a delete")


class Batch(Shape):
    """Up to 100 changes."""

    operations: list[Operation] = Field(max_length=100)


class Results(Shape):
    """How each of several things went; ``ok`` when all of them did."""

    ok: bool
    results: list[dict[str, Any]]
    succeeded: int
    failed: int


class Roots(Shape):
    """Up to 10 root domains."""

    domains: list[str] = Field(max_length=10)
    key_id: int | None = None


class DomainNamed(Shape):
    """A domain by its name."""

    domain_name: str


class DomainsNamed(Shape):
    """Up to 10 domains."""

    domains: list[str | DomainNamed] = Field(max_length=10)


class Settings(Shape):
    """Settings by name."""

    ok: bool
    settings: dict[str, Any]
    read_only: list[str] | None = Field(None, description="Those that the zone's plan does not let change")
    errors: dict[str, Any] | None = Field(None, description="Those that were refused, and why")


class Purge(Shape):
    """What is taken out of the cache; nothing named is everything."""

    purge_everything: bool | None = None
    files: list[str] | None = None


class Domain(Shape):
    """A domain of the account."""

    id: int
    domain_name: str
    zone_id: int | None
    key_id: int | None
    role: str
    blocked: bool


class Domains(Shape):
    """All domains of the account."""

    ok: bool
    domains: list[Domain]
