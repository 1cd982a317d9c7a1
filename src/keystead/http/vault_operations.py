"""The operations of the vault, put together: for the composition root, which brings clients and transactions."""

from dataclasses import dataclass

from keystead.http.cloudflare_errands import CloudflareErrands
from keystead.http.cloudflare_operations import CloudflareOperations
from keystead.http.credential_operations import CredentialOperations
from keystead.http.errands import ErrandRunner
from keystead.http.move_desk import Openings
from keystead.http.move_job import MoveJob
from keystead.http.move_operations import MoveOperations
from keystead.http.move_stages import Stages
from keystead.http.namecheap_operations import NamecheapOperations
from keystead.http.record_operations import RecordOperations
from keystead.http.transaction import Transactions
from keystead.http.zone_hosts import ZoneHosts
from keystead.http.zone_operations import ZoneOperations
from keystead.http.zone_watch import ZoneWatch
from keystead.jobs.runner import JobRunner
from keystead.kit.ids import Ids
from keystead.outgoing.dns import Lookup
from keystead.providers.clients import Clients
from keystead.vault import moves


@dataclass(frozen=True)
class VaultOperations:
    """What callers may do with credentials and at providers, and the errands that follow."""

    credentials: CredentialOperations
    cloudflare: CloudflareOperations
    namecheap: NamecheapOperations
    zones: ZoneOperations
    records: RecordOperations
    errands: ErrandRunner
    moves: MoveOperations
    watch: ZoneWatch


def vault_operations(
    transactions: Transactions,
    clients: Clients,
    *,
    ids: Ids,
    account_id: int,
    is_alone: bool,
    lookup: Lookup,
    jobs: JobRunner,
) -> VaultOperations:
    """Return the operations; ``is_alone`` says that no other process has this database.

    Domain moves are carried out by ``jobs``, and ``lookup`` is whom they ask about delegations.
    """
    credentials = CredentialOperations(transactions, account_id=account_id)
    errands = ErrandRunner(transactions, account_id=account_id, is_alone=is_alone)
    chores = CloudflareErrands(transactions, clients, credentials, errands, ids)
    hosts = ZoneHosts(transactions, clients, credentials)
    namecheap = NamecheapOperations(transactions, clients, credentials)
    openings = Openings(hosts, namecheap)
    jobs.on(moves.KIND, MoveJob(transactions, openings, Stages(transactions, lookup), chores).carry_out)
    return VaultOperations(
        credentials,
        CloudflareOperations(transactions, clients, errands, chores),
        namecheap,
        ZoneOperations(transactions, hosts, chores),
        RecordOperations(hosts),
        errands,
        MoveOperations(transactions, openings, lookup, on_started=jobs.wake),
        ZoneWatch(transactions, hosts, account_id=account_id),
    )
