"""Every setting, typed, with its reason; the only reader of the environment and of ``.env``.

Built once in ``main.py`` and passed on. ``docs/settings.md`` is generated from this class (``scripts/document``).
"""

import ipaddress
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Self, TypeVar

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from keystead.kit import names
from keystead.kit.errors import Invalid, Misconfigured
from keystead.kit.log import LogFormat

T = TypeVar("T")

API_SECRET_LENGTH_MIN = 32
DEFAULT_SHORT_ID = "7bb45050"
_PORT_MAX = 65535

_Tricks = tuple[Literal["lines", "dump", "borrow", "pace", "reset", "destroy"], ...]


class Settings(BaseModel):
    """The configuration of one Keystead instance."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    data_dir: Path = Field(
        Path("var"),
        description="Directory of everything this instance keeps: database, root key, sockets, logs. Mode 0700.",
        examples=["/var/lib/keystead"],
    )
    host: str = Field("127.0.0.1", description="Address the API listens on.", examples=["0.0.0.0"])
    port: int = Field(8000, ge=1, le=65535, description="TCP port the API listens on.", examples=[8000])
    database_url: str | None = Field(
        None,
        description="SQLAlchemy URL. Unset: SQLite in the data directory. PostgreSQL goes through psycopg 3.",
        examples=["postgresql+psycopg://keystead@/keystead?host=/run/postgresql"],
    )
    database_synchronous: Literal["FULL", "NORMAL"] = Field(
        "FULL",
        description="SQLite only: FULL survives a power cut with the last commit; NORMAL may lose it.",
        examples=["FULL"],
    )
    public_host: str | None = Field(
        None,
        description="Host name or address that customers' links carry. Chosen once; unset: this machine's own address.",
        examples=["vpn.example.com"],
    )
    public_url: str | None = Field(
        None,
        description="Base URL at which customers reach subscriptions. Unset: the API's own scheme, host and port.",
        examples=["https://sub.example.com"],
    )
    trusted_proxies: tuple[str, ...] = Field(
        (),
        description="Addresses or CIDR ranges, comma-separated, whose X-Forwarded-For and -Proto are believed.",
        examples=["127.0.0.1,10.0.0.0/8"],
    )
    tls: Literal["off", "self-signed", "files"] = Field(
        "off", description="How the API's own port speaks TLS.", examples=["self-signed"]
    )
    tls_certificate: Path | None = Field(
        None, description="Certificate chain in PEM, for KEYSTEAD_TLS=files.", examples=["/etc/keystead/fullchain.pem"]
    )
    tls_key: Path | None = Field(
        None, description="Private key in PEM, for KEYSTEAD_TLS=files.", examples=["/etc/keystead/privkey.pem"]
    )
    allow_plain_http: bool = Field(
        False,
        description="Serve plain HTTP on an address that others can reach, although tokens then travel in the clear.",
        examples=["true"],
    )
    vpn_host: str = Field("0.0.0.0", description="Address the VPN listens on.", examples=["::"])
    vpn_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port of the shared VPN inbound. Chosen once; unset: 443 where permitted, else 8443.",
        examples=[443],
    )
    vpn_ports: str = Field(
        "10001-10100",
        description="TCP ports, first and last, that keys with a port of their own get; open them in the firewall.",
        examples=["10001-12000"],
    )
    vpn_port_grace_s: int = Field(
        7 * 86400,
        ge=0,
        le=366 * 86400,
        description="Seconds for which a port goes on listening after its key got another one.",
        examples=[86400],
    )
    vpn_short_id_bytes: Literal[4, 8] = Field(
        8,
        description="Length of the short ids that keys with a port of their own get; 8 bytes are 16 characters.",
        examples=[4],
    )
    vpn_allow_private: tuple[str, ...] = Field(
        (),
        description="Private or loopback ranges, comma-separated CIDR, that VPN users may reach. Empty: none.",
        examples=["10.20.0.0/16"],
    )
    vpn_allow_smtp: bool = Field(
        False,
        description="Let VPN users reach TCP port 25. Closed by default: it is how servers get listed for spam.",
        examples=["true"],
    )
    vpn_client_versions: Literal["compatible", "strict"] = Field(
        "compatible",
        description="compatible: sing-box and mihomo may connect; strict: only current Xray clients.",
        examples=["strict"],
    )
    reality_target: str | None = Field(
        None,
        description="host:port of the TLS 1.3 site REALITY hides behind. Chosen once; unset: one of a pool.",
        examples=["www.example.com:443"],
    )
    reality_server_names: tuple[str, ...] = Field(
        (),
        description="Names in links, comma-separated, all valid for the target's certificate. Unset: the target.",
        examples=["www.example.com"],
    )
    reality_common_short_id: str = Field(
        DEFAULT_SHORT_ID,
        validation_alias="REALITY_COMMON_SHORT_ID",
        description="The short id all keys of the shared inbound have: 8 hexadecimal characters. Chosen once.",
        examples=["7bb45050"],
    )
    xray_path: Path | None = Field(
        None, description="An xray binary to use instead of the pinned one.", examples=["/usr/local/bin/xray"]
    )
    xray_api: str | None = Field(
        None,
        description="gRPC address of an Xray that somebody else runs (external mode). Unset: Keystead runs its own.",
        examples=["unix:/run/xray/api.sock"],
    )
    xray_config: Path | None = Field(
        None,
        description="External mode: the configuration file to render, check and swap for that Xray.",
        examples=["/usr/local/etc/xray/config.json"],
    )
    xray_trusted_certificates: Path | None = Field(
        None,
        description="PEM file of the authorities the core believes instead of the system's, for a target of your own.",
        examples=["/etc/keystead/authorities.pem"],
    )
    cache_dir: Path | None = Field(
        None,
        description="Where built engines are kept. Unset: the user's cache directory.",
        examples=["/var/cache/keystead"],
    )
    traffic_sync_s: int = Field(
        300, ge=5, le=86400, description="Seconds between background readings of traffic.", examples=[300]
    )
    traffic_hourly_days: int = Field(
        90, ge=2, le=3660, description="Days for which a key's traffic is kept by the hour.", examples=[90]
    )
    traffic_daily_days: int = Field(
        1095, ge=2, le=36600, description="Days for which a key's traffic is kept by the day.", examples=[1095]
    )
    vpn_addresses_kept_s: int = Field(
        0,
        ge=0,
        le=2_592_000,
        description="Seconds a customer's address is kept, in memory only, after it was last seen. 0: while connected.",
        examples=[3600],
    )
    keeper_without: _Tricks = Field(
        (),
        description="Tricks a new keeper does without: lines, dump, borrow, pace, reset, destroy. Empty: none.",
        examples=["destroy"],
    )
    root_key: SecretStr | None = Field(
        None,
        description="Root key as base64 of 32 bytes. Unset: the file root.key in the data directory.",
        examples=["(openssl rand -base64 32)"],
    )
    root_key_previous: SecretStr | None = Field(
        None,
        description="During a rotation by environment: the root key that is being replaced.",
        examples=["(the old one)"],
    )
    api_secret_key: SecretStr | None = Field(
        None,
        validation_alias="API_SECRET_KEY",
        description="A token of the account default with VPN permissions, while it is set. At least 32 characters.",
        examples=["(openssl rand -hex 32)"],
    )
    webhook_allow_private: tuple[str, ...] = Field(
        (),
        description="Private or loopback ranges, comma-separated CIDR, that webhooks may be sent to. Empty: none.",
        examples=["10.20.0.0/16"],
    )
    webhook_allow_http: bool = Field(
        False,
        description="Let webhooks be sent without TLS to public addresses too; allowed private ranges need none.",
        examples=["true"],
    )
    rate_limits: Literal["on", "off"] = Field(
        "on", description="Hold tokens to the limits a minute that a wire documents.", examples=["off"]
    )
    support_url: str | None = Field(
        None,
        description="Where customers find help; shown in apps and on the subscription page.",
        examples=["https://t.me/example"],
    )
    subscription_title: str = Field(
        "VPN", description="Name of the profile in customers' apps.", examples=["Example VPN"]
    )
    log_format: LogFormat = Field(
        "auto", description="auto: readable on a terminal, JSON elsewhere.", examples=["json"]
    )

    @field_validator(
        "trusted_proxies",
        "vpn_allow_private",
        "webhook_allow_private",
        "reality_server_names",
        "keeper_without",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("trusted_proxies", "vpn_allow_private", "webhook_allow_private")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(_checked(names.network, part)) for part in value)

    @field_validator("reality_server_names")
    @classmethod
    def _check_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_checked(names.hostname, part) for part in value)

    @field_validator("host", "vpn_host")
    @classmethod
    def _check_listen(cls, value: str) -> str:
        return str(ipaddress.ip_address("127.0.0.1" if value == "localhost" else value.strip("[]")))

    @field_validator("vpn_ports")
    @classmethod
    def _check_ports(cls, value: str) -> str:
        first, last = _ports(value)
        return f"{first}-{last}"

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
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

    @field_validator("public_host")
    @classmethod
    def _check_public_host(cls, value: str | None) -> str | None:
        return None if value is None else _checked(names.host, value)

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("it must start with https:// (or http://)")
        return None if value is None else value.rstrip("/")

    @field_validator("reality_target")
    @classmethod
    def _check_target(cls, value: str | None) -> str | None:
        return None if value is None else names.authority(*_checked(names.host_port, value))

    @field_validator("reality_common_short_id")
    @classmethod
    def _check_short_id(cls, value: str) -> str:
        if len(value) != 8 or not all(character in "0123456789abcdef" for character in value.lower()):
            raise ValueError("it must be 8 hexadecimal characters")
        return value.lower()

    @field_validator("api_secret_key")
    @classmethod
    def _check_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < API_SECRET_LENGTH_MIN:
            raise ValueError(f"it must have at least {API_SECRET_LENGTH_MIN} characters")
        return value

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if self.tls == "files" and not (self.tls_certificate and self.tls_key):
            raise ValueError("KEYSTEAD_TLS=files needs KEYSTEAD_TLS_CERTIFICATE and KEYSTEAD_TLS_KEY")
        if (self.xray_api is None) != (self.xray_config is None):
            raise ValueError("KEYSTEAD_XRAY_API and KEYSTEAD_XRAY_CONFIG are set together or not at all")
        if self.reality_server_names and self.reality_target is None:
            raise ValueError(
                "KEYSTEAD_REALITY_SERVER_NAMES needs KEYSTEAD_REALITY_TARGET, the site these names belong to"
            )
        return self

    @property
    def sqlalchemy_url(self) -> str:
        """Return the URL of the database, SQLite in the data directory by default."""
        return self.database_url or f"sqlite:///{self.data_dir / 'keystead.db'}"

    @property
    def vpn_port_range(self) -> tuple[int, int]:
        """Return the first and the last port that keys may have for their own."""
        return _ports(self.vpn_ports)

    @property
    def engines_cache_dir(self) -> Path:
        """Return the directory of built engines."""
        base = os.environ.get("XDG_CACHE_HOME")
        return self.cache_dir or (Path(base) if base else Path.home() / ".cache") / "keystead"

    @property
    def is_reachable_by_others(self) -> bool:
        """Tell whether the API listens on an address that is not loopback."""
        return not names.is_loopback(self.host)


def _ports(text: str) -> tuple[int, int]:
    first, _, last = text.replace(" ", "").partition("-")
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) <= _PORT_MAX):
        raise ValueError(f"it must be two ports between 1 and {_PORT_MAX}, the lower one first")
    return int(first), int(last)


def load(**overrides: object) -> Settings:
    """Read the settings; raise Misconfigured naming the setting, what is wrong with its value, and an example."""
    try:
        settings = Settings.model_validate({**_said(), **overrides})
    except ValidationError as error:
        raise Misconfigured("\n".join(_explain(problem) for problem in error.errors(include_url=False))) from None
    return settings.model_copy(update={"data_dir": settings.data_dir.absolute()})


def _said() -> dict[str, str]:
    """Return what the environment says, and ``.env`` where it says nothing, by field; an empty value says nothing."""
    in_environment, in_file = _sources()
    said = {name.upper(): value for source in (in_file, in_environment) for name, value in source.items() if value}
    return {field: said[name] for field in Settings.model_fields if (name := environment_name(field)) in said}


def _sources() -> tuple[Mapping[str, str | None], Mapping[str, str | None]]:
    return os.environ, dotenv_values(".env")


def named() -> tuple[set[str], set[str]]:
    """Return the variables that the environment names, and those that ``.env`` does, empty ones left out."""
    in_environment, in_file = ({name.upper() for name, value in told.items() if value} for told in _sources())
    return in_environment, in_file


def environment_name(field: str) -> str:
    """Return the environment variable of a field."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"KEYSTEAD_{field.upper()}"


def is_terminal() -> bool:
    """Tell whether a person is likely to read standard output."""
    return sys.stdout.isatty()


def _checked(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except Invalid as error:
        raise ValueError(error.message) from None


def _explain(problem: ErrorDetails) -> str:
    if not problem["loc"]:
        return problem["msg"].removeprefix("Value error, ")
    location = str(problem["loc"][0])
    by_alias = {environment_name(name): name for name in Settings.model_fields}
    field = by_alias.get(location, location)
    examples = Settings.model_fields[field].examples or []
    text = problem["msg"].removeprefix("Value error, ")
    is_secret = any(word in field for word in ("secret", "key", "url"))
    shown = "" if is_secret else f" (is: {problem['input']!r})"
    name = environment_name(field)
    return f"{name}: {text}{shown}; for example {name}={examples[0] if examples else '…'}"
