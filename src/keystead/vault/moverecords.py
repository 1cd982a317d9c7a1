"""Records for a new zone: copied from another zone, or given once for all domains; pure.

A record is as Cloudflare writes it. Names in a copied one move from the source's domain to the new one, in what it
points to as well; a given one says ``@`` for the domain itself, and ``{domain}`` in its content.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keystead.kit.errors import Invalid
from keystead.vault.templatevalue import unquoted

Record = Mapping[str, Any]

DOMAIN_MARK = "{domain}"
# What a record is made of; the rest of what is shown is Cloudflare's own.
_FIELDS = ("type", "name", "content", "data", "ttl", "proxied", "priority", "comment", "tags")
# Those of the zone itself, which every zone has of its own.
_OWN = frozenset({"SOA", "NS"})
# Types whose content is a name.
_POINTING = frozenset({"CNAME", "MX", "NS", "PTR"})
# Types whose data has a name among its values.
_TARGETED = frozenset({"HTTPS", "SRV", "SVCB"})
# Parts of the name that the data of an SRV may repeat; Cloudflare takes them from the name.
_NAME_PARTS = frozenset({"name", "proto", "service"})
_Identity = tuple[str, str, str | frozenset[tuple[str, str]]]
TYPES = ("A", "AAAA", "CAA", "CNAME", "MX", "SRV", "TXT")


def checked(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Return given records; raise Invalid for one that is none."""
    made = []
    for number, record in enumerate(records):
        if record.get("type") not in TYPES or not record.get("name"):
            problem = f"a record has a name and a type out of {', '.join(TYPES)}"
            raise Invalid(problem, fields={f"records.{number}": problem})
        if not record.get("content") and not record.get("data"):
            problem = "a record has a content, or data where its type has several values"
            raise Invalid(problem, fields={f"records.{number}": problem})
        made.append({name: record[name] for name in _FIELDS if record.get(name) is not None})
    return made


def given(records: Iterable[Record], domain: str) -> list[dict[str, Any]]:
    """Return given records for a domain."""
    return [{**record, "name": _full(str(record["name"]), domain), **_filled(record, domain)} for record in records]


def copied(records: Iterable[Record], source: str, domain: str) -> list[dict[str, Any]]:
    """Return the records of a source zone for a domain; those that belong to the source itself are left out."""
    made = []
    for record in records:
        name = str(record["name"]).lower()
        if record["type"] in _OWN and name == source:
            continue
        kept = {field: record[field] for field in _FIELDS if record.get(field) not in (None, [], "")}
        if not record.get("proxiable", True):
            kept.pop("proxied", None)
        kept["name"] = _moved(name, source, domain)
        if record["type"] in _POINTING and "content" in kept:
            kept["content"] = _moved(str(kept["content"]).lower().rstrip("."), source, domain)
        if "data" in kept:
            kept.pop("content", None)
            kept["data"] = _pointed(str(record["type"]), kept["data"], source, domain)
        made.append(kept)
    return made


def missing(wanted: Sequence[Record], present: Iterable[Record]) -> list[Record]:
    """Return the records that are wanted and not there, each once."""
    known = {identity for record in present for identity in _identities(record)}
    made = []
    for record in wanted:
        identities = _identities(record)
        if known.isdisjoint(identities):
            made.append(record)
        known |= identities
    return made


def _identities(record: Record) -> frozenset[_Identity]:
    """Return what makes a record one with another: its data or its content, for either may say it alone."""
    kind, name = str(record["type"]), str(record["name"]).lower().rstrip(".")
    said: list[str | frozenset[tuple[str, str]]] = []
    if content := str(record.get("content") or ""):
        said.append(unquoted(content) if kind == "TXT" else content.lower().rstrip("."))
    if data := record.get("data"):
        # A priority may stand beside the data as well, and the name of a service in it.
        values = {"priority": record.get("priority"), **data}
        told = {field: str(value).lower().rstrip(".") for field, value in values.items() if value is not None}
        said.append(frozenset(pair for pair in told.items() if pair[0] not in _NAME_PARTS))
    return frozenset((kind, name, one) for one in said)


def _pointed(kind: str, data: Record, source: str, domain: str) -> dict[str, Any]:
    """Return the data of a copied record: what it points to has moved, and its name stands in the record alone."""
    if kind not in _TARGETED:
        return dict(data)
    kept = {field: value for field, value in data.items() if field not in _NAME_PARTS}
    if "target" in kept:
        kept["target"] = _moved(str(kept["target"]).lower(), source, domain)
    return kept


def _moved(name: str, source: str, domain: str) -> str:
    if name == source:
        return domain
    return f"{name.removesuffix(source)}{domain}" if name.endswith(f".{source}") else name


def _full(name: str, domain: str) -> str:
    bare = name.lower().rstrip(".").replace(DOMAIN_MARK, domain)
    if bare in ("@", domain):
        return domain
    return bare if bare.endswith(f".{domain}") else f"{bare}.{domain}"


def _filled(record: Record, domain: str) -> dict[str, Any]:
    content = record.get("content")
    return {} if content is None else {"content": str(content).replace(DOMAIN_MARK, domain)}
