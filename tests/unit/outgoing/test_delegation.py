"""The lookup at the parent's servers, which are on loopback."""

import asyncio
from collections.abc import Iterator

import pytest

from keystead.kit.clock import Clock, SystemClock
from keystead.outgoing import delegation
from keystead.outgoing.delegation import ParentLookup
from keystead.outgoing.dns import Delegation, NoServers, ResolverAway
from tests.support.clock import ManualClock
from tests.support.standins.dns import ADDRESS, NameServers, name_servers

TOLD = {"example.com": ["NS2.example.net", "ns1.example.net"], "empty.com": []}


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServers]:
    monkeypatch.setattr(delegation, "TIMEOUT_S", 20.0)  # a machine under load loses no datagram, it is late
    with name_servers() as standin:
        standin.delegated = TOLD.get
        yield standin


def asking(servers: NameServers, clock: Clock | None = None) -> ParentLookup:
    return ParentLookup(clock or SystemClock(), [ADDRESS], port=servers.port)


async def test_what_counts_is_the_referral_of_the_parent(servers: NameServers) -> None:
    assert await asking(servers).delegation("example.com") == Delegation(("ns1.example.net", "ns2.example.net"))


@pytest.mark.parametrize(("name", "problem"), [("nobody.com", NoServers.UNKNOWN), ("empty.com", NoServers.EMPTY)])
async def test_a_domain_that_is_delegated_to_nobody_says_why(
    servers: NameServers, name: str, problem: NoServers
) -> None:
    assert await asking(servers).delegation(name) == Delegation(problem=problem)


@pytest.mark.parametrize("name", ["", "a..com", f"{'a' * 64}.com", "xn--ü.com", "\\300.com"])
async def test_what_is_no_name_does_not_exist(servers: NameServers, name: str) -> None:
    assert await asking(servers).delegation(name) == Delegation(problem=NoServers.UNKNOWN)


async def test_below_a_suffix_that_is_no_zone_the_zone_above_is_asked(servers: NameServers) -> None:
    servers.delegated = {"example.co.com": ["ns1.example.net"]}.get

    assert await asking(servers).delegation("example.co.com") == Delegation(("ns1.example.net",))


async def test_many_ask_for_the_parents_servers_once(servers: NameServers) -> None:
    lookup = asking(servers)

    found = await asyncio.gather(*(lookup.delegation("example.com") for _ in range(20)))

    assert len(found) == 20
    assert len(lookup._parents) == 1


async def test_servers_that_do_not_answer_are_no_answer(servers: NameServers, monkeypatch: pytest.MonkeyPatch) -> None:
    lookup = asking(servers)
    await lookup.delegation("example.com")
    servers.silent.add("example.com")
    monkeypatch.setattr(delegation, "TIMEOUT_S", 0.05)

    with pytest.raises(ResolverAway):
        await lookup.delegation("example.com")


async def test_resolvers_that_are_away_are_asked_again_after_some_seconds_only(
    servers: NameServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, tried = ManualClock(), []
    lookup = asking(servers, clock)
    found = lookup._named

    async def away(parent: str) -> list[str]:
        tried.append(parent)
        raise OSError("no route")

    monkeypatch.setattr(lookup, "_named", away)
    for _ in range(3):
        with pytest.raises(ResolverAway):
            await lookup.delegation("example.com")
    monkeypatch.setattr(lookup, "_named", found)
    clock.advance(11)

    assert tried == ["com."]
    assert await lookup.delegation("example.com") == Delegation(("ns1.example.net", "ns2.example.net"))
