"""What the domains of a move share: lists of zones are read as often as their length allows."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from keystead.access.principal import operator
from keystead.operations.calls import Call
from keystead.operations.domains.moving.desk import Access, Desk, Statuses
from keystead.providers.cloudflare_answers import RemoteZone
from tests.support.clock import ManualClock

CREDENTIAL = 7


@dataclass
class Account:
    """Stands for a client and for who opens it; counts the lists it was asked for."""

    size: int
    lists: int = 0
    clock: ManualClock = field(default_factory=ManualClock)
    statuses: Statuses = field(default_factory=dict)

    async def cloudflare(self, _call: Call, _credential_id: int) -> Access:
        return Access(self, "account")  # type: ignore[arg-type]

    async def zones(self, _account_id: str) -> list[RemoteZone]:
        self.lists += 1
        return [_zone(number) for number in range(self.size)]

    def desk(self) -> Desk:
        """Return the desk of a run."""
        openings: Any = self
        return Desk(Call(operator(1), "move-1"), openings, self.clock, self.statuses)


def _zone(number: int) -> RemoteZone:
    return RemoteZone(f"id{number}", f"domain-{number}.pro", "pending", "free", (), False)


@pytest.mark.parametrize(("size", "most"), [(50, 100), (500, 30), (5000, 3)])
async def test_the_longer_the_list_of_zones_the_less_often_it_is_read_by_whoever_waits(size: int, most: int) -> None:
    account = Account(size)

    for _ in range(600):
        await account.desk().zones_waited_for(CREDENTIAL)
        account.clock.advance(1)

    assert most * 0.8 <= account.lists <= most


async def test_a_zone_that_was_made_is_in_the_list_that_is_kept() -> None:
    account = Account(500)
    desk = account.desk()
    await desk.zones_waited_for(CREDENTIAL)

    desk.note_zone(CREDENTIAL, _zone(1000))

    assert "domain-1000.pro" in await account.desk().zones_waited_for(CREDENTIAL)
    assert account.lists == 1
