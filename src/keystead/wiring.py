"""The last part of a start: the API and the loops, wired while the core reads its configuration.

Part of the composition root (called by ``main.py`` only, which imports it when the core has been started).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from keystead import examining
from keystead.access import webhooks
from keystead.access.gate import TokenDoor
from keystead.access.principal import system
from keystead.access.upkeep import Upkeep
from keystead.access.work import Work
from keystead.engines.xray import keys as xray_keys
from keystead.engines.xray.driver import ManagedXray
from keystead.engines.xray.external import ExternalXray
from keystead.engines.xray.plan import plan as plan_xray
from keystead.engines.xray.state import XraySettings
from keystead.founding import Foundation, Ground
from keystead.http.doors import Door
from keystead.http.metrics import Metrics
from keystead.jobs.runner import JobRunner
from keystead.keeper.ports import Listen, is_free
from keystead.kit import memory, names
from keystead.kit.clock import Clock
from keystead.kit.loops import keep_running
from keystead.kit.reach import Reach, reach
from keystead.kit.secret import Secret
from keystead.mounts import Mounts
from keystead.operations.access.mails import Mailer
from keystead.operations.domains.watch.alerts import AlertMails
from keystead.operations.domains.watch.domains import Rhythm
from keystead.operations.transaction import Transactions
from keystead.operations.vault_parts import VaultOperations, VaultRules, Watching, vault_operations
from keystead.operations.vpn.bulks import BulkOperations, BulkPlace
from keystead.operations.vpn.connections import ConnectionOperations
from keystead.operations.vpn.keys import VpnOperations
from keystead.operations.vpn.pairs import PairOperations
from keystead.operations.vpn.ports import PortOperations
from keystead.operations.vpn.terms import TermsOperations
from keystead.outbox.courier import Courier
from keystead.outbox.watch import EngineWatch
from keystead.outgoing.client import OutgoingClient
from keystead.outgoing.delegation import ParentLookup
from keystead.outgoing.resolver import SystemResolver
from keystead.parts import Parts
from keystead.providers.clients import Bases, Clients
from keystead.providers.namecheap import NAMECHEAP
from keystead.reconcile.confirming import ScopeWiring
from keystead.reconcile.engine import Health
from keystead.reconcile.loop import Reconciler
from keystead.settings import Settings
from keystead.settings.places import EVERYTHING, Address
from keystead.vault import alerts
from keystead.vault.templateplan import Limits
from keystead.vault.thresholds import Rules
from keystead.vpn import bulks, clientrules
from keystead.vpn.clientrules import ClientVersions
from keystead.vpn.desired import XraySource
from keystead.vpn.enforcing import Enforcing, Metered
from keystead.vpn.founding import KeyPair
from keystead.vpn.history import Pruner, Retention
from keystead.vpn.lockouts import TellingReplacer
from keystead.vpn.meter import Meter
from keystead.vpn.ports import PortPool
from keystead.vpn.refusals import Refusals
from keystead.vpn.sightings import Sightings
from keystead.vpn.targets import TargetWatch

# The core is ours to run, or somebody else runs it.
Xray = ManagedXray | ExternalXray


@dataclass
class Instance:
    """One running Keystead."""

    settings: Settings
    foundation: Foundation
    clock: Clock
    operations: VpnOperations
    upkeep: Upkeep
    loops: Mapping[str, Callable[[], Awaitable[object]]]
    doors: Mapping[Address, Door]
    local_door: Door
    run_dir: Path

    async def run_background(self) -> None:
        """Run every loop until cancelled; one that crashes is logged and begun again."""
        async with asyncio.TaskGroup() as group:
            for name, run in self.loops.items():
                group.create_task(keep_running(name, run, self.clock), name=name)


def wire(ground: Ground, driver: Xray, *, source: XraySource, xray_settings: XraySettings, run_dir: Path) -> Instance:
    """Wire an instance around its driver, on what the start has opened."""
    settings, clock = ground.settings, ground.clock
    sightings = Sightings(
        driver.watching, database=ground.database, clock=clock, addresses_kept_s=settings.vpn_addresses_kept_s
    )
    parts, meter = _parts(ground, driver, source, xray_settings, sightings)
    upkeep = Upkeep(ground.database, parts.gate, clock, audit_key=ground.keys.audit_key, data_dir=settings.data_dir)
    mounts = Mounts(parts)
    mounted = {there: mounts.at(there) for there in {EVERYTHING, *settings.layout.values()}}
    trusted = [names.network(text) for text in settings.trusted_proxies]
    return Instance(
        settings=settings,
        foundation=ground.foundation,
        clock=clock,
        operations=parts.vpn,
        upkeep=upkeep,
        loops={**_loops(ground, parts, meter, upkeep), "sightings": sightings.run},
        doors={
            address: Door(mounted[there], ids=ground.ids, metrics=parts.metrics, trusted=trusted)
            for address, there in settings.layout.items()
        },
        local_door=Door(mounted[EVERYTHING], ids=ground.ids, metrics=parts.metrics, trusted=(), is_local=True),
        run_dir=run_dir,
    )


def _parts(
    ground: Ground, driver: Xray, source: XraySource, xray_settings: XraySettings, sightings: Sightings
) -> tuple[Parts, Meter]:
    settings, database, clock, scope = ground.settings, ground.database, ground.clock, ground.scope
    # Who else runs a core has no keeper that could be asked.
    kept = driver if isinstance(driver, ManagedXray) else None
    planner = partial(plan_xray, settings=xray_settings)
    replacer, is_light = (_replacer(ground, kept), kept.is_light) if kept else (None, None)
    wired = ScopeWiring(scope, driver, source, planner, replacer, is_light)
    reconciler = Reconciler([wired], database=database, clock=clock)
    meter = Meter(scope, driver, database=database, clock=clock, carried=kept, draining=kept)
    examine = examining.examiner(ground, on_founded=lambda: reconciler.wake_fully(scope))
    targets = TargetWatch(examine, clock)
    opened = reach(settings.webhook_allow_private, is_plain_open=settings.webhook_allow_http)
    courier = _courier(ground, opened)
    transactions = _transactions(ground, reconciler, courier)
    pool, figures = _pool(settings), Metered(meter)
    bulk, jobs = _bulks(ground, transactions, figures, targets, pool)
    parts = Parts(
        settings=settings,
        foundation=ground.foundation,
        database=database,
        keys=ground.keys,
        gate=TokenDoor(clock),
        driver=driver,
        reconciler=reconciler,
        transactions=transactions,
        vpn=VpnOperations(transactions, meter, targets, pool=pool, public_host=ground.foundation.public_host),
        ports=PortOperations(
            transactions,
            scope=scope,
            pool=pool,
            grace_s=settings.vpn_port_grace_s,
            account_id=ground.foundation.account_id,
        ),
        pairs=PairOperations(
            transactions,
            reconciler,
            driver.watching,
            scope=scope,
            account_id=ground.foundation.account_id,
            make_pair=_new_pair,
        ),
        terms=TermsOperations(transactions, figures),
        bulks=bulk,
        jobs=jobs,
        connections=ConnectionOperations(transactions, driver.watching, sightings),
        vault=_vault(ground, transactions, jobs),
        targets=targets,
        courier=courier,
        reach=opened,
        mailer=_mailer(settings),
        metrics=Metrics(),
        clock=clock,
        scope=scope,
    )
    return parts, meter


def _loops(ground: Ground, parts: Parts, meter: Meter, upkeep: Upkeep) -> dict[str, Callable[[], Awaitable[object]]]:
    settings, database, clock = ground.settings, ground.database, ground.clock
    watch = EngineWatch(ground.scope, partial(_health, parts.driver), database=database, clock=clock, ids=ground.ids)
    enforcing = Enforcing(ground.scope, Metered(meter), parts.terms.enforce, database=database, clock=clock)
    note_refusal = partial(parts.terms.note_refusal, ground.foundation.account_id)
    refusals = Refusals(parts.driver.watching, note_refusal, clock=clock)
    retention = Retention(settings.traffic_hourly_days, settings.traffic_daily_days, settings.vpn_device_days)
    pruner = Pruner(database, retention, clock)
    return {
        "reconciler": parts.reconciler.run,
        "meter": partial(meter.run, settings.traffic_sync_s),
        "enforcing": enforcing.run,
        "refusals": refusals.run,
        "history": pruner.run,
        "target watch": parts.targets.run,
        "upkeep": upkeep.run,
        "memory": partial(memory.run, clock),
        "former ports": partial(parts.ports.run, clock),
        "key pairs": partial(parts.pairs.run, clock),
        "undoing": parts.vpn.undoing.run,
        "courier": parts.courier.run,
        "jobs": parts.jobs.run,
        "engine watch": watch.run,
        "errands": parts.vault.errands.run,
        "expiries": parts.vault.credentials.run,
        "domains": parts.vault.domain_watch.run,
        "contents": parts.vault.content_watch.run,
        "zones": parts.vault.watch.run,
    }


def _replacer(ground: Ground, kept: ManagedXray) -> TellingReplacer:
    return TellingReplacer(
        kept.replacing,
        scope=ground.scope,
        wanted=ClientVersions(ground.settings.vpn_client_versions),
        database=ground.database,
        clock=ground.clock,
        allow=partial(_allow, ground),
    )


def _allow(ground: Ground, connection: Connection, versions: ClientVersions) -> None:
    work = Work(
        connection, system(ground.foundation.account_id), ground.clock, ground.ids, ground.keys.ring, "replacement"
    )
    clientrules.allow(work, scope=ground.scope, versions=versions)


def _new_pair() -> KeyPair:
    pair = xray_keys.generate()
    return KeyPair(pair.private_key, pair.public_key)


def _pool(settings: Settings) -> PortPool:
    first, last = settings.vpn_port_range
    return PortPool(first, last, settings.vpn_short_id_bytes, is_free=lambda host, port: is_free(Listen(host, port)))


def _mailer(settings: Settings) -> Mailer | None:
    if settings.smtp_url is None or settings.smtp_from is None:
        return None
    from keystead.outgoing.mail import SmtpMailer, server_of  # kept in memory by instances that send mail only

    return SmtpMailer(server_of(Secret(settings.smtp_url.get_secret_value()), settings.smtp_from))


def _transactions(ground: Ground, reconciler: Reconciler, courier: Courier) -> Transactions:
    return Transactions(
        database=ground.database,
        clock=ground.clock,
        ids=ground.ids,
        keys=ground.keys.ring,
        reconciler=reconciler,
        on_emitted=courier.wake,
    )


def _bulks(
    ground: Ground, transactions: Transactions, figures: Metered, targets: TargetWatch, pool: PortPool
) -> tuple[BulkOperations, JobRunner]:
    """Return the operations on bulks and the runner of all jobs; an SQLite file is one process's alone."""
    grace_s, public_host = ground.settings.vpn_port_grace_s, ground.foundation.public_host
    place = BulkPlace(ground.scope, pool, grace_s, public_host)
    operations = BulkOperations(transactions, figures, targets, place, on_started=lambda: runner.wake())
    is_alone = ground.database.engine.dialect.name == "sqlite"
    mails = AlertMails(_mailer(ground.settings), ground.clock)
    handlers = {bulks.KIND: operations.carry_out, alerts.MAIL_KIND: mails.carry_out}
    runner = JobRunner(ground.database, handlers, clock=ground.clock, ids=ground.ids, is_alone=is_alone)
    return operations, runner


