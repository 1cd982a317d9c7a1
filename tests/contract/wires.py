"""One running instance for all tests of a wire, and what its transcripts know: tokens of every kind."""

from dataclasses import dataclass

import httpx2

from keystead.access.permissions import Permission
from tests.support import tokens
from tests.support.keystead import Keystead
from tests.support.xray import SERVER_NAME


@dataclass
class Wire:
    """A running instance, and what transcripts know of it."""

    instance: Keystead
    anonymous: httpx2.AsyncClient
    known: dict[str, str]


async def known(instance: Keystead) -> dict[str, str]:
    """Return tokens and addresses by the names that transcripts give them."""
    return {
        "token": instance.token,
        "token_cut": instance.token[:-3],
        "reader": await tokens.issue(instance, "reader", permissions=[Permission.VPN_KEYS_READ]),
        "elsewhere": await tokens.issue(instance, "elsewhere", addresses=["192.0.2.0/24"]),
        "confined": await tokens.issue(instance, "confined", is_confined=True),
        "host": "127.0.0.1",
        "vpn_port": str(instance.vpn_port),
        "server_name": SERVER_NAME,
    }
