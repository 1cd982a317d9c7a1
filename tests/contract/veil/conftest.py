"""One running instance for all tests of the wire, with tokens of every kind."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest
import pytest_asyncio

from keystead.access.permissions import Permission
from tests.support import tokens
from tests.support.keystead import Keystead, keystead
from tests.support.xray import SERVER_NAME

API_SECRET_KEY = "your-api-secret-key-minimum-32-characters-long"  # the document's own example


@dataclass
class Wire:
    """A running instance, and what transcripts know of it."""

    instance: Keystead
    anonymous: httpx2.AsyncClient
    known: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wire]:
    """Run an instance for a module's tests."""
    directory = tmp_path_factory.mktemp("veil")
    async with (
        keystead(directory, API_SECRET_KEY=API_SECRET_KEY) as instance,
        httpx2.AsyncClient(base_url=instance.url, timeout=30.0) as anonymous,
    ):
        yield Wire(instance, anonymous, await _known(instance))


async def _known(instance: Keystead) -> dict[str, str]:
    return {
        "token": instance.token,
        "token_cut": instance.token[:-3],
        "api_secret_key": API_SECRET_KEY,
        "reader": await tokens.issue(instance, "reader", permissions=[Permission.VPN_KEYS_READ]),
        "elsewhere": await tokens.issue(instance, "elsewhere", addresses=["192.0.2.0/24"]),
        "confined": await tokens.issue(instance, "confined", is_confined=True),
        "host": "127.0.0.1",
        "vpn_port": str(instance.vpn_port),
        "server_name": SERVER_NAME,
    }
