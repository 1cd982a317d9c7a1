"""Monitors at HostTracker."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keystead.access.permissions import Permission
from keystead.db.session import Database
from tests.support.instance import InProcess, in_process
from tests.support.standins.hosttracker import ACCOUNT, LOGIN, TOKEN, HostTracker
from tests.support.standins.server import serving

PATH = "/v1/providers/hosttracker/credentials"
URL = "https://example.com/health"


@dataclass
class Watched:
    """An instance with a HostTracker, and the path of a connected key's monitors."""

    instance: InProcess
    remote: HostTracker
    made: Any

    @property
    def monitors(self) -> str:
        return f"{PATH}/{self.made['id']}/monitors"

    async def create(self, **more: Any) -> Any:
        return await self.instance.operator.post(self.monitors, json={"url": URL, **more})


@pytest.fixture
async def watched(database: Database, tmp_path: Path) -> AsyncIterator[Watched]:
    remote = HostTracker()
    with serving(remote):
        async with in_process(database, tmp_path, **remote.settings()) as instance:
            made = await instance.operator.post(PATH, json={"secret": {"token": TOKEN}})
            yield Watched(instance, remote, made.json())


async def test_monitors_are_made_listed_with_their_states_and_deleted(watched: Watched) -> None:
    watched.remote.add("https://another.example.com", state="down")
    operator = watched.instance.operator

    made = await watched.create(name="Shop", interval_s=60)
    listed = (await operator.get(watched.monitors)).json()
    gone = await operator.delete(f"{watched.monitors}/{made.json()['id']}")
    again = await operator.delete(f"{watched.monitors}/{made.json()['id']}")

    assert (watched.made["external_id"], watched.made["account"]["login"]) == (ACCOUNT, LOGIN)
    assert (made.status_code, made.json()) == (
        201,
        {
            "id": made.json()["id"],
            "name": "Shop",
            "type": "http",
            "url": URL,
            "state": "up",
            "is_enabled": True,
            "since": "2026-09-21T14:13:20Z",
            "interval_s": 60,
        },
    )
    assert listed["counts"] == {"up": 1, "down": 1, "paused": 0, "maintenance": 0}
    assert [one["url"] for one in listed["items"]] == ["https://another.example.com", URL]
    assert (gone.status_code, again.status_code) == (204, 404)


async def test_what_is_refused_is_a_problem_and_changes_nothing(watched: Watched) -> None:
    await watched.create()
    reader = await watched.instance.caller(Permission.VAULT_READ)

    duplicate = await watched.create()
    unknown = await watched.create(type="no such")
    empty = await watched.create(url="")
    forbidden = await reader.post(watched.monitors, json={"url": "https://b.example.com"})
    elsewhere = await watched.instance.operator.get(f"{PATH}/999/monitors")

    answers = (duplicate, unknown, empty, forbidden, elsewhere)
    assert [answer.status_code for answer in answers] == [502, 422, 422, 403, 404]
    assert "already exists on this account" in duplicate.json()["detail"]
    assert len(watched.remote.monitors) == 1
