"""Templates of DNS records and redirects: what they may say, and what they say for one zone; pure.

A text may hold placeholders in braces. ``{domain}`` is the zone's name and ``{label}`` its first label; any other is
given a value by whoever applies the template.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from keystead.kit import names
from keystead.kit.errors import Invalid
from keystead.providers import redirect as redirects
from keystead.providers.redirect import Redirect

RECORDS_MAX, REDIRECTS_MAX = 500, 100
TTL_AUTO = 1
_TTLS = range(60, 86_401)
_PROXIABLE = frozenset({"A", "AAAA", "CNAME"})
_NAMED = frozenset({"CNAME", "MX", "NS"})
TYPES = ("A", "AAAA", "CNAME", "MX", "NS", "TXT")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]{0,31})\}")
_LABEL = re.compile(r"\*|_?[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_TEXT_LENGTH_MAX = 2048
_PRIORITY_MAX = 65_535
BUILT_IN = ("domain", "label")


@dataclass(frozen=True)
class RecordWish:
    """A DNS record; ``name`` is ``@`` for the zone itself, or a name below it. ``ttl`` 1 is Cloudflare's own choice."""

    type: str
    name: str
    content: str
    ttl: int = TTL_AUTO
    proxied: bool = False
    priority: int | None = None

    @property
    def text(self) -> str:
        """Return what the record says, for people."""
        said = [self.content]
        said += [] if self.priority is None else [f"priority {self.priority}"]
        said += ["proxied"] if self.proxied else [] if self.ttl == TTL_AUTO else [f"ttl {self.ttl}"]
        return ", ".join(said)


@dataclass(frozen=True)
class Template:
    """Records and redirects by a name."""

    name: str
    records: tuple[RecordWish, ...] = ()
    redirects: tuple[Redirect, ...] = ()

    @property
    def placeholders(self) -> frozenset[str]:
        """Return the placeholders that need a value."""
        texts = [text for one in self.records for text in (one.name, one.content)]
        texts += [text for one in self.redirects for text in (one.host, one.path, one.target)]
        return frozenset(found for text in texts for found in _PLACEHOLDER.findall(text)) - frozenset(BUILT_IN)

    def as_data(self) -> dict[str, Any]:
        """Return records and redirects as JSON values."""
        return {"records": [asdict(one) for one in self.records], "redirects": [asdict(one) for one in self.redirects]}


def template_of(name: str, data: Mapping[str, Any]) -> Template:
    """Return the template that ``as_data`` wrote."""
    records = tuple(RecordWish(**one) for one in data["records"])
    return Template(name, records, tuple(Redirect(**one) for one in data["redirects"]))


def checked(template: Template) -> Template:
    """Return a template that could be applied; raise Invalid with the field that is wrong.

    What only the values of an application decide is checked when it is applied.
    """
    if not _NAME.fullmatch(template.name):
        raise _wrong("name", "1 to 40 small letters, digits and hyphens")
    if not template.records and not template.redirects:
        raise _wrong("records", "a template has records or redirects")
    if len(template.records) > RECORDS_MAX or len(template.redirects) > REDIRECTS_MAX:
        raise _wrong("records", f"at most {RECORDS_MAX} records and {REDIRECTS_MAX} redirects")
    if not template.placeholders:
        expanded(template, "example.com", {})
    return template


def expanded(template: Template, zone: str, values: Mapping[str, str]) -> Template:
    """Return what a template says for a zone; raise Invalid for a missing value, and for what the zone cannot hold."""
    lacking = sorted(template.placeholders - set(values))
    if lacking:
        raise _wrong("values", f"no value for {', '.join(lacking)}")
    known = {**values, "domain": zone, "label": zone.partition(".")[0]}
    wanted = replace(
        template,
        records=tuple(dict.fromkeys(_record(one, zone, known) for one in template.records)),
        redirects=tuple(_redirect(one, zone, known) for one in template.redirects),
    )
    sources = [one.source for one in wanted.redirects]
    for source in sources:
        if sources.count(source) > 1:
            raise _wrong("redirects", f"{source} stands in it twice")
    _check_together(wanted.records)
    return wanted


