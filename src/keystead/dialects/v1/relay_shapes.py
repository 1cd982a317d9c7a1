"""The native API's shapes of the ways requests to a provider leave by, and how they are presented."""

from typing import Any

from pydantic import Field

from keystead.dialects.v1.bases import Answer, Body
from keystead.kit.secret import Secret
from keystead.vault.relays import ShownWay, Way


class RelaySet(Body):
    """A way: a relay with all four fields, or directly with the address alone."""

    ip: str = Field(description="The IPv4 address that the provider sees", examples=["51.68.21.133"])
    relay_url: str | None = Field(None, description="https, or http on loopback; unset: directly")
    relay_host: str | None = Field(None, description="The host of relay_url")
    relay_auth: str | None = Field(None, description="The whole header, Basic and base64; shown by nothing")


class Relay(Answer):
    """A way without its password."""

    provider: str
    credential_id: int | None = Field(description="Whose way it is; null: the installation's")
    ip: str
    relay_url: str | None
    relay_host: str | None


def way(wanted: RelaySet) -> Way:
    """Return what a body says."""
    auth = None if wanted.relay_auth is None else Secret(wanted.relay_auth)
    return Way(wanted.ip, wanted.relay_url, wanted.relay_host, auth)


def relay(shown: ShownWay) -> dict[str, Any]:
    """Present a way."""
    return {
        "provider": shown.provider,
        "credential_id": shown.credential_id,
        "ip": shown.ip,
        "relay_url": shown.url,
        "relay_host": shown.host,
    }
