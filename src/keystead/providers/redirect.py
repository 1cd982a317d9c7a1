"""Redirects as values: what is asked for, where it leads and how; checked here once, for every way they come in. Pure.

What a provider makes of one stands in that provider's module.
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from keystead.kit import names
from keystead.kit.errors import Invalid

STATUSES = (301, 302, 303, 307, 308)
# Bulk redirects take no 303 (the list's schema in Cloudflare's SDK 5.9.0).
BULK_STATUSES = (301, 302, 307, 308)
EVERY_PATH = "/*"
_LENGTH_MAX = 2048
# What may stand in a URL as it is, and in a quoted text of a provider's rule language without being escaped.
_URL_TEXT = re.compile(r"[!#-\[\]^-~]*")
_SCHEMES = ("https", "http")


@dataclass(frozen=True)
class Redirect:
    """Requests for a host, and for a path of it, are sent elsewhere.

    ``host`` may begin with ``*.`` for every name below. ``path`` is one path, or all below one with ``/*`` at its end.
    ``keeps_path`` puts the path of the request behind the target, ``keeps_query`` its query.
    """

    host: str
    target: str
    path: str = EVERY_PATH
    status: int = 301
    keeps_path: bool = False
    keeps_query: bool = True

    @property
    def source(self) -> str:
        """Return what is redirected, as one text; a zone has one redirect for each."""
        return f"{self.host}{self.path}"

    @property
    def text(self) -> str:
        """Return where it leads and how, for people."""
        kept = [name for name, is_kept in (("path", self.keeps_path), ("query", self.keeps_query)) if is_kept]
        return f"{self.target}, {self.status}" + (f", keeps {' and '.join(kept)}" if kept else "")

    @property
    def order(self) -> tuple[bool, bool, int, str]:
        """Return where it belongs among others: the first that meets a request decides, so the narrow come first."""
        return self.path.endswith("*"), self.host.startswith("*"), -len(self.path), self.source


@dataclass(frozen=True)
class BulkRedirect:
    """An entry of a list of redirects; ``source`` is a host and a path, with a scheme or for both."""

    source: str
    target: str
    status: int = 301
    keeps_query: bool = False
    includes_subdomains: bool = False
    matches_subpaths: bool = False
    keeps_path_suffix: bool = False

    @property
    def host(self) -> str:
        """Return whose requests are redirected."""
        return self.source.rpartition("://")[2].partition("/")[0].partition(":")[0].lower()

    @property
    def text(self) -> str:
        """Return where it leads and how, for people."""
        claims = (
            ("keeps query", self.keeps_query),
            ("with subdomains", self.includes_subdomains),
            ("with all below", self.matches_subpaths),
            ("keeps the path below", self.keeps_path_suffix),
        )
        return ", ".join([self.target, str(self.status), *(said for said, is_so in claims if is_so)])


def checked(redirect: Redirect) -> Redirect:
    """Return a redirect in canonical form; raise Invalid with the field that is wrong."""
    made = Redirect(
        _host(redirect.host),
        _target(redirect.target, is_bare=redirect.keeps_path),
        _path(redirect.path),
        _status(redirect.status, STATUSES),
        redirect.keeps_path,
        redirect.keeps_query,
    )
    if _meets(made, urlsplit(made.target)):
        raise _wrong("target", f"{made.source} would be redirected to itself")
    return made


def checked_bulk(redirect: BulkRedirect) -> BulkRedirect:
    """Return an entry of a list in canonical form; raise Invalid with the field that is wrong."""
    source = canonical_source(redirect.source)
    made = BulkRedirect(
        source,
        _target(redirect.target, is_bare=False),
        _status(redirect.status, BULK_STATUSES),
        redirect.keeps_query,
        redirect.includes_subdomains,
        redirect.matches_subpaths,
        redirect.keeps_path_suffix,
    )
    target = urlsplit(made.target)
    if f"{target.netloc}{target.path or '/'}" == source.rpartition("://")[2] or made.target == source:
        raise _wrong("target", f"{source} would be redirected to itself")
    return made


def canonical_source(text: str) -> str:
    """Return the source of an entry as it is compared; raise Invalid."""
    scheme, separator, rest = text.strip().rpartition("://")
    if separator and scheme.lower() not in _SCHEMES:
        raise _wrong("source", "a source has http, https or no scheme")
    host, slash, path = rest.partition("/")
    if not _URL_TEXT.fullmatch(path) or "#" in path or "?" in path or len(text) > _LENGTH_MAX:
        raise _wrong("source", "a source is a host and a path, without query and without space")
    try:
        name = names.hostname(host)
    except Invalid:
        raise _wrong("source", f"{host!r} is not a host name") from None
    return f"{scheme.lower()}{separator}{name}/{path}" if slash else f"{scheme.lower()}{separator}{name}/"


def _host(text: str) -> str:
    bare = text.strip()
    is_wild = bare.startswith("*.")
    try:
        name = names.hostname(bare[2:] if is_wild else bare)
    except Invalid:
        raise _wrong("host", f"{text!r} is not a host name, nor one after *.") from None
    return f"*.{name}" if is_wild else name


def _path(text: str) -> str:
    path = text.strip() or EVERY_PATH
    bare = path[:-1] if path.endswith("/*") else path
    is_path = path.startswith("/") and _URL_TEXT.fullmatch(bare) and not {"*", "?", "#"} & set(bare)
    if not is_path or len(path) > _LENGTH_MAX:
        raise _wrong("path", "a path begins with /, has no query, and may end with /* for all below it")
    return path


def _target(text: str, *, is_bare: bool) -> str:
    bare = text.strip()
    try:
        parts = urlsplit(bare)
        is_url = parts.scheme in _SCHEMES and parts.hostname and parts.username is None
        host = names.host(parts.hostname or "")
        port = parts.port
    except (ValueError, Invalid):
        is_url, host, port = False, "", None
    if not is_url or not _URL_TEXT.fullmatch(bare.replace(parts.netloc, "", 1)) or len(bare) > _LENGTH_MAX:
        raise _wrong("target", "a target is a URL with http or https, a host, and no space or quotation mark")
    if is_bare and (parts.query or parts.fragment):
        raise _wrong("target", "a target that the path is put behind has neither query nor fragment")
    place = names.authority(host, port) if port is not None else f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/") if is_bare else parts.path
    return SplitResult(parts.scheme, place, path, parts.query, parts.fragment).geturl()


def _status(status: int, known: tuple[int, ...]) -> int:
    if status not in known:
        raise _wrong("status", f"one of {', '.join(map(str, known))}")
    return status


def _meets(redirect: Redirect, target: SplitResult) -> bool:
    """Tell whether a redirect would meet the requests that it causes."""
    host, path = target.hostname or "", target.path or "/"
    is_host = host.endswith(redirect.host[1:]) if redirect.host.startswith("*.") else host == redirect.host
    is_path = path.startswith(redirect.path[:-1]) if redirect.path.endswith("/*") else path == redirect.path
    return is_host and is_path


def _wrong(field: str, problem: str) -> Invalid:
    return Invalid(f"{field}: {problem}", fields={field: problem})
