"""The chaos suite runs once, on SQLite: half of its disturbances are about a file."""

import pytest

from tests.support import databases


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave this directory to the run on SQLite."""
    if databases.chosen_backend() == "sqlite":
        return
    left_out = [item for item in items if "tests/chaos/" in item.nodeid]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
