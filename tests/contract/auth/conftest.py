from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from keystead.db.session import Database
from tests.support.browser import Browser
from tests.support.clocks import ManualClock
from tests.support.instance import InProcess, in_process


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def instance(database: Database, tmp_path: Path, clock: ManualClock) -> AsyncIterator[InProcess]:
    """Run an instance where anybody may register, whose clock stands still."""
    async with in_process(database, tmp_path, clock=clock, registration="open") as made:
        yield made


@pytest.fixture
def browser(instance: InProcess) -> Browser:
    return Browser(instance.stranger())


@pytest.fixture
async def anna(browser: Browser) -> httpx2.Response:
    """Register Anna, who stays signed in in the browser."""
    return await browser.register("anna@example.com")
