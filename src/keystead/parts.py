"""What one instance is made of once it is open: for the composition root, which hands it to dialects and to doctor."""

from collections.abc import Mapping
from dataclasses import dataclass

from keystead.access.datakeys import OpenKeys
from keystead.access.gate import TokenDoor
from keystead.db.session import Database
from keystead.engines.xray.driver import ManagedXray
from keystead.engines.xray.external import ExternalXray
from keystead.founding import Foundation
from keystead.http.metrics import Metrics
from keystead.jobs.runner import JobRunner
from keystead.kit.clock import Clock
from keystead.kit.reach import Reach
from keystead.operations.access.mails import Mailer
from keystead.operations.instance.engines import EngineStatus
from keystead.operations.transaction import Transactions
from keystead.operations.vault_parts import VaultOperations
from keystead.operations.vpn.bulks import BulkOperations
from keystead.operations.vpn.connections import ConnectionOperations
from keystead.operations.vpn.keys import VpnOperations
from keystead.operations.vpn.pairs import PairOperations
from keystead.operations.vpn.ports import PortOperations
from keystead.operations.vpn.terms import TermsOperations
from keystead.outbox.courier import Courier
from keystead.reconcile.loop import Reconciler
from keystead.settings import Settings
from keystead.vpn.targets import TargetWatch


@dataclass(frozen=True)
class Parts:
    """What dialects are made of: one instance's open parts."""

    settings: Settings
    foundation: Foundation
    database: Database
    keys: OpenKeys
    gate: TokenDoor
    driver: ManagedXray | ExternalXray
    reconciler: Reconciler
    transactions: Transactions
    vpn: VpnOperations
    ports: PortOperations
    pairs: PairOperations
    terms: TermsOperations
    bulks: BulkOperations
    jobs: JobRunner
    connections: ConnectionOperations
    vault: VaultOperations
    targets: TargetWatch
    courier: Courier
    reach: Reach
    mailer: Mailer | None
    metrics: Metrics
    clock: Clock
    scope: str


def engines_of(parts: Parts) -> Mapping[str, EngineStatus]:
    """Return how each engine is doing, by scope."""
    status = parts.driver.status()
    return {
        parts.scope: EngineStatus(
            binary=str(status.binary.path),
            version=status.binary.version,
            why=status.binary.reason,
            state=status.state,
            pid=status.pid,
            health=status.health,
            trouble=status.trouble,
            last_lines=status.last_lines,
        )
    }
