"""The operations of the vault over a database and stand-ins, without an engine and without a network."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from keystead.access.principal import Principal, operator
from keystead.jobs.runner import JobRunner
from keystead.kit.ids import RandomIds
from keystead.kit.secret import Secret
from keystead.operations.calls import Call
from keystead.operations.domains.contents import ContentOperations, ListOperations
from keystead.operations.domains.hosts import ZoneHosts
from keystead.operations.domains.records import RecordOperations
from keystead.operations.domains.redirects import RedirectOperations
from keystead.operations.domains.registrars import RegistrarOperations
from keystead.operations.domains.rollouts import RolloutJobs
from keystead.operations.domains.templates import TemplateOperations
from keystead.operations.domains.watch.contents import ContentWatch
from keystead.operations.domains.watch.domains import DomainWatch, Rhythm
from keystead.operations.domains.watch.looks import DomainErrands, looking_at_cloudflare
from keystead.operations.domains.watch.registrars import opening_namecheap
from keystead.operations.domains.watch.zones import ZoneWatch
from keystead.operations.domains.zones import ZoneOperations
from keystead.operations.providers.cloudflare import Application, CloudflareOperations, Result
from keystead.operations.providers.cloudflare_errands import CloudflareErrands
from keystead.operations.providers.joined import ProviderOperations
from keystead.operations.providers.namecheap import NamecheapOperations
from keystead.operations.providers.namecheap_hosts import HostOperations
from keystead.operations.transaction import Committed, Transactions
from keystead.operations.vault.alone import Alone
from keystead.operations.vault.credentials import CredentialOperations
from keystead.operations.vault.errands import ErrandRunner
from keystead.operations.vault_parts import registrar_openers
from keystead.providers.clients import Bases, Clients
from keystead.vault import rollouts
from keystead.vault.models import CREDENTIALS, ERRANDS
from keystead.vault.templateplan import Limits
from keystead.vault.thresholds import Rules
from tests.support.delegated import FakeLookup
from tests.support.standins.cloudflare import MINE, Cloudflare
from tests.support.standins.direct import DirectSender
from tests.support.standins.namecheap import Namecheap
from tests.support.standins.namesilo import NameSilo
from tests.support.work import Workplace

EVERY = timedelta(days=1)


class _NoReconciler:
    def wake(self, marks: object) -> None:
        """Nothing of the vault is in an engine."""


class _Watched(Transactions):
    """Transactions that tell before and after each of them."""

    before: Callable[[], None]
    after: Callable[[], None]

    async def write(self, call: Call, verb: Any, /, *args: Any, **kwargs: Any) -> Committed[Any]:
        self.before()
        committed: Committed[Any] = await super().write(call, verb, *args, **kwargs)
        self.after()
        return committed


@dataclass
class Vaulted:
    """One process's operations; make another over the same workplace for a process after it."""

    workplace: Workplace
    remote: Cloudflare
    registrar: Namecheap = field(default_factory=Namecheap)
    registry: NameSilo = field(default_factory=NameSilo)
    lookup: FakeLookup = field(default_factory=FakeLookup)
    rules: Rules = field(default_factory=lambda: Rules((30, 14, 7, 1), Decimal(10)))

    def __post_init__(self) -> None:
        place = self.workplace
        self.transactions = _Watched(
            database=place.database,
            clock=place.clock,
            ids=RandomIds(),
            keys=place.keys,
            reconciler=_NoReconciler(),  # type: ignore[arg-type]
            on_emitted=lambda: None,
        )
        self.transactions.before = self.transactions.after = lambda: None
        self.sender = DirectSender(
            {"cloudflare.test": self.remote, "namecheap.test": self.registrar, "namesilo.test": self.registry}
        )
        others = {"namesilo": "https://namesilo.test/api"}
        bases = Bases("https://cloudflare.test/client/v4", "https://namecheap.test", others)
        self.clients = Clients(self.sender, place.clock, bases)
        self.credentials = CredentialOperations(self.transactions, account_id=place.account_id)
        self.runner = ErrandRunner(self.transactions, account_id=place.account_id, is_alone=True)
        self.chores = CloudflareErrands(self.transactions, self.clients, self.credentials, self.runner, RandomIds())
        self.cloudflare = CloudflareOperations(self.transactions, self.clients, self.runner, self.chores)
        self.hosts = ZoneHosts(self.transactions, self.clients, self.credentials)
        self.records = RecordOperations(self.hosts)
        self.apart = Alone(self.transactions)
        self.redirects = RedirectOperations(self.transactions, self.hosts, self.apart)
        self.templates = TemplateOperations(self.transactions, Limits(), on_started=lambda: None)
        rolling = RolloutJobs(self.transactions, self.hosts)
        handlers = {rollouts.PLAN_KIND: rolling.plan, rollouts.APPLY_KIND: rolling.carry_out}
        self.jobs = JobRunner(place.database, handlers, clock=place.clock, ids=RandomIds(), is_alone=True)
        self.namecheap = NamecheapOperations(self.transactions, self.clients, self.credentials)
        self.registrar_hosts = HostOperations(self.transactions, self.namecheap, self.apart)
        self.providers = ProviderOperations(
            self.transactions, self.clients, self.credentials, marking_key=Secret(b"m" * 32)
        )
        self.registrars = RegistrarOperations(self.transactions, registrar_openers(self.namecheap, self.providers))
        self.zones = ZoneOperations(self.transactions, self.hosts, self.chores)
        self.watch = ZoneWatch(self.transactions, self.hosts, account_id=place.account_id)
        self.lists = ListOperations(self.transactions, self.hosts)
        self.seeing = DomainErrands(
            self.transactions,
            self.runner,
            looks={
                "cloudflare": looking_at_cloudflare(
                    self.transactions, self.clients, self.credentials, self.chores, self.lists
                )
            },
            registrars={"namecheap": opening_namecheap(self.namecheap)},
            every=EVERY,
        )
        self.domain_watch = DomainWatch(
            self.transactions,
            self.lookup,
            Rhythm(EVERY, self.rules, has_mail=True),
            providers=self.seeing.providers,
            account_id=place.account_id,
        )
        self.seeing.on_seen = self.lists.on_seen = self.domain_watch.note_seen
        self.lists.on_asked = self.domain_watch.wake
        self.contents = ContentOperations(
            self.transactions, self.hosts, on_seen=self.domain_watch.note_seen, on_asked=self.domain_watch.wake
        )
        self.content_watch = ContentWatch(self.transactions, self.contents, every=EVERY, account_id=place.account_id)

    def call(self, principal: Principal | None = None) -> Call:
        return Call(principal or operator(self.workplace.account_id), "req-1")

    async def connect(
        self, bootstrap: str, account_id: str = MINE, *, principal: Principal | None = None, **more: Any
    ) -> Result:
        """Climb the ladder."""
        application = Application(account_id, Secret(bootstrap), **more)
        return await self.cloudflare.connect(self.call(principal), application)

    async def settle(self) -> None:
        """Carry out every errand, those put off included, as time goes on."""
        for _ in range(60):
            if not await self.waiting():
                return
            self.workplace.clock.advance(600)
            await self.runner.round()
        raise AssertionError("errands never end")

    async def waiting(self) -> list[str]:
        """Return the kinds of errands that wait."""
        return await self._read(
            lambda c: list(c.execute(select(ERRANDS.c.kind).where(ERRANDS.c.state == "waiting")).scalars())
        )

    async def rows(self) -> list[tuple[str, str]]:
        """Return external id and status of every row, those that nobody sees included."""
        statement = select(CREDENTIALS.c.external_id, CREDENTIALS.c.status).order_by(CREDENTIALS.c.id)
        return await self._read(lambda c: [(row.external_id, row.status) for row in c.execute(statement)])

    async def _read(self, unit: Callable[[Connection], Any]) -> Any:
        return await self.workplace.database.read(unit)
