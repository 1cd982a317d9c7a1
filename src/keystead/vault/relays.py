"""The verbs of relays: by which way requests to a provider leave, for the installation and for single credentials.

A provider that answers to fixed addresses only is reached through a relay with such an address, or directly where this
machine has one. The relay's password is sealed; it is shown to nobody.
"""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit import names
from keystead.kit.errors import Invalid, NotFound
from keystead.kit.secret import Secret
from keystead.vault import credentials
from keystead.vault.sealed import RELAY_AUTH
from keystead.vault.store import relays as store
from keystead.vault.store.relays import SealedRelay

_AUTH_SCHEME = "Basic "


@dataclass(frozen=True)
class Way:
    """How requests leave: through a relay, or directly where there is no URL. ``ip`` is what the provider sees."""

    ip: str
    url: str | None = None
    host: str | None = None
    auth: Secret[str] | None = None

    @property
    def is_direct(self) -> bool:
        """Tell whether no relay is in between."""
        return self.url is None


@dataclass(frozen=True)
class ShownWay:
    """A way without its password."""

    provider: str
    credential_id: int | None
    url: str | None
    host: str | None
    ip: str


@requires(Permission.RELAYS_MANAGE)
def set_(work: Work, provider: str, way: Way, *, credential_id: int | None = None) -> ShownWay:
    """Set the way to a provider for the installation, or for one credential; raise Invalid naming bad fields."""
    check(way)
    if credential_id is not None:
        credentials.find(work, credential_id)
    before = store.find(work.connection, provider, credential_id)
    if before is not None:
        store.remove(work.connection, before.id)
    values = {"provider": provider, "credential_id": credential_id, "url": way.url, "host": way.host, "ip": way.ip}
    relay_id = store.insert_relay(work.connection, values)
    if way.auth is not None:
        store.set_auth(work.connection, relay_id, work.keys.seal(way.auth, RELAY_AUTH.place(relay_id)))
    work.audit("vault.relay.set", _subject(provider, credential_id), host=way.host, ip=way.ip, direct=way.is_direct)
    return ShownWay(provider, credential_id, way.url, way.host, way.ip)


@requires(Permission.RELAYS_MANAGE)
def remove(work: Work, provider: str, *, credential_id: int | None = None) -> None:
    """Forget the way to a provider; raise NotFound when none is set."""
    before = store.find(work.connection, provider, credential_id)
    if before is None:
        raise NotFound("relay", provider)
    store.remove(work.connection, before.id)
    work.audit("vault.relay.remove", _subject(provider, credential_id))


@requires(Permission.VAULT_READ)
def find(work: Work, provider: str, *, credential_id: int | None = None) -> ShownWay | None:
    """Return the way to a provider without its password, or None when none is set."""
    found = store.find(work.connection, provider, credential_id)
    if found is None:
        return None
    return ShownWay(found.provider, found.credential_id, found.url, found.host, found.ip)


@requires(Permission.VAULT_USE)
def way_for(work: Work, provider: str, credential_id: int | None = None) -> Way | None:
    """Return a credential's own way to a provider, else the installation's, with its password; None without any."""
    own = None if credential_id is None else store.find(work.connection, provider, credential_id)
    found = own or store.find(work.connection, provider, None)
    return None if found is None else _opened(work, found)


def check(way: Way) -> None:
    """Raise Invalid unless a way is whole: an IPv4 address, and with a relay its URL, its host and its password."""
    problems = {}
    try:
        ipaddress.IPv4Address(way.ip)
    except ValueError:
        problems["ip"] = "it must be the IPv4 address that the provider sees"
    if not way.is_direct:
        problems |= _relay_problems(way)
    if problems:
        raise Invalid("; ".join(f"{field}: {problem}" for field, problem in problems.items()), fields=problems)


def _relay_problems(way: Way) -> dict[str, str]:
    problems = {}
    try:
        parts = urlsplit(way.url or "")
        host = parts.hostname or ""
    except ValueError:
        return {"relay_url": "it must be a URL such as https://relay.example.com"}
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and names.is_loopback(host))
    if not host or not is_safe or "@" in parts.netloc:
        problems["relay_url"] = "it must start with https:// and hold no password; http:// is for loopback only"
    elif (way.host or "").lower() != host:
        problems["relay_host"] = f"it must be the host of relay_url, {host}: requests go there by name"
    auth = "" if way.auth is None else way.auth.reveal()
    if not auth.startswith(_AUTH_SCHEME) or not auth.isascii() or not auth.isprintable():
        problems["relay_auth"] = "it must be Basic and base64 of user:password"
    return problems


def _opened(work: Work, found: SealedRelay) -> Way:
    auth = None if found.auth is None else work.keys.open(found.auth, RELAY_AUTH.place(found.id))
    return Way(found.ip, found.url, found.host, auth)


def _subject(provider: str, credential_id: int | None) -> str:
    return f"relay {provider}" if credential_id is None else f"credential {credential_id}"
