"""Names that people see in a client's list: printable, never empty, and unique within one file."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from keystead.kit.errors import Broken
from keystead.vpn.values import ClientProfile

_FALLBACK = "VPN"
_SPACES = re.compile(r"\s+")


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
    """Return a text on one line without control characters and lone surrogates, which some parsers refuse."""
    return _SPACES.sub(" ", "".join(letter if letter.isprintable() else " " for letter in text)).strip()


def _unique(name: str, taken: Collection[str]) -> str:
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name} {number}"
    return candidate
