"""Kinds of values that settings have: how their text is read, and what is wrong with it.

A reader raises ValueError with what the value must be; whoever loads the settings adds the name and an example.
"""

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from keystead.kit import names
from keystead.kit.errors import Invalid, Misconfigured
from keystead.settings import places

T = TypeVar("T")

API_SECRET_LENGTH_MIN = 32
_PORT_MAX = 65535


def ports(text: str) -> tuple[int, int]:
    """Read a range of ports such as ``10001-10100``."""
    first, _, last = text.replace(" ", "").partition("-")
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) <= _PORT_MAX):
        raise ValueError(f"it must be two ports between 1 and {_PORT_MAX}, the lower one first")
    return int(first), int(last)


def _checked(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except Invalid as error:
        raise ValueError(error.message) from None


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(_checked(names.network, part)) for part in value)


def _hostnames(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_checked(names.hostname, part) for part in value)


def _listen_address(value: str) -> str:
    return str(ipaddress.ip_address("127.0.0.1" if value == "localhost" else value.strip("[]")))


def _addresses(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_address(part)) for part in value)


def _doors(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(places.wish(part)) for part in value))


def _port_range(value: str) -> str:
    first, last = ports(value)
    return f"{first}-{last}"


def _database_url(value: str) -> str:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(value)
    except ArgumentError:
        raise ValueError("it is not a database URL") from None
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ValueError("it must begin with sqlite:// or postgresql+psycopg://")
    is_plain = url.drivername == "postgresql"
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False) if is_plain else value


def _public_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("it must start with https:// (or http://)")
    try:
        host, _ = urlsplit(value).hostname, urlsplit(value).port
    except ValueError:
        host = None
    if not host or not value.isprintable() or " " in value:
        raise ValueError("it must be a URL with a host")
    return value.rstrip("/")


def _provider_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("it is not a URL") from None
    if not host or port == 0 or "@" in parts.netloc or parts.query or parts.fragment or not value.isprintable():
        raise ValueError("it must be a URL with a host, and without a user, a query or a fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and names.is_loopback(host)):
        raise ValueError("it must start with https://; http:// is for loopback addresses only")
    return value.rstrip("/")


def _short_id(value: str) -> str:
    if len(value) != 8 or not all(character in "0123456789abcdef" for character in value.lower()):
        raise ValueError("it must be 8 hexadecimal characters")
    return value.lower()


def _root_key(value: SecretStr) -> SecretStr:
    # Heavy to import, and few set it.
    from keystead.kit.crypto import decode_key

    try:
        decode_key(value.get_secret_value(), source="it")
    except Misconfigured:
        raise ValueError("it must be base64 of 32 bytes") from None
    return value


def _xray_address(value: str) -> str:
    path = value.removeprefix("unix:")
    if path == value:
        return names.authority(*_checked(names.host_port, value))
    if not path.startswith("/"):
        raise ValueError("the path of a socket begins with /")
    return value


def _in_a_directory(value: Path) -> Path:
    if not value.absolute().parent.is_dir():
        raise ValueError(f"there is no directory {value.absolute().parent}")
    return value


def _api_secret(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < API_SECRET_LENGTH_MIN:
        raise ValueError(f"it must have at least {API_SECRET_LENGTH_MIN} characters")
    return value


def _origins(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_origin(part) for part in value)


def _origin(value: str) -> str:
    parts = urlsplit(value)
    is_origin = parts.scheme in ("http", "https") and parts.netloc and not parts.path.strip("/")
    if not is_origin or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{value} must be an origin: a scheme, a host and perhaps a port")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _mail_server_url(value: SecretStr) -> SecretStr:
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("it must begin with smtps:// or smtp:// and name a host")
    return value


def _mail_address(value: str) -> str:
    name, _, host = value.partition("@")
    if not name or not host or any(letter.isspace() for letter in value):
        raise ValueError("it must be an e-mail address")
    return value


_Trick = Literal["lines", "dump", "borrow", "pace", "reset", "destroy"]

Words = Annotated[tuple[str, ...], BeforeValidator(_split)]
Networks = Annotated[Words, AfterValidator(_networks)]
Hostnames = Annotated[Words, AfterValidator(_hostnames)]
Tricks = Annotated[tuple[_Trick, ...], BeforeValidator(_split)]
Addresses = Annotated[Words, AfterValidator(_addresses)]
Days = Annotated[tuple[Annotated[int, Field(ge=1, le=3650)], ...], BeforeValidator(_split)]
Doors = Annotated[Words, AfterValidator(_doors)]
ListenAddress = Annotated[str, AfterValidator(_listen_address)]
PortRange = Annotated[str, AfterValidator(_port_range)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
Host = Annotated[str, AfterValidator(lambda value: _checked(names.host, value))]
HostPort = Annotated[str, AfterValidator(lambda value: names.authority(*_checked(names.host_port, value)))]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
ProviderUrl = Annotated[str, AfterValidator(_provider_url)]
ShortId = Annotated[str, AfterValidator(_short_id)]
RootKey = Annotated[SecretStr, AfterValidator(_root_key)]
XrayAddress = Annotated[str, AfterValidator(_xray_address)]
FileToWrite = Annotated[Path, AfterValidator(_in_a_directory)]
ApiSecret = Annotated[SecretStr, AfterValidator(_api_secret)]
Origins = Annotated[Words, AfterValidator(_origins)]
MailServerUrl = Annotated[SecretStr, AfterValidator(_mail_server_url)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
