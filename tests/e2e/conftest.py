"""End-to-end tests run on both databases; the slow ones once, on SQLite, since what takes long there is the core."""

import pytest

from tests.support import databases


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests of this directory, and those of SQLite's own file, to the run on SQLite."""
    if databases.chosen_backend() == "sqlite":
        return
    left_out = [
        item
        for item in items
        if "tests/e2e/" in item.nodeid and (item.get_closest_marker("slow") or item.get_closest_marker("sqlite"))
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
