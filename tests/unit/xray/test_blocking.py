"""Block rules of removed users: put once, found again, and dropped when they have done their work."""

from dataclasses import dataclass, field
from typing import cast

import pytest

from keystead.engines.xray.blocking import KEPT_AT_LEAST_S, KEPT_S, Blocks
from keystead.engines.xray.client import XrayClient
from keystead.kit.errors import EngineUnavailable, Unsupported
from tests.support.clock import ManualClock


@dataclass
class FakeClient:
    """A core's routing."""

    held: list[str] = field(default_factory=list)
    error: Exception | None = None

    async def rules(self) -> list[str]:
        if self.error is not None:
            raise self.error
        return list(self.held)

    async def block(self, labels: list[str], outbound: str) -> None:
        assert not set(labels) & set(self.held)
        assert outbound == "blocked"
        self.held += labels

    async def unblock(self, label: str) -> None:
        self.held.remove(label)


def blocks(client: FakeClient, clock: ManualClock) -> Blocks:
    return Blocks(cast(XrayClient, client), clock=clock)  # its three calls about rules


async def test_a_label_is_blocked_once_and_let_through_when_it_is_back() -> None:
    client = FakeClient()
    made = blocks(client, ManualClock())
    await made.put(["k1-1", "k2-1"])
    await made.put(["k1-1"])

    await made.lift(["k1-1", "k9-1"])

    assert client.held == ["k2-1"]


async def test_rules_that_lead_the_probe_stay() -> None:
    client, clock = FakeClient(held=["keystead-dials-1", "k1-1"]), ManualClock()
    made = blocks(client, clock)
    await made.put(["k2-1"])
    clock.advance(KEPT_S)

    await made.expire(())

    assert client.held == ["keystead-dials-1"]


async def test_rules_of_an_api_before_us_are_known_and_lifted() -> None:
    client = FakeClient(["k1-1"])

    await blocks(client, ManualClock()).lift(["k1-1"])

    assert client.held == []


@pytest.mark.parametrize(
    ("live", "after_s", "left"),
    [
        ({"k1-1"}, KEPT_AT_LEAST_S, ["k1-1"]),
        (set(), KEPT_AT_LEAST_S - 1, ["k1-1"]),
        (set(), KEPT_AT_LEAST_S, []),
        (None, KEPT_S - 1, ["k1-1"]),
        (None, KEPT_S, []),
        ({"k1-1"}, KEPT_S, []),
    ],
)
async def test_a_rule_goes_with_the_last_connection_or_after_an_hour(
    live: set[str] | None, after_s: float, left: list[str]
) -> None:
    client, clock = FakeClient(), ManualClock()
    made = blocks(client, clock)
    await made.put(["k1-1"])
    clock.advance(after_s)

    await made.expire(live)

    assert client.held == left


async def test_a_core_without_the_service_blocks_nothing_and_keeps_nobody_out() -> None:
    client = FakeClient(error=Unsupported("this version of Xray has no ListRule"))
    made = blocks(client, ManualClock())

    await made.lift(["k1-1"])

    assert made.labels == ()


async def test_a_core_that_is_away_fails_no_removal_and_every_addition() -> None:
    made = blocks(FakeClient(error=EngineUnavailable("Xray is not reachable")), ManualClock())

    await made.put(["k1-1"])

    with pytest.raises(EngineUnavailable):
        await made.lift(["k1-1"])