def _record(one: RecordWish, zone: str, known: Mapping[str, str]) -> RecordWish:
    if one.type not in TYPES:
        raise _wrong("records.type", f"one of {', '.join(TYPES)}")
    if one.ttl != TTL_AUTO and one.ttl not in _TTLS:
        raise _wrong("records.ttl", "1 for automatic, or 60 to 86400 seconds")
    if one.proxied and one.type not in _PROXIABLE:
        raise _wrong("records.proxied", f"a record of type {one.type} cannot be proxied")
    if one.priority is not None and not (one.type == "MX" and 0 <= one.priority <= _PRIORITY_MAX):
        raise _wrong("records.priority", f"0 to {_PRIORITY_MAX}, for MX alone")
    return RecordWish(
        one.type,
        _owner(_filled(one.name, known), zone, one.type),
        _content(one.type, _filled(one.content, known)),
        TTL_AUTO if one.proxied else one.ttl,
        one.proxied,
        10 if one.type == "MX" and one.priority is None else one.priority,
    )


def _owner(text: str, zone: str, kind: str) -> str:
    """Return the full name of a record, which is the zone's or below it."""
    bare = text.strip().lower().rstrip(".")
    bare = bare if bare.isascii() else names.hostname(bare)
    if bare in {"@", zone}:
        if kind == "NS":
            raise _wrong("records.name", "the zone's own name servers are set at its registrar")
        return zone
    name = bare if bare.endswith(f".{zone}") else f"{bare}.{zone}"
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise _wrong("records.name", f"{text!r} is not a name in {zone}")
    return name


def _content(kind: str, text: str) -> str:
    bare = text.strip()
    try:
        if kind == "A":
            return str(ipaddress.IPv4Address(bare))
        if kind == "AAAA":
            return str(ipaddress.IPv6Address(bare))
        if kind in _NAMED:
            return _dns_name(bare)
    except (ValueError, Invalid):
        raise _wrong("records.content", f"{text!r} is not what a record of type {kind} holds") from None
    if not 0 < len(bare) <= _TEXT_LENGTH_MAX or not bare.isprintable():
        raise _wrong("records.content", f"1 to {_TEXT_LENGTH_MAX} printable characters")
    return unquoted(bare)


def _dns_name(text: str) -> str:
    """Return what a record may point at: a host name, or one with underscores; raise Invalid."""
    bare = text.lower().rstrip(".")
    name = bare if bare.isascii() else names.hostname(bare)
    if not 0 < len(name) <= 253 or not all(_LABEL.fullmatch(label) and label != "*" for label in name.split(".")):
        raise Invalid(f"{text!r} is not a name")
    return name


def unquoted(text: str) -> str:
    """Return a text without the quotation marks that zone files and some APIs put around it, and between its parts."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1].replace('" "', "")
    return text


def _redirect(one: Redirect, zone: str, known: Mapping[str, str]) -> Redirect:
    filled = replace(
        one, host=_filled(one.host, known), path=_filled(one.path, known), target=_filled(one.target, known)
    )
    made = redirects.checked(filled)
    if made.host.removeprefix("*.") != zone and not made.host.endswith(f".{zone}"):
        raise _wrong("redirects.host", f"{made.host} is not in {zone}")
    return made


def _check_together(records: tuple[RecordWish, ...]) -> None:
    """Raise Invalid where a record stands twice, or an alias beside an address: no zone can hold that."""
    if len({(one.type, one.name, one.content) for one in records}) < len(records):
        raise _wrong("records", "a record stands in it twice, and not as the same")
    for one in records:
        if one.type == "CNAME" and any(
            other.name == one.name and other.type in _PROXIABLE and other is not one for other in records
        ):
            raise _wrong("records", f"{one.name} has a CNAME and another address")


def _filled(text: str, known: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: known[found[1]], text)


def _wrong(field: str, problem: str) -> Invalid:
    return Invalid(f"{field}: {problem}", fields={field: problem})
