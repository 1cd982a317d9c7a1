"""A whole Keystead in this process over a fake engine: every dialect behind real doors, without a network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Literal

import httpx2

from keystead import founding
from keystead.access import datakeys, tokens
from keystead.access.gate import TokenDoor
from keystead.access.permissions import ALL_PERMISSIONS, Permission
from keystead.access.principal import operator, system
from keystead.access.store.audit import AuditFilter, AuditRecord
from keystead.access.store.audit import page as audit_page
from keystead.access.tokens import NewToken
from keystead.access.upkeep import Upkeep
from keystead.access.work import Work
from keystead.db.session import Connection, Database
from keystead.engines.xray.plan import plan as plan_xray
from keystead.engines.xray.state import XraySettings
from keystead.http.doors import Door
from keystead.http.metrics import Metrics
from keystead.jobs.runner import JobRunner
from keystead.kit.clock import Clock, SystemClock
from keystead.kit.files import private_directory
from keystead.kit.ids import RandomIds
from keystead.kit.page import Page
from keystead.kit.reach import reach
from keystead.mounts import Mounts
from keystead.operations.access.mails import Mailer
from keystead.operations.domains.watch.alerts import AlertMails
from keystead.operations.domains.watch.domains import Rhythm
from keystead.operations.transaction import Transactions
from keystead.operations.vault_parts import VaultRules, Watching, vault_operations
from keystead.operations.vpn.bulks import BulkOperations, BulkPlace
from keystead.operations.vpn.connections import ConnectionOperations
from keystead.operations.vpn.keys import VpnOperations
from keystead.operations.vpn.pairs import PairOperations
from keystead.operations.vpn.ports import PortOperations
from keystead.operations.vpn.terms import TermsOperations
from keystead.outbox.courier import Courier
from keystead.outgoing.client import OutgoingClient
from keystead.outgoing.delegation import ParentLookup
from keystead.outgoing.dns import Lookup
from keystead.outgoing.resolver import SystemResolver
from keystead.parts import Parts
from keystead.providers.clients import Bases, Clients
from keystead.reconcile.confirming import ScopeWiring
from keystead.reconcile.loop import Reconciler
from keystead.settings import Settings
from keystead.vault import alerts
from keystead.vault.templateplan import Limits
from keystead.vault.thresholds import Rules
from keystead.vpn import bulks, clientrules
from keystead.vpn.clientrules import ClientVersions
from keystead.vpn.desired import XraySource
from keystead.vpn.enforcing import Enforcing
from keystead.vpn.lockouts import TellingReplacer
from keystead.vpn.meter import Meter
from keystead.vpn.sightings import Sightings
from keystead.vpn.targets import TargetWatch
from tests.support.delegated import FakeLookup
from tests.support.fake_engine import FakeXray
from tests.support.figures import FakeFigures
from tests.support.shop import POOL, new_pair

SCOPE = "xray/main"
OUTSIDE = "198.51.100.7"


@dataclass
class InProcess:
    """An instance and ways to speak to it."""

    parts: Parts
    engine: FakeXray
    meter: Meter
    upkeep: Upkeep
    figures: FakeFigures
    enforcing: Enforcing
    door: Door
    local_door: Door

    @property
    def operator(self) -> httpx2.AsyncClient:
        """Return a client on the local socket."""
        return client(self.local_door, "")

    def stranger(self, address: str = OUTSIDE) -> httpx2.AsyncClient:
        """Return a client that presents nothing."""
        return client(self.door, address)

    def bearer(self, secret: str, address: str = OUTSIDE) -> httpx2.AsyncClient:
        """Return a client that presents a token."""
        made = client(self.door, address)
        made.headers["authorization"] = f"Bearer {secret}"
        return made

    async def token(self, *permissions: Permission, **more: object) -> NewToken:
        """Make a token."""
        return await self.parts.database.write(
            lambda connection: tokens.create(
                Work(
                    connection,
                    operator(self.parts.foundation.account_id),
                    self.parts.clock,
                    RandomIds(),
                    self.parts.keys.ring,
                    "test",
                ),
                name="bot",
                permissions=permissions,
                **more,  # type: ignore[arg-type]
            )
        )

    async def caller(self, *permissions: Permission) -> httpx2.AsyncClient:
        """Return a client with a new token of these permissions; of all, when none is named."""
        made = await self.token(*(permissions or ALL_PERMISSIONS))
        return self.bearer(made.secret.reveal())

    async def records(self, **narrowed: str) -> list[AuditRecord]:
        """Return the audit records so far."""
        account_id = self.parts.foundation.account_id
        wanted = AuditFilter(**narrowed)  # type: ignore[arg-type]
        return await self.parts.database.read(
            lambda connection: audit_page(connection, account_id, Page(limit=1000), wanted)
        )


def client(door: Door, address: str = OUTSIDE) -> httpx2.AsyncClient:
    """Return a client of a door that presents nothing."""
    transport = httpx2.ASGITransport(app=door, client=(address, 40000))  # type: ignore[arg-type]
    return httpx2.AsyncClient(transport=transport, base_url="http://keystead.test")


@asynccontextmanager
async def in_process(
    database: Database,
    directory: Path,
    *,
    versions: Literal["compatible", "strict"] = "compatible",
    mailer: Mailer | None = None,
    clock: Clock | None = None,
    lookup: Lookup | None = None,
    **more: object,
) -> AsyncIterator[InProcess]:
    """Run an instance over an empty database, or over that of one before in the same directory.

    ``more`` are settings.
    """
    clock, ids = clock or SystemClock(), RandomIds()
    settings = Settings(
        data_dir=private_directory(directory / "data"),
        host="127.0.0.1",
        public_host="vpn.example.com",
        public_url="https://sub.example.com",
        vpn_host="127.0.0.1",
        vpn_port=24443,
        reality_target="127.0.0.1:9",
        reality_server_names="site.test",
        webhook_allow_private="127.0.0.0/8",
        vpn_client_versions=versions,
        **more,  # type: ignore[arg-type]
    )
    bases = Bases(settings.provider_cloudflare_url, settings.provider_namecheap_url, settings.provider_urls)
    root = datakeys.load_root_key(settings.data_dir, None)
    keys = await database.write(lambda connection: datakeys.open_keys(connection, root, clock.now()))
    foundation = await founding.found(settings, database, keys=keys.ring, clock=clock, ids=ids, scope=SCOPE)
    source = XraySource(SCOPE, keys=keys.ring, clock=clock, ids=ids)
    engine = FakeXray(lambda: database.read(source.desired), XraySettings())
    await engine.start()

    def allow(connection: Connection, rule: ClientVersions) -> None:
        work = Work(connection, system(foundation.account_id), clock, ids, keys.ring, "replacement")
        clientrules.allow(work, scope=SCOPE, versions=rule)

    telling = TellingReplacer(
        engine, scope=SCOPE, wanted=ClientVersions(versions), database=database, clock=clock, allow=allow
    )
    wiring = ScopeWiring(SCOPE, engine, source, partial(plan_xray, settings=XraySettings()), telling)
    reconciler = Reconciler([wiring], database=database, clock=clock)
    targets = TargetWatch(_no_problem, clock)
    await targets.check()
    gate, metrics = TokenDoor(clock), Metrics()
    opened = reach(settings.webhook_allow_private)
    courier = Courier(
        database,
        OutgoingClient(opened, SystemResolver(), clock),
        keys=keys.ring,
        clock=clock,
        ids=ids,
        on_disabled=lambda *_: None,
    )
    transactions = Transactions(
        database=database, clock=clock, ids=ids, keys=keys.ring, reconciler=reconciler, on_emitted=courier.wake
    )
    meter = Meter(SCOPE, engine, database=database, clock=clock, carried=engine)
    vpn = VpnOperations(transactions, meter, targets, pool=POOL, public_host=foundation.public_host)
    figures = FakeFigures()
    terms = TermsOperations(transactions, figures)
    place = BulkPlace(SCOPE, POOL, 3600, foundation.public_host)
    bulk = BulkOperations(transactions, figures, targets, place, on_started=lambda: jobs.wake())
    handlers = {bulks.KIND: bulk.carry_out, alerts.MAIL_KIND: AlertMails(mailer, clock).carry_out}
    jobs = JobRunner(database, handlers, clock=clock, ids=ids, is_alone=True)
    vault = vault_operations(
        transactions,
        Clients(
            OutgoingClient(opened, SystemResolver(), clock),
            clock,
            bases,
            a_minute={"namecheap": settings.provider_namecheap_a_minute},
        ),
        VaultRules(
            foundation.account_id,
            keys.marking_key,
            True,
            Limits(settings.templates_deletion_percent, settings.templates_deletions),
        ),
        _watching(settings, lookup or _lookup(settings, clock), has_mail=mailer is not None),
        ids=ids,
        jobs=jobs,
    )
    enforcing = Enforcing(SCOPE, figures, terms.enforce, database=database, clock=clock)
    sightings = Sightings(engine.watching, database=database, clock=clock)
    parts = Parts(
        settings=settings,
        foundation=foundation,
        database=database,
        keys=keys,
        gate=gate,
        driver=engine,  # type: ignore[arg-type]
        reconciler=reconciler,
        transactions=transactions,
        vpn=vpn,
        ports=PortOperations(transactions, scope=SCOPE, pool=POOL, grace_s=3600, account_id=foundation.account_id),
        pairs=PairOperations(
            transactions,
            reconciler,
            engine.watching,
            scope=SCOPE,
            account_id=foundation.account_id,
            make_pair=new_pair,
        ),
        terms=terms,
        bulks=bulk,
        jobs=jobs,
        connections=ConnectionOperations(transactions, engine.watching, sightings),
        vault=vault,
        targets=targets,
        courier=courier,
        reach=opened,
        mailer=mailer,
        metrics=metrics,
        clock=clock,
        scope=SCOPE,
    )
    mounts = Mounts(parts).all()
    made = InProcess(
        parts,
        engine,
        meter,
        Upkeep(database, gate, clock, audit_key=keys.audit_key, data_dir=settings.data_dir),
        figures,
        enforcing,
        Door(mounts, ids=ids, metrics=metrics, trusted=()),
        Door(mounts, ids=ids, metrics=metrics, trusted=(), is_local=True),
    )
    running = [asyncio.create_task(run()) for run in (reconciler.run, courier.run, jobs.run)]
    try:
        yield made
    finally:
        for task in running:
            task.cancel()
        for task in running:
            with suppress(asyncio.CancelledError):
                await task


def _lookup(settings: Settings, clock: Clock) -> Lookup:
    """Return who asks the DNS that the settings name, and nobody without one."""
    resolvers = settings.dns_resolvers
    return ParentLookup(clock, resolvers, port=settings.dns_port) if resolvers else FakeLookup()


def _watching(settings: Settings, lookup: Lookup, *, has_mail: bool) -> Watching:
    rules = Rules(settings.alert_days, Decimal(settings.alert_balance))
    return Watching(lookup, Rhythm(timedelta(seconds=settings.domain_sync_s), rules, has_mail=has_mail))


async def _no_problem() -> str | None:
    return None
