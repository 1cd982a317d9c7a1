"""The native API's shapes of providers that are connected by a secret alone, and how they are presented."""

from collections.abc import Iterable
from typing import Any

from pydantic import AwareDatetime, Field

from keystead.dialects.v1.bases import Answer, Body
from keystead.operations.providers.joined import Joined, Standing
from keystead.providers.connectable import Connectable
from keystead.providers.registrar import RegisteredDomain
from keystead.providers.yandex_metrica import Counter, Day, Goal
from keystead.vault.credentialvalue import Credential


class SecretField(Answer):
    """A field of a secret."""

    name: str = Field(examples=["api_key"])
    hint: str = Field(description="What a person puts into it")
    is_json: bool = Field(description="Whether it is JSON, which may come as an object too")


class Provider(Answer):
    """A provider that is connected by a secret alone."""

    id: str = Field(examples=["namesilo"])
    title: str
    capabilities: list[str]
    ways: list[list[SecretField]] = Field(description="Alternatives of fields, the usual one first")


class Providers(Answer):
    """All of them."""

    items: list[Provider]


class Connect(Body):
    """What connects a provider."""

    secret: dict[str, str | dict[str, Any]] = Field(description="The fields of one of the provider's ways")
    alias: str | None = Field(None, description="Name for people; default: the provider and the account")


class Connected(Answer):
    """A credential, without its secret."""

    id: int
    provider: str
    alias: str
    external_id: str = Field(description="The account there, or a keyed hash where the provider has no name for it")
    status: str = Field(description="active, expired or revoked")
    scope: dict[str, Any]
    expires_at: AwareDatetime | None
    created_at: AwareDatetime
    account: dict[str, Any] = Field(description="What the provider said of the account")


class Status(Answer):
    """How a credential stands, as its provider said now."""

    credential_id: int
    status: str = Field(description="active, refused, expired or revoked; the last two are not asked about")
    checked_at: AwareDatetime | None = Field(description="When the provider was asked last")
    problem: str | None = Field(description="The code of the refusal")
    message: str | None = Field(description="The provider's own sentence")
    account: dict[str, Any] = Field(description="What the provider said of the account")


class Domain(Answer):
    """A domain at its registrar; null stands for what the registrar does not tell in its list."""

    name: str
    expires_on: str | None = Field(examples=["2027-01-22"])
    is_expired: bool | None
    is_locked: bool | None
    renews_itself: bool | None
    has_own_dns: bool | None


class Domains(Answer):
    """All domains of a credential."""

    items: list[Domain]


class NameServers(Answer):
    """Where a domain is pointed."""

    domain: str
    name_servers: list[str]


class NameServersSet(Body):
    """Where a domain is to be pointed."""

    name_servers: list[str] = Field(min_length=1, max_length=13)


class MetricaCounter(Answer):
    """A counter that the user may see."""

    id: int
    name: str
    site: str
    status: str
    permission: str
    owner_login: str


class MetricaCounters(Answer):
    """All counters of a credential."""

    items: list[MetricaCounter]


class MetricaDay(Answer):
    """The visits of one day, in the counter's own time zone."""

    day: str = Field(examples=["2026-11-01"])
    visits: int


class MetricaVisits(Answer):
    """A counter's visits by day, every day of the time that was asked for."""

    items: list[MetricaDay]


class MetricaGoal(Answer):
    """A goal of a counter; its kind is Yandex's word."""

    id: int
    name: str
    kind: str


class MetricaGoals(Answer):
    """A counter's goals."""

    items: list[MetricaGoal]


def providers(found: Iterable[Connectable[Any]]) -> dict[str, Any]:
    """Present providers."""
    return {
        "items": [
            {
                "id": what.id,
                "title": what.provider.title,
                "capabilities": sorted(one.value for one in what.provider.capabilities),
                "ways": [[vars(one) for one in way] for way in what.ways],
            }
            for what in found
        ]
    }


def connected(joined: Joined) -> dict[str, Any]:
    """Present a credential that was connected."""
    found: Credential = joined.credential
    names = ("id", "provider", "alias", "external_id", "status", "expires_at", "created_at")
    shown = {name: getattr(found, name) for name in names}
    return {**shown, "scope": dict(found.scope), "account": dict(joined.told)}


def status(standing: Standing) -> dict[str, Any]:
    """Present how a credential stands."""
    found = standing.credential
    return {
        "credential_id": found.id,
        "status": standing.status,
        "checked_at": found.checked_at,
        "problem": found.problem,
        "message": None if standing.refusal is None else standing.refusal.text,
        "account": dict(standing.told),
    }


def domains(found: Iterable[RegisteredDomain]) -> dict[str, Any]:
    """Present domains."""
    return {"items": [vars(one) for one in found]}


def counters(found: Iterable[Counter]) -> dict[str, Any]:
    """Present counters."""
    return {"items": [vars(one) for one in found]}


def visits(found: Iterable[Day]) -> dict[str, Any]:
    """Present visits by day."""
    return {"items": [vars(one) for one in found]}


def goals(found: Iterable[Goal]) -> dict[str, Any]:
    """Present goals."""
    return {"items": [vars(one) for one in found]}
