"""Changes that are kept apart: within a process, between processes, and after one that was killed."""

import asyncio
import threading
from datetime import timedelta

import pytest

from keystead.kit.errors import KeysteadError, Unavailable
from keystead.kit.secret import Secret
from keystead.operations.providers.cloudflare import Application
from keystead.operations.vault import alone
from keystead.operations.vault.alone import Alone
from keystead.providers.cloudflare_permissions import Profile
from keystead.providers.namecheap import Host, Hosts
from keystead.providers.redirect import BulkRedirect
from keystead.vault import leases
from keystead.vault.errors import HostsChanged
from keystead.vault.relays import Way
from tests.support.standins.cloudflare import MINE, Cloudflare
from tests.support.standins.namecheap import API_KEY, IP, USERNAME
from tests.support.vaulted import Vaulted
from tests.support.work import Workplace

PLACE = "cloudflare lists a"


class Story:
    """A change by read and write with everything in between; what was lost would be missing at the end."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.at_once = 0
        self.at_once_most = 0

    async def add(self, name: str) -> None:
        """Read, wait, and put it back as a whole."""
        self.at_once += 1
        self.at_once_most = max(self.at_once, self.at_once_most)
        before = list(self.kept)
        for _ in range(5):
            await asyncio.sleep(0)
        self.kept = [*before, name]
        self.at_once -= 1


@pytest.fixture
def standing_clock(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let who waits not move the time: else a wait would outrun what is really under way, and its lease."""

    async def sleep(_: float) -> None:
        await asyncio.sleep(0.002)

    monkeypatch.setattr(workplace.clock, "sleep", sleep)


@pytest.fixture
def processes(workplace: Workplace) -> list[Vaulted]:
    return [Vaulted(workplace, Cloudflare()) for _ in range(3)]


@pytest.mark.usefixtures("standing_clock")
async def test_changes_of_several_processes_come_one_after_the_other(processes: list[Vaulted]) -> None:
    story = Story()
    apart = [(one, Alone(one.transactions)) for one in processes]

    async def change(one: Vaulted, kept_apart: Alone, name: str) -> None:
        async with kept_apart.at(one.call(), PLACE):
            await story.add(name)

    await asyncio.gather(*(change(one, kept, f"{number}") for number in range(3) for one, kept in apart))

    assert (len(story.kept), story.at_once_most) == (9, 1)


async def test_what_a_killed_process_leaves_runs_out(processes: list[Vaulted]) -> None:
    first, second, _ = processes
    await first.transactions.write(first.call(), leases.take, PLACE)
    before = first.workplace.clock.now()

    async with Alone(second.transactions).at(second.call(), PLACE):
        waited = first.workplace.clock.now() - before

    assert waited >= leases.LEASE


async def test_who_waits_too_long_is_told_to_ask_again(
    processes: list[Vaulted], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = processes
    monkeypatch.setattr(alone, "_PATIENCE_S", 3)  # less than the lease of the first
    await first.transactions.write(first.call(), leases.take, PLACE)

    with pytest.raises(Unavailable, match="another process"):
        async with Alone(second.transactions).at(second.call(), PLACE):
            raise AssertionError


async def test_who_waits_too_long_within_a_process_is_told_so_too_and_leaves_nothing_behind(
    processes: list[Vaulted], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = processes[0]
    apart = Alone(first.transactions)
    monkeypatch.setattr(alone, "_PATIENCE_S", 0.05)

    async with apart.at(first.call(), PLACE):
        with pytest.raises(Unavailable, match="others are changing"):
            async with asyncio.timeout(30), apart.at(first.call(), PLACE):
                raise AssertionError

    async with apart.at(first.call(), PLACE):
        assert list(apart._locks) == [PLACE]
    assert list(apart._locks) == []


@pytest.mark.usefixtures("standing_clock")
async def test_a_renewal_that_comes_too_late_lets_a_change_end_as_one_that_took_too_long(
    processes: list[Vaulted], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, was_told = processes[0], threading.Event()
    monkeypatch.setattr(leases, "LEASE", timedelta(milliseconds=50))

    def renew(*_: object) -> bool:
        return was_told.wait(30)

    monkeypatch.setattr(leases, "renew", renew)

    async def change() -> None:
        async with Alone(first.transactions).at(first.call(), PLACE):
            try:
                await asyncio.Event().wait()
            finally:
                was_told.set()
                await first.workplace.database.write(lambda _: None)  # comes after the renewal

    with pytest.raises(Unavailable, match="took too long"):
        await asyncio.wait_for(change(), 30)


async def test_a_change_whose_lease_was_lost_ends(processes: list[Vaulted], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, _ = processes
    monkeypatch.setattr(leases, "renew", leases.give_back)  # answers None: no longer ours

    async def change() -> None:
        async with Alone(first.transactions).at(first.call(), PLACE):
            await asyncio.Event().wait()

    with pytest.raises(Unavailable, match="took too long"):
        await change()

    async with Alone(second.transactions).at(second.call(), PLACE):
        pass


async def test_another_place_is_not_waited_for(processes: list[Vaulted]) -> None:
    first, second, _ = processes

    async with (
        Alone(first.transactions).at(first.call(), PLACE),
        Alone(second.transactions).at(second.call(), "cloudflare lists b"),
    ):
        pass


@pytest.mark.usefixtures("standing_clock")
async def test_two_processes_put_redirects_into_one_list_and_none_is_lost(workplace: Workplace) -> None:
    remote = Cloudflare()
    first, second = Vaulted(workplace, remote), Vaulted(workplace, remote)
    application = Application(MINE, Secret(remote.bootstrap().value))
    joined = await first.cloudflare.connect(first.call(), application, Profile.BULK_REDIRECTS)
    put = [
        one.redirects.put_bulk(one.call(), joined.credential.id, [BulkRedirect(f"{name}.test/", "https://x.test/")])
        for name, one in (("a", first), ("b", second), ("c", first), ("d", second))
    ]

    await asyncio.gather(*put)

    listed = await first.redirects.bulk(first.call(), joined.credential.id)
    assert sorted(one.redirect.source for one in listed) == ["a.test/", "b.test/", "c.test/", "d.test/"]


@pytest.mark.usefixtures("standing_clock")
async def test_of_those_who_replace_the_same_hosts_at_once_one_does(workplace: Workplace) -> None:
    first = Vaulted(workplace, Cloudflare())
    second, registrar = Vaulted(workplace, Cloudflare(), first.registrar), first.registrar
    way = Way(IP, "https://namecheap.test", "namecheap.test", Secret(registrar.password))
    await first.namecheap.set_way(first.call(), way)
    registrar.domains["example.com"] = "01/22/2030"
    made, _ = await first.namecheap.connect(first.call(), username=USERNAME, api_key=Secret(API_KEY), alias=None)
    seen = await first.registrar_hosts.list_(first.call(), made.id, "example.com")

    async def replace(one: Vaulted, domain: str, address: str) -> type[KeysteadError] | None:
        wanted = Hosts((*seen.items, Host("www", "A", address)))
        try:
            await one.registrar_hosts.replace(one.call(), made.id, domain, wanted, version=seen.version)
        except KeysteadError as error:
            return type(error)
        return None

    outcomes = await asyncio.gather(
        replace(first, "example.com", "192.0.2.1"),
        replace(first, "Example.com.", "192.0.2.2"),
        replace(second, "example.com", "192.0.2.3"),
    )

    assert sorted(outcomes, key=str) == [HostsChanged, HostsChanged, None]
