"""Domain names as registrars take them: the registered label and the suffix it stands below, apart.

The public suffix list with its private section decides, as ``publicsuffixlist`` carries it: registrars sell names below
private suffixes too (``com.de``), and the ICANN section alone would split ``example.com.de`` wrongly (dnsrobocert#65).
A name below one that is registered is nobody's to change here: it has to be the registered one.
"""

import functools
import re
from typing import TYPE_CHECKING

from keystead.kit.errors import Invalid

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_LENGTH_MAX = 253


def ascii_name(text: str, *, field: str = "domain") -> str:
    """Return a domain name in small ASCII letters, without a dot at its end; raise Invalid."""
    # Heavy to import, and asked for by few.
    import idna

    bare = text.strip().rstrip(".").lower()
    try:
        name = bare if bare.isascii() else idna.encode(bare, uts46=True).decode("ascii")
    except idna.IDNAError:
        name = ""
    if not 0 < len(name) <= _LENGTH_MAX or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise Invalid("this is not a domain name", fields={field: "write a name such as example.com"})
    return name


def host_name(text: str) -> str:
    """Return a name server's name, which has a dot in it; raise Invalid."""
    name = ascii_name(text, field="nameservers")
    if "." not in name:
        raise Invalid("this is not the name of a server", fields={"nameservers": "write names such as ns1.example.com"})
    return name


def split(text: str) -> tuple[str, str]:
    """Return the label and the suffix of a registered domain; raise Invalid for a suffix or a name below a domain."""
    name = ascii_name(text)
    registered = _suffixes().privatesuffix(name)
    if registered != name:
        told = "a public suffix" if registered is None else f"below {registered}"
        raise Invalid(f"{name} is {told}", fields={"domain": "write the registered domain itself"})
    label, _, suffix = name.partition(".")
    return label, suffix


@functools.cache
def _suffixes() -> "PublicSuffixList":
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
