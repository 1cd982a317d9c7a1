"""One running instance for all tests of the wire, with tokens of every kind and without limits a minute."""

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from tests.contract.wires import Wire, known
from tests.support.keystead import keystead


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wire]:
    """Run an instance for a module's tests."""
    directory = tmp_path_factory.mktemp("vpnkeys")
    async with (
        keystead(directory, KEYSTEAD_RATE_LIMITS="off") as instance,
        httpx2.AsyncClient(base_url=instance.url, timeout=30.0) as anonymous,
    ):
        more = {
            "port_range": instance.environment["KEYSTEAD_VPN_PORTS"],
            "target": instance.environment["KEYSTEAD_REALITY_TARGET"],
        }
        yield Wire(instance, anonymous, await known(instance) | more)
