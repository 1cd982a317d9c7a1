"""What a provider declares of itself: capabilities, fields, errors and limits; a page of docs/ is generated from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Capability(StrEnum):
    """Something that can be done at a provider."""

    TOKENS = "make, verify, roll and delete tokens"
    ZONES = "list, create and delete zones"
    RECORDS = "list, change, batch, export and import DNS records"
    SETTINGS = "read and change settings of zones"
    CACHE = "purge caches"
    REDIRECTS = "set single and bulk redirects"
    DOMAINS = "list domains"
    NAME_SERVERS = "set a domain's name servers"
    READ_NAME_SERVERS = "read a domain's name servers"
    HOSTS = "read and replace a domain's DNS hosts"
    BALANCE = "read the balance"
    MONITORS = "list, create and delete monitors, read their states"
    PROPERTIES = "list properties"
    REALTIME = "read who is there now"
    COUNTERS = "list counters"
    VISITS = "read visits by day"
    GOALS = "list a counter's goals"


@dataclass(frozen=True)
class Provider:
    """A provider as it declares itself.

    ``lacks`` names what it cannot do here, with the reason; ``errors`` what its codes mean to us. ``pace`` is rules of
    so many requests in so many seconds per credential, where its answers do not tell the limit themselves, ``parallel``
    how many of them may be under way at once, and ``busy_statuses`` how it says that its limit is reached. ``hosts``
    are further base URLs by name, for what it keeps elsewhere; each of them is a setting too.
    """

    id: str
    title: str
    base_url: str
    secret_fields: tuple[str, ...]
    public_fields: tuple[str, ...]
    capabilities: frozenset[Capability]
    errors: Mapping[str, str]
    limits: str
    lacks: Mapping[str, str]
    pace: tuple[tuple[int, float], ...] = ()
    parallel: int | None = None
    busy_statuses: frozenset[int] = frozenset({429})
    hosts: Mapping[str, str] = field(default_factory=dict)
