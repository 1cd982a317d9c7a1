"""Where each dialect answers: the doors that ``KEYSTEAD_DOORS`` opens, and what is left for the API's own port."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

DIALECTS = ("veil", "vpnkeys", "v1", "auth", "integrations", "subscription", "metrics")
_FORM = "it must be a dialect with an address, a prefix or both: vpnkeys=127.0.0.1:8001, veil=/veil"
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?")
_PORT_MAX = 65535


class Address(NamedTuple):
    """An address and a TCP port that is listened on."""

    host: str
    port: int


class Place(NamedTuple):
    """A dialect, and what stands before all of its paths: ``/veil``, or nothing."""

    dialect: str
    base: str


EVERYTHING = tuple(Place(dialect, "") for dialect in DIALECTS)


class Wish(NamedTuple):
    """A place as it is wished for; without an address at the API's own port."""

    address: Address | None
    place: Place

    def __str__(self) -> str:
        """Return it as it is written."""
        where = "" if self.address is None else _written(self.address)
        return f"{self.place.dialect}={where}{self.place.base or ('' if where else '/')}"


def wish(text: str) -> Wish:
    """Read one entry; raise ValueError with what it must be."""
    dialect, _, where = (part.strip() for part in text.partition("="))
    if dialect not in DIALECTS:
        raise ValueError(f"{dialect!r:.40} is no dialect; there are {', '.join(DIALECTS)}")
    address, slash, rest = where.partition("/")
    prefix = slash + rest
    if not where or not _PREFIX.fullmatch(prefix):
        raise ValueError(_FORM)
    if dialect == "auth" and prefix.strip("/"):
        raise ValueError("auth takes an address, and no prefix: the cookie of a session belongs to /auth")
    return Wish(_address(address) if address else None, Place(dialect, prefix.rstrip("/")))


def layout(wishes: Sequence[Wish], main: Address) -> dict[Address, tuple[Place, ...]]:
    """Return what answers at each address: a dialect that is named answers where it is named, and nowhere else.

    The API's own port comes first, and is left out when nothing is left for it.
    """
    named = {wished.place.dialect for wished in wishes}
    places: dict[Address, list[Place]] = {main: [Place(name, "") for name in DIALECTS if name not in named]}
    for wished in wishes:
        places.setdefault(wished.address or main, []).append(wished.place)
    return {address: tuple(dict.fromkeys(there)) for address, there in places.items() if there}


def first_of(doors: Mapping[Address, Sequence[Place]], dialect: str) -> tuple[Address, str]:
    """Return where a dialect answers, the first place of several, and what stands before its paths there."""
    return next(
        (address, place.base) for address, there in doors.items() for place in there if place.dialect == dialect
    )


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    try:
        listened = str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]")))
    except ValueError:
        raise ValueError(_FORM) from None
    if not (colon and port.isascii() and port.isdecimal() and 1 <= int(port) <= _PORT_MAX):
        raise ValueError(_FORM)
    return Address(listened, int(port))


def _written(address: Address) -> str:
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"
