"""Names that people see in a client's list: printable, never empty, and unique within one file."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from keystead.kit.errors import Broken
from keystead.vpn.values import ClientProfile

_FALLBACK = "VPN"
_SPACES = re.compile(r"\s+")
# Control characters, line separators, bidirectional embeddings and isolates, lone surrogates, noncharacters of the BMP.
_UNWANTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def titled(
    profiles: Sequence[ClientProfile], title: str, reserved: Collection[str] = ()
) -> list[tuple[str, ClientProfile]]:
    """Return each profile under a unique name; one without a name gets the title.

    ``reserved`` are names the format needs for itself. Raises Broken for no profiles: a file with no server would
    replace a customer's working one.
    """
    if not profiles:
        raise Broken("A subscription without a profile cannot be rendered; the caller must not offer one")
    taken = set(reserved)
    named = []
    for profile in profiles:
        name = _unique(printable(profile.name or "") or printable(title) or _FALLBACK, taken)
        taken.add(name)
        named.append((name, replace(profile, name=name)))
    return named


def printable(text: str) -> str:
    """Return a text on one line without what parsers refuse or what turns a line around; emoji stay whole."""
    return _SPACES.sub(" ", _UNWANTED.sub(" ", text)).strip()


def _unique(name: str, taken: Collection[str]) -> str:
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name} {number}"
    return candidate
