"""The operations of the vault, put together: for the composition root, which brings clients and transactions."""

from collections.abc import Callable
from dataclasses import dataclass

from keystead.http.cloudflare_errands import CloudflareErrands
from keystead.http.cloudflare_operations import CloudflareOperations
from keystead.http.credential_operations import CredentialOperations
from keystead.http.domain_errands import DomainErrands, looking_at_cloudflare
from keystead.http.domain_operations import DomainOperations
from keystead.http.domain_watch import DomainWatch, Rhythm
from keystead.http.errands import ErrandRunner
from keystead.http.namecheap_operations import NamecheapOperations
from keystead.http.record_operations import RecordOperations
from keystead.http.registrars import opening_namecheap
from keystead.http.transaction import Transactions
from keystead.http.zone_hosts import ZoneHosts
from keystead.http.zone_operations import ZoneOperations
from keystead.http.zone_watch import ZoneWatch
from keystead.kit.ids import Ids
from keystead.outgoing.dns import Lookup
from keystead.providers.clients import Clients
from keystead.providers.cloudflare import CLOUDFLARE
from keystead.providers.namecheap import NAMECHEAP


@dataclass(frozen=True)
class Watching:
    """What domains are watched with: who asks DNS, how often, and who is told that mails wait."""

    lookup: Lookup
    rhythm: Rhythm
    on_mail: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class VaultOperations:
    """What callers may do with credentials and at providers, and the errands that follow."""

    credentials: CredentialOperations
    cloudflare: CloudflareOperations
    namecheap: NamecheapOperations
    zones: ZoneOperations
    records: RecordOperations
    errands: ErrandRunner
    watch: ZoneWatch
    domains: DomainOperations
    domain_watch: DomainWatch


def vault_operations(
    transactions: Transactions, clients: Clients, watching: Watching, *, ids: Ids, account_id: int, is_alone: bool
) -> VaultOperations:
    """Return the operations; ``is_alone`` says that no other process has this database."""
    credentials = CredentialOperations(transactions, account_id=account_id)
    errands = ErrandRunner(transactions, account_id=account_id, is_alone=is_alone)
    chores = CloudflareErrands(transactions, clients, credentials, errands, ids)
    namecheap = NamecheapOperations(transactions, clients, credentials)
    registrars = {NAMECHEAP.id: opening_namecheap(namecheap)}
    looks = {CLOUDFLARE.id: looking_at_cloudflare(clients, credentials, chores)}
    every = watching.rhythm.every
    seeing = DomainErrands(transactions, errands, looks=looks, registrars=registrars, every=every)
    watch = DomainWatch(
        transactions,
        watching.lookup,
        watching.rhythm,
        providers=seeing.providers,
        account_id=account_id,
        on_mail=watching.on_mail,
    )
    seeing.on_seen = watch.note_seen
    domains = DomainOperations(transactions, registrars, providers=seeing.providers, every=every, on_asked=watch.wake)
    hosts = ZoneHosts(transactions, clients, credentials)
    return VaultOperations(
        credentials,
        CloudflareOperations(transactions, clients, errands, chores),
        namecheap,
        ZoneOperations(transactions, hosts, chores),
        RecordOperations(hosts),
        errands,
        ZoneWatch(transactions, hosts, account_id=account_id),
        domains,
        watch,
    )
