"""What is not as it should be with a domain, from what registrar, zone and DNS say of it; pure.

The zone says where a domain should point, the registrar where it does, and DNS what everybody is told. A thing that is
not known gives no finding: a registrar that was not asked yet, a domain without a zone, a DNS that did not answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from keystead.vault.contentvalue import Difference

ZONE_ERROR = "error"

K = TypeVar("K")


class Drift(StrEnum):
    """What can be wrong."""

    # The registrar has other name servers than the zone wants.
    REGISTRAR = "registrar-name-servers"
    # DNS tells other name servers than the registrar has, or, where no registrar is known, than the zone wants.
    DNS = "dns-name-servers"
    # DNS names none, though a registrar or a zone does.
    UNRESOLVED = "dns-unresolved"
    # The provider does not show the zone any more.
    ZONE_MISSING = "zone-missing"
    # The provider says that the zone has moved or was deactivated.
    ZONE_MOVED = "zone-moved"
    # The registrar does not list the domain any more.
    REGISTRATION_MISSING = "registration-missing"
    # The zone has other records than are right there.
    RECORDS = "records"
    # Redirects that were made here are others, or gone.
    REDIRECTS = "redirects"
    # Bulk redirects that were made here are others, or gone: of a credential, whose account has the list of them.
    BULK_REDIRECTS = "bulk-redirects"
    # The provider takes the credential, and does not let it read what a zone holds.
    PERMISSION_MISSING = "credential-permission-missing"
    # The provider does not take the credential any more.
    CREDENTIAL_REFUSED = "credential-refused"


# What may be no drift at all: who was asked long ago knows nothing of a change that the others know.
OF_NAME_SERVERS = frozenset({Drift.REGISTRAR, Drift.DNS, Drift.UNRESOLVED})


@dataclass(frozen=True)
class Seen:
    """What is known of a domain; None is not known. Name servers are lists as they were told.

    ``is_registered`` says that a registrar lists the domain, though it may not have told the name servers yet: until it
    has, DNS is compared with nothing.
    """

    is_registered: bool = False
    registrar: Sequence[str] | None = None
    zone: Sequence[str] | None = None
    dns: Sequence[str] | None = None
    dns_problem: str | None = None
    zone_status: str | None = None
    zone_missing_since: datetime | None = None
    records: Difference | None = None
    redirects: Difference | None = None
    registration_missing_since: datetime | None = None


@dataclass(frozen=True)
class Deviation:
    """One finding without its object: what should be and what is, each as a list of texts."""

    kind: Drift
    expected: tuple[str, ...]
    seen: tuple[str, ...]


@dataclass(frozen=True)
class Change(Generic[K]):
    """What has to be written: findings that are new, that look different now, and those that are cured."""

    new: Mapping[K, Deviation]
    changed: Mapping[K, Deviation]
    cured: tuple[K, ...]


def deviations(seen: Seen) -> list[Deviation]:
    """Return what is not as it should be with a domain."""
    found = []
    if seen.registration_missing_since is not None:
        found.append(Deviation(Drift.REGISTRATION_MISSING, ("listed",), ("not listed",)))
    if seen.zone_missing_since is not None:
        found.append(Deviation(Drift.ZONE_MISSING, ("there",), ("not there",)))
    elif seen.zone_status == ZONE_ERROR:
        found.append(Deviation(Drift.ZONE_MOVED, ("active",), ("moved or deactivated",)))
    return [*found, *_of_contents(seen), *_of_name_servers(seen)]


def compared(stored: Mapping[K, Deviation], now: Mapping[K, Deviation]) -> Change[K]:
    """Return how findings have changed; keys say of what a finding is, and of which kind."""
    return Change(
        new={key: found for key, found in now.items() if key not in stored},
        changed={key: found for key, found in now.items() if key in stored and stored[key] != found},
        cured=tuple(key for key in stored if key not in now),
    )


def _of_contents(seen: Seen) -> list[Deviation]:
    """Return how what the zone holds differs; of a zone that is not there nothing is said."""
    if seen.zone_missing_since is not None:
        return []
    told = ((Drift.RECORDS, seen.records), (Drift.REDIRECTS, seen.redirects))
    return [Deviation(kind, found.expected, found.seen) for kind, found in told if found is not None]


def _of_name_servers(seen: Seen) -> list[Deviation]:
    is_listed = seen.is_registered and seen.registration_missing_since is None
    registrar = _names(seen.registrar) if is_listed else ()
    zone = _names(seen.zone) if seen.zone_missing_since is None else ()
    found = []
    if registrar and zone and registrar != zone:
        found.append(Deviation(Drift.REGISTRAR, zone, registrar))
    if is_listed and seen.registrar is None:
        return found
    expected = registrar or zone
    if expected and seen.dns_problem is not None:
        found.append(Deviation(Drift.UNRESOLVED, expected, (seen.dns_problem,)))
    elif expected and _names(seen.dns) and _names(seen.dns) != expected:
        found.append(Deviation(Drift.DNS, expected, _names(seen.dns)))
    return found


def _names(told: Sequence[str] | None) -> tuple[str, ...]:
    """Return name servers in one form: their order and their letters mean nothing."""
    return tuple(sorted({name.strip().rstrip(".").lower() for name in told or () if name.strip()}))
