"""The second half of a start: the API and the loops, wired while the core reads its configuration.

Part of the composition root (called by ``main.py`` only, which imports it when the core has been started).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from keystead import examining
from keystead.access import webhooks
from keystead.access.gate import TokenDoor
from keystead.access.principal import system
from keystead.access.upkeep import Upkeep
from keystead.access.work import Work
from keystead.engines.xray.driver import ManagedXray
from keystead.engines.xray.external import ExternalXray
from keystead.engines.xray.plan import plan as plan_xray
from keystead.engines.xray.state import XraySettings
from keystead.founding import Foundation, Ground
from keystead.http.doors import Door
from keystead.http.metrics import Metrics
from keystead.http.operations import VpnOperations
from keystead.http.transaction import Transactions
from keystead.kit import names
from keystead.kit.clock import Clock
from keystead.kit.loops import keep_running
from keystead.kit.reach import reach
from keystead.mounts import Mounts, Parts
from keystead.outbox.courier import Courier
from keystead.outbox.watch import EngineWatch
from keystead.outgoing.client import OutgoingClient
from keystead.outgoing.resolver import SystemResolver
from keystead.reconcile.confirming import ScopeWiring
from keystead.reconcile.engine import Health
from keystead.reconcile.loop import Reconciler
from keystead.settings import Settings
from keystead.vpn.desired import XraySource
from keystead.vpn.meter import Meter
from keystead.vpn.targets import TargetWatch

# The core is ours to run, or somebody else runs it.
Xray = ManagedXray | ExternalXray


@dataclass
class Instance:
    """One running Keystead."""

    settings: Settings
    foundation: Foundation
    clock: Clock
    reconciler: Reconciler
    meter: Meter
    targets: TargetWatch
    upkeep: Upkeep
    operations: VpnOperations
    courier: Courier
    engine_watch: EngineWatch
    door: Door
    local_door: Door
    run_dir: Path

    async def run_background(self) -> None:
        """Run every loop until cancelled; one that crashes is logged and begun again."""
        loops: dict[str, Callable[[], Awaitable[object]]] = {
            "reconciler": self.reconciler.run,
            "meter": partial(self.meter.run, self.settings.traffic_sync_s),
            "target watch": self.targets.run,
            "upkeep": self.upkeep.run,
            "undoing": self.operations.undoing.run,
            "courier": self.courier.run,
            "engine watch": self.engine_watch.run,
        }
        async with asyncio.TaskGroup() as group:
            for name, run in loops.items():
                group.create_task(keep_running(name, run, self.clock), name=name)


def wire(ground: Ground, driver: Xray, *, source: XraySource, xray_settings: XraySettings, run_dir: Path) -> Instance:
    """Wire an instance around its driver, on what the first half of the start has opened."""
    settings, database, clock, scope = ground.settings, ground.database, ground.clock, ground.scope
    wiring = ScopeWiring(scope, driver, source, partial(plan_xray, settings=xray_settings))
    reconciler = Reconciler([wiring], database=database, clock=clock)
    meter = Meter(scope, driver, database=database, clock=clock)
    examine = examining.examiner(ground, on_founded=lambda: reconciler.wake_fully(scope))
    targets = TargetWatch(examine, clock)
    opened = reach(settings.webhook_allow_private, is_plain_open=settings.webhook_allow_http)
    courier = Courier(
        database,
        OutgoingClient(opened, SystemResolver(), clock),
        keys=ground.keys.ring,
        clock=clock,
        ids=ground.ids,
        on_disabled=partial(_note_disabled, ground),
    )
    transactions = Transactions(
        database=database,
        clock=clock,
        ids=ground.ids,
        keys=ground.keys.ring,
        reconciler=reconciler,
        on_emitted=courier.wake,
    )
    gate, metrics = TokenDoor(clock), Metrics()
    parts = Parts(
        settings=settings,
        foundation=ground.foundation,
        database=database,
        keys=ground.keys,
        root=ground.root,
        gate=gate,
        driver=driver,
        reconciler=reconciler,
        transactions=transactions,
        vpn=VpnOperations(transactions, meter, targets, public_host=ground.foundation.public_host),
        targets=targets,
        courier=courier,
        reach=opened,
        metrics=metrics,
        clock=clock,
        scope=scope,
    )
    mounts = Mounts(parts).all()
    trusted = [names.network(text) for text in settings.trusted_proxies]
    return Instance(
        settings=settings,
        foundation=ground.foundation,
        clock=clock,
        reconciler=reconciler,
        meter=meter,
        targets=targets,
        upkeep=Upkeep(database, gate, clock, audit_key=ground.keys.audit_key, data_dir=settings.data_dir),
        operations=parts.vpn,
        courier=courier,
        engine_watch=EngineWatch(scope, partial(_health, driver), database=database, clock=clock, ids=ground.ids),
        door=Door(mounts, ids=ground.ids, metrics=metrics, trusted=trusted),
        local_door=Door(mounts, ids=ground.ids, metrics=metrics, trusted=(), is_local=True),
        run_dir=run_dir,
    )


async def _health(driver: Xray) -> Health:
    """Tell how an engine is; ours is watched anyway, and a dial every few seconds would say no more."""
    return driver.status().health if isinstance(driver, ManagedXray) else await driver.probe()


def _note_disabled(ground: Ground, connection: Connection, account_id: int, webhook_id: int, reason: str) -> None:
    work = Work(connection, system(account_id), ground.clock, ground.ids, ground.keys.ring, "courier")
    webhooks.note_disabled(work, webhook_id, reason)
