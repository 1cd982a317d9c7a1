"""One running instance for all tests of the wire, with tokens of every kind."""

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from tests.contract.wires import Wire, known
from tests.support.keystead import keystead

API_SECRET_KEY = "your-api-secret-key-minimum-32-characters-long"  # the document's own example


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wire]:
    """Run an instance for a module's tests."""
    directory = tmp_path_factory.mktemp("veil")
    async with (
        keystead(directory, API_SECRET_KEY=API_SECRET_KEY) as instance,
        httpx2.AsyncClient(base_url=instance.url, timeout=30.0) as anonymous,
    ):
        yield Wire(instance, anonymous, await known(instance) | {"api_secret_key": API_SECRET_KEY})
