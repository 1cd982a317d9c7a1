"""The VLESS share link: one key as one line of text, and back.

The form is that of XTLS/Xray-core discussion 716 (formerly issue 91): a valid URL, every value and the name
percent-encoded, the port always present, no parameter twice. Presenters and ``profiles/`` call ``vless_link``; the
command line, the demo and tests call ``parse_link``. Choosing what a key's link says is left to the verbs.
"""

import re
import uuid
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from keystead.engines.xray.state import VISION
from keystead.kit import names
from keystead.kit.errors import Invalid
from keystead.vpn.values import ClientProfile

_PUBLIC_KEY = re.compile(r"[A-Za-z0-9_-]{43}")
_SHORT_ID = re.compile(r"([0-9a-f]{2}){0,8}")
_TOKEN = re.compile(r"[A-Za-z0-9_.-]+")
_FIXED = {"encryption": "none", "security": "reality", "type": "tcp"}
_KNOWN = frozenset({*_FIXED, "sni", "fp", "pbk", "sid", "flow"})


def vless_link(profile: ClientProfile) -> str:
    """Return the share link of a profile.

    ``flow`` is left out when empty, because clients such as v2raytun refuse an unknown value; the fragment is left out
    when there is no name; ``spx`` is never written, since it breaks some clients. The order of parameters is the one
    the clients in the field are known to read.
    """
    parameters = {
        "encryption": "none",
        "security": "reality",
        "sni": profile.server_name,
        "fp": profile.fingerprint,
        "pbk": profile.public_key,
        "sid": profile.short_id,
        "type": "tcp",
        "flow": profile.flow,
    }
    query = "&".join(f"{key}={_encoded(value)}" for key, value in parameters.items() if value or key != "flow")
    fragment = f"#{_encoded(profile.name)}" if profile.name else ""
    return f"vless://{_encoded(profile.uuid)}@{names.authority(profile.host, profile.port)}?{query}{fragment}"


def parse_link(text: str) -> ClientProfile:
    """Return the profile of a share link of our form, parameters in any order; raise Invalid naming what is wrong."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise Invalid("A link holds printable ASCII only; percent-encode the rest")
    try:
        url = urlsplit(text)
    except ValueError as error:
        raise Invalid(f"This is not a valid URL: {error}") from error
    user, at, authority = url.netloc.rpartition("@")
    if url.scheme != "vless" or not at or url.path:
        raise Invalid("A link reads vless://<uuid>@<host>:<port>?<parameters>#<name>")
    host, port = names.host_port(authority)
    parameters = _parameters(url.query)
    return ClientProfile(
        host=host,
        port=port,
        uuid=_uuid(unquote(user)),
        flow=_checked(parameters, "flow", re.compile(rf"|{VISION}"), default=""),
        public_key=_checked(parameters, "pbk", _PUBLIC_KEY),
        short_id=_checked(parameters, "sid", _SHORT_ID, default=""),
        server_name=_checked(parameters, "sni", _TOKEN),
        fingerprint=_checked(parameters, "fp", _TOKEN),
        name=unquote(url.fragment) or None,
    )


def _encoded(value: str) -> str:
    return quote(value, safe="", errors="replace")


def _parameters(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        raise Invalid(f"The link's parameters cannot be read: {error}") from error
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise Invalid("The link names a parameter twice")
    if unknown := sorted(parameters.keys() - _KNOWN):
        raise Invalid(f"The link has a parameter that is not known here: {unknown[0]}")
    for key, value in _FIXED.items():
        if parameters.get(key) != value:
            raise Invalid(f"The link must say {key}={value}")
    return parameters


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise Invalid("The link does not begin with a UUID") from error


def _checked(parameters: dict[str, str], key: str, form: re.Pattern[str], *, default: str | None = None) -> str:
    value = parameters.get(key, default)
    if value is None or not form.fullmatch(value):
        raise Invalid(f"The link's {key} is missing or malformed")
    return value
