"""Every setting, typed, with its reason; the only reader of the environment, of credentials and of ``.env``.

Built once in ``main.py`` and passed on. ``docs/settings.md`` is generated from this class (``scripts/document``). The
fields stand in a module for each part of the instance; a new part adds one, and its class to the bases below.
"""

import io
import ipaddress
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from keystead.kit import names
from keystead.kit.errors import Misconfigured
from keystead.settings import places
from keystead.settings.domains import DomainSettings
from keystead.settings.places import Address, Place
from keystead.settings.providers import ProviderSettings
from keystead.settings.serving import ServingSettings
from keystead.settings.signin import SignInSettings
from keystead.settings.values import ports
from keystead.settings.vpn import VpnSettings

# What the names of most settings begin with.
PREFIX = "KEYSTEAD_"
CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"
_FILE = Path(".env")
_FORM = "NAME=value, for example KEYSTEAD_PORT=8000"


# Fields are listed by base, the last one first.
class Settings(DomainSettings, ProviderSettings, VpnSettings, SignInSettings, ServingSettings):
    """The configuration of one Keystead instance."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.tls == "files" and not (self.tls_certificate and self.tls_key):
            raise ValueError(
                "KEYSTEAD_TLS=files needs KEYSTEAD_TLS_CERTIFICATE and KEYSTEAD_TLS_KEY, for example "
                "KEYSTEAD_TLS_CERTIFICATE=/etc/keystead/fullchain.pem KEYSTEAD_TLS_KEY=/etc/keystead/privkey.pem"
            )
        if (self.xray_api is None) != (self.xray_config is None):
            raise ValueError(
                "KEYSTEAD_XRAY_API and KEYSTEAD_XRAY_CONFIG are set together or not at all, for example "
                "KEYSTEAD_XRAY_API=unix:/run/xray/api.sock KEYSTEAD_XRAY_CONFIG=/usr/local/etc/xray/config.json"
            )
        if self.reality_server_names and self.reality_target is None:
            raise ValueError(
                "KEYSTEAD_REALITY_SERVER_NAMES needs KEYSTEAD_REALITY_TARGET, the site these names belong to, "
                f"for example KEYSTEAD_REALITY_TARGET={self.reality_server_names[0]}:443"
            )
        if (self.smtp_url is None) != (self.smtp_from is None):
            raise ValueError(
                "KEYSTEAD_SMTP_URL and KEYSTEAD_SMTP_FROM are set together or not at all, for example "
                "KEYSTEAD_SMTP_URL=smtps://keystead@mail.example.com KEYSTEAD_SMTP_FROM=keystead@example.com"
            )
        if self.vpn_port is not None:
            self.require_no_door(self.vpn_host, self.vpn_port)
        return self

    @property
    def sqlalchemy_url(self) -> str:
        """Return the URL of the database, SQLite in the data directory by default."""
        return self.database_url or f"sqlite:///{self.data_dir / 'keystead.db'}"

    @property
    def vpn_port_range(self) -> tuple[int, int]:
        """Return the first and the last port that keys may have for their own."""
        return ports(self.vpn_ports)

    @property
    def layout(self) -> Mapping[Address, tuple[Place, ...]]:
        """Return which dialects answer at which address, and below which prefix."""
        return places.layout([places.wish(text) for text in self.doors], Address(self.host, self.port))

    def setting_of(self, address: Address) -> str:
        """Return the setting that names an address on which a door listens."""
        return "KEYSTEAD_HOST/KEYSTEAD_PORT" if address == (self.host, self.port) else "KEYSTEAD_DOORS"

    def require_no_door(self, vpn_host: str, vpn_port: int) -> None:
        """Raise ValueError, naming the setting, when a door listens where the VPN does."""
        for host, port in self.layout:
            is_met = host == vpn_host or any(ipaddress.ip_address(each).is_unspecified for each in (host, vpn_host))
            if port == vpn_port and is_met:
                setting = self.setting_of(Address(host, port)).rpartition("/")[2]
                example = f"{'KEYSTEAD_PORT=' if setting == 'KEYSTEAD_PORT' else ''}{port % 65535 + 1}"
                raise ValueError(f"{setting}: port {port} is the VPN's; choose another, for example {example}")

    @property
    def engines_cache_dir(self) -> Path:
        """Return the directory of built engines."""
        base = os.environ.get("XDG_CACHE_HOME")
        return self.cache_dir or (Path(base) if base else Path.home() / ".cache") / "keystead"

    @property
    def is_reachable_by_others(self) -> bool:
        """Tell whether a door listens on an address that is not loopback."""
        return any(not names.is_loopback(address.host) for address in self.layout)


def load(**overrides: object) -> Settings:
    """Read the settings; raise Misconfigured naming the setting, what is wrong with its value, and an example."""
    try:
        settings = Settings.model_validate({**_said(), **overrides})
    except ValidationError as error:
        raise Misconfigured("\n".join(_explain(problem) for problem in error.errors(include_url=False))) from None
    return settings.model_copy(update={"data_dir": settings.data_dir.absolute()})


def _said() -> dict[str, str]:
    """Return what the sources say, by field."""
    said = _strongest()
    return {field: said[name][1] for field in Settings.model_fields if (name := environment_name(field)) in said}


def _strongest() -> dict[str, tuple[str, str]]:
    """Return by name the strongest source that says something, and what it says; an empty value says nothing."""
    weakest_first = reversed([*_sources().items()])
    return {name.upper(): (origin, value) for origin, told in weakest_first for name, value in told.items() if value}


def _sources() -> Mapping[str, Mapping[str, str | None]]:
    """Return what each source says by name, the strongest first."""
    return {"environment": os.environ, "credential": _credentials(), ".env": _in_file()}


def _in_file() -> Mapping[str, str | None]:
    """Return what ``.env`` says; raise Misconfigured for one that cannot be read, without showing what is in it."""
    try:
        text = _FILE.read_text("utf-8-sig") if _FILE.is_file() else ""
    except OSError as error:
        raise Misconfigured(
            f"{_FILE.absolute()} cannot be read: {error.strerror}; let the user that Keystead runs as read it, or "
            "move it away"
        ) from error
    except UnicodeDecodeError as error:
        raise Misconfigured(
            f"{_FILE.absolute()} is not UTF-8; write it anew, with lines of the form {_FORM}"
        ) from error
    for line in parse_stream(io.StringIO(text)):
        if line.error:
            raise Misconfigured(f"{_FILE.absolute()}, line {line.original.line}: it is no setting; write {_FORM}")
    return dotenv_values(stream=io.StringIO(text))


def _credentials() -> dict[str, str | None]:
    """Return the settings that the service manager hands over as files, each named as its variable.

    systemd puts what ``LoadCredential=`` and ``LoadCredentialEncrypted=`` name into a directory that only the service
    sees (systemd.exec(5), "Credentials"). What others keep there is not read.
    """
    directory = os.environ.get(CREDENTIALS_DIRECTORY)
    if not directory:
        return {}
    known = {environment_name(field) for field in Settings.model_fields}
    try:
        files = [path for path in sorted(Path(directory).iterdir()) if path.is_file()]
        ours = [path for path in files if path.name.upper().startswith(PREFIX) or path.name.upper() in known]
        return {path.name: path.read_text("utf-8").rstrip("\r\n") for path in ours}
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"the credentials in {directory} cannot be read: {type(error).__name__}") from error


def named() -> dict[str, str]:
    """Return every variable that a source names, and the strongest that does; empty ones are left out."""
    return {name: origin for name, (origin, _) in _strongest().items()}


def environment_name(field: str) -> str:
    """Return the environment variable of a field."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"{PREFIX}{field.upper()}"


def is_terminal() -> bool:
    """Tell whether a person is likely to read standard output."""
    return sys.stdout.isatty()


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
