"""An instance in this process for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keystead.db.session import Database
from tests.support.instance import InProcess, in_process


@pytest.fixture
async def instance(database: Database, tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(database, tmp_path) as made:
        yield made
