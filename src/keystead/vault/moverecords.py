"""Records for a new zone: copied from another zone, or given once for all domains; pure.

A record is as Cloudflare writes it. Names in a copied one move from the source's domain to the new one, in what it
points to as well; a given one says ``@`` for the domain itself, and ``{domain}`` in its content.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keystead.kit.errors import Invalid

Record = Mapping[str, Any]

DOMAIN_MARK = "{domain}"
# What a record is made of; the rest of what is shown is Cloudflare's own.
_FIELDS = ("type", "name", "content", "data", "ttl", "proxied", "priority", "comment", "tags")
# Those of the zone itself, which every zone has of its own.
_OWN = frozenset({"SOA", "NS"})
# Types whose content is a name.
_POINTING = frozenset({"CNAME", "MX", "NS", "PTR"})
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
        made.append(kept)
    return made


def missing(wanted: Sequence[Record], present: Iterable[Record]) -> list[Record]:
    """Return the records that are wanted and not there, each once."""
    known = {_identity(record) for record in present}
    made = []
    for record in wanted:
        identity = _identity(record)
        if identity not in known:
            known.add(identity)
            made.append(record)
    return made


def _identity(record: Record) -> tuple[str, str, str]:
    """Return what makes two records one: a TXT's content may be shown in quotation marks."""
    content = str(record.get("content") or "")
    if not content and isinstance(record.get("data"), Mapping):
        data = record["data"]
        content = " ".join(str(data[name]) for name in sorted(data))
    kind = str(record["type"])
    bare = content.strip('"') if kind == "TXT" else content.lower().rstrip(".")
    return kind, str(record["name"]).lower().rstrip("."), bare


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
