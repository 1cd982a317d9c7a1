"""What a provider declares of itself: capabilities, fields, errors and limits; a page of docs/ is generated from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Capability(StrEnum):
    """Something that can be done at a provider."""

    TOKENS = "make, verify, roll and delete tokens"
    ZONES = "list, create and delete zones"
    RECORDS = "list, change, batch, export and import DNS records"
    SETTINGS = "read and change settings of zones"
    CACHE = "purge caches"
    DOMAINS = "list domains"
    NAME_SERVERS = "set a domain's name servers"
    BALANCE = "read the balance"


@dataclass(frozen=True)
class Provider:
    """A provider as it declares itself.

    ``lacks`` names what it cannot do here, with the reason; ``errors`` what its codes mean to us; ``pace`` is so many
    requests in so many seconds per credential, where its answers do not tell the limit themselves.
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
    pace: tuple[int, float] | None = None