def _courier(ground: Ground, opened: Reach) -> Courier:
    return Courier(
        ground.database,
        OutgoingClient(opened, SystemResolver(), ground.clock),
        keys=ground.keys.ring,
        clock=ground.clock,
        ids=ground.ids,
        on_disabled=partial(_note_disabled, ground),
    )


def _vault(ground: Ground, transactions: Transactions, jobs: JobRunner) -> VaultOperations:
    # Providers' addresses are the operator's own choice, and https but for loopback (settings, relays).
    sender = OutgoingClient(reach(("0.0.0.0/0", "::/0")), SystemResolver(), ground.clock)
    settings = ground.settings
    bases = Bases(settings.provider_cloudflare_url, settings.provider_namecheap_url, settings.provider_urls)
    rules = VaultRules(
        ground.foundation.account_id,
        ground.keys.marking_key,
        ground.database.engine.dialect.name == "sqlite",
        Limits(settings.templates_deletion_percent, settings.templates_deletions),
    )
    clients = Clients(sender, ground.clock, bases, a_minute={NAMECHEAP.id: settings.provider_namecheap_a_minute})
    return vault_operations(transactions, clients, rules, _watching(ground, jobs), ids=ground.ids, jobs=jobs)


def _watching(ground: Ground, jobs: JobRunner) -> Watching:
    settings = ground.settings
    balance_min = Decimal(settings.alert_balance) if settings.alert_balance else None
    rules = Rules(settings.alert_days, balance_min)
    rhythm = Rhythm(
        timedelta(seconds=settings.domain_sync_s),
        rules,
        has_mail=settings.smtp_url is not None,
        contents_every=timedelta(seconds=settings.zone_contents_s),
    )
    lookup = ParentLookup(ground.clock, settings.dns_resolvers, port=settings.dns_port)
    return Watching(lookup, rhythm, on_mail=jobs.wake)


async def _health(driver: Xray) -> Health:
    """Tell how an engine is; ours is watched anyway, and a dial every few seconds would say no more."""
    return driver.status().health if isinstance(driver, ManagedXray) else await driver.probe()


def _note_disabled(ground: Ground, connection: Connection, account_id: int, webhook_id: int, reason: str) -> None:
    work = Work(connection, system(account_id), ground.clock, ground.ids, ground.keys.ring, "courier")
    webhooks.note_disabled(work, webhook_id, reason)
