"""The native API's shapes of a domain's DNS hosts at Namecheap, and how they are read and presented."""

from typing import Any, Literal

from pydantic import Field

from keystead.dialects.v1.bases import Answer, Body
from keystead.providers.namecheap import Host, Hosts

# What Namecheap's page of setHosts allows; NS and CAA are taken in practice.
Kind = Literal["A", "AAAA", "ALIAS", "CAA", "CNAME", "FRAME", "MX", "MXE", "NS", "TXT", "URL", "URL301"]
_TTL_MIN_S, _TTL_MAX_S = 60, 60_000
# More than Namecheap keeps for a domain.
_HOSTS_MAX = 500


class DnsHost(Answer):
    """A DNS host: a record, as Namecheap has it."""

    name: str = Field(examples=["@"])
    type: str = Field(examples=["A"])
    address: str = Field(examples=["192.0.2.1"])
    ttl_s: int
    preference: int = Field(description="Of MX")


class DnsHosts(Answer):
    """All DNS hosts of a domain."""

    items: list[DnsHost]
    email_type: str = Field(description="How mail is handled; Namecheap sets it with the hosts", examples=["FWD"])
    version: str = Field(description="What a replacement has to name: it fails where the hosts are others by then")


class DnsHostWanted(Body):
    """A DNS host as it shall be."""

    name: str = Field(min_length=1, max_length=253)
    type: Kind
    address: str = Field(min_length=1, max_length=2048)
    ttl_s: int = Field(1800, ge=_TTL_MIN_S, le=_TTL_MAX_S)
    preference: int = Field(10, ge=0, le=65_535)


class DnsHostsWanted(Body):
    """All DNS hosts that a domain shall have; what is not among them is gone."""

    items: list[DnsHostWanted] = Field(min_length=1, max_length=_HOSTS_MAX)
    version: str = Field(max_length=64, description="Of the hosts as they were read")
    email_type: Literal["", "NONE", "MX", "MXE", "FWD", "OX", "GMAIL"] = ""


def hosts(found: Hosts) -> dict[str, Any]:
    """Present hosts."""
    items = [
        {
            "name": one.name,
            "type": one.kind,
            "address": one.address,
            "ttl_s": one.ttl_s,
            "preference": one.preference,
        }
        for one in found.items
    ]
    return {"items": items, "email_type": found.email_type, "version": found.version}


def wanted_hosts(wanted: DnsHostsWanted) -> Hosts:
    """Return what a body says."""
    items = tuple(Host(one.name, one.type, one.address, one.ttl_s, one.preference) for one in wanted.items)
    return Hosts(items, wanted.email_type)
