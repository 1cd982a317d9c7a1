"""Values of the vpn subject that presenters and renderers share: what a client program needs, and what a key used.

Verbs make them, ``links.py``, ``profiles/`` and the dialects turn them into text; nothing here reads or writes.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from keystead.kit import names

# A server has a handful of names and hands out thousands of links: IDNA costs four times what the link itself does.
_host = lru_cache(maxsize=256)(names.host)
_hostname = lru_cache(maxsize=256)(names.hostname)


@dataclass(frozen=True)
class ClientProfile:
    """Everything a client program needs to connect with one key.

    ``host`` is an address (IPv6 without brackets) or a DNS name; it and ``server_name`` are brought into canonical
    ASCII form, so that every format shows the same host; Invalid is raised when one is none. ``flow`` is
    ``xtls-rprx-vision`` or empty; ``public_key`` is 43 characters of unpadded URL-safe base64; ``short_id`` is hex of
    even length up to 16, or empty; ``fingerprint`` names the TLS fingerprint to imitate.
    """

    host: str
    port: int
    uuid: str
    flow: str
    public_key: str
    short_id: str
    server_name: str
    fingerprint: str = "chrome"
    name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", _host(self.host))
        object.__setattr__(self, "server_name", _hostname(self.server_name))


@dataclass(frozen=True)
class Usage:
    """Bytes a key carried: upload is client to server. No quota and no end are None; ``expires_at`` is aware UTC."""

    upload: int
    download: int
    total_quota: int | None = None
    expires_at: datetime | None = None

    @property
    def total(self) -> int:
        """Return the bytes of both directions."""
        return self.upload + self.download
