"""Domain moves over a database and stand-ins, without an engine and without a network; the clock is a test's."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from keystead.access.principal import Principal
from keystead.jobs.runner import JobRunner
from keystead.kit.page import Page
from keystead.kit.secret import Secret
from keystead.operations.domains.hosts import ZoneHosts
from keystead.operations.domains.moves import MoveOperations
from keystead.operations.domains.moving.desk import Openings
from keystead.operations.domains.moving.job import MoveJob
from keystead.operations.domains.moving.stages import Stages
from keystead.outgoing.dns import Delegation, NoServers
from keystead.providers import namesilo
from keystead.vault import moves
from keystead.vault.moveplan import MoveOrder, Wanted
from keystead.vault.moves import Move
from keystead.vault.movevalue import Item, State
from keystead.vault.relays import Way
from tests.support.standins.cloudflare import MINE, Cloudflare
from tests.support.standins.namecheap import API_KEY, IP, OWN_DNS, USERNAME, Namecheap
from tests.support.standins.namesilo import API_KEY as NAMESILO_KEY
from tests.support.standins.namesilo import NameSilo
from tests.support.vaulted import Vaulted
from tests.support.work import Workplace

CLOUDFLARES = ["bob.ns.cloudflare.com", "lola.ns.cloudflare.com"]
OWN_SERVERS = ["ns1.dnsowl.com", "ns2.dnsowl.com"]
OPEN = frozenset({"waiting", "running"})


@dataclass
class Parents:
    """What domains' parents delegate: what their registrar has, unless a test holds a domain back."""

    registrar: Namecheap
    second: NameSilo
    held: dict[str, Sequence[str]] = field(default_factory=dict)

    def told(self, name: str) -> Sequence[str] | None:
        """Return to whom a domain is delegated."""
        if name in self.held:
            return self.held[name]
        if name in self.second.mine.domains:
            return self.second.mine.name_servers.get(name, OWN_SERVERS)
        return self.registrar.name_servers.get(name, OWN_DNS) if name in self.registrar.domains else None

    async def delegation(self, name: str) -> Delegation:
        """Answer as a lookup does."""
        told = self.told(name)
        return Delegation(tuple(sorted(told))) if told else Delegation(problem=NoServers.UNKNOWN)


@dataclass
class Moving:
    """One process's operations on moves; make another over the same workplace for a process after it."""

    workplace: Workplace
    remote: Cloudflare = field(default_factory=Cloudflare)
    registrar: Namecheap = field(default_factory=Namecheap)
    zone_credential: int = 0
    registrar_credential: int = 0
    second: NameSilo = field(default_factory=NameSilo)
    second_credential: int = 0

    def __post_init__(self) -> None:
        self.vaulted = made = Vaulted(self.workplace, self.remote, self.registrar, self.second)
        self.parents = Parents(self.registrar, self.second)
        self.remote.delegated = self.parents.told
        place = self.workplace
        self.runner = JobRunner(place.database, {}, clock=place.clock, ids=place.ids, is_alone=True)
        openings = Openings(ZoneHosts(made.transactions, made.clients, made.credentials), made.registrars)
        stages = Stages(made.transactions, self.parents)
        self.job = MoveJob(made.transactions, openings, stages, made.chores)
        self.runner.on(moves.KIND, self.job.carry_out)
        self.moves = MoveOperations(made.transactions, openings, self.parents, on_started=self.runner.wake)

    async def connect(self, domains: int = 0) -> None:
        """Connect both providers; the registrar has so many domains."""
        made = self.vaulted
        relay = "https://namecheap.test"
        await made.namecheap.set_way(made.call(), Way(IP, relay, "namecheap.test", Secret(self.registrar.password)))
        bootstrap = self.remote.bootstrap()
        self.zone_credential = (await made.connect(bootstrap.value, MINE)).credential.id
        found, _ = await made.namecheap.connect(made.call(), username=USERNAME, api_key=Secret(API_KEY), alias=None)
        self.registrar_credential = found.id
        self.registrar.add_domains(domains)

    async def connect_second(self, *domains: str) -> None:
        """Connect a second registrar, which has these domains."""
        made = self.vaulted
        given = {"api_key": NAMESILO_KEY}
        joined = await made.providers.connect(made.call(), namesilo.CONNECTABLE, given, alias=None)
        self.second_credential = joined.credential.id
        self.second.mine.domains |= dict.fromkeys(domains, "2030-01-22")

    def after_a_kill(self) -> "Moving":
        """Return the process that comes after this one."""
        return replace(self)

    def order(self, *names: str, **more: Any) -> MoveOrder:
        """Return an order for domains, or for all that the registrar has."""
        source = more.pop("source", None)
        listed = tuple(Wanted(name, source=source) for name in names or sorted(self.registrar.domains))
        return MoveOrder(listed, **more)

    async def start(self, order: MoveOrder, principal: Principal | None = None) -> int:
        """Plan and approve."""
        call = self.vaulted.call(principal)
        planned = await self.moves.plan(call, order)
        return (await self.moves.start(call, order, digest=planned.digest)).job.number

    async def find(self, number: int) -> Move:
        """Return how a move stands."""
        return await self.moves.find(self.vaulted.call(), number)

    async def items(self, number: int, state: State | None = None) -> dict[str, Item]:
        """Return the domains of a move by name."""
        page = Page(limit=1000)
        found = await self.moves.results(self.vaulted.call(), number, state=state, page=page)
        return {item.domain: item for item in found}

    async def turn(self) -> bool:
        """Carry out a job that is due, if one is, until it is given back; tell whether one was."""
        job = await self.runner.claim()
        if job is None:
            return False
        await self.runner.carry_out(job)
        return True

    async def settle(self, number: int, *, days: float = 3, step_s: float = 60) -> Move:
        """Carry the move out as time goes on in steps, until it has ended or so many days are over."""
        end = self.workplace.clock.monotonic_s() + days * 86_400
        while (found := await self.find(number)).job.state.value in OPEN:
            if not await self.turn():
                assert self.workplace.clock.monotonic_s() < end, [*(await self.items(number)).values()][:3]
                self.workplace.clock.advance(step_s)
            await asyncio.sleep(0)
        return found

    def zones(self) -> dict[str, str]:
        """Return the status of every zone at Cloudflare by name; fail when a name has two."""
        names = [zone["name"] for zone in self.remote.zones.values()]
        assert len(names) == len(set(names))
        return {zone["name"]: zone["status"] for zone in self.remote.zones.values()}
