"""The operations of the vault, put together: for the composition root, which brings clients and transactions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keystead.jobs.runner import JobRunner
from keystead.kit.ids import Ids
from keystead.kit.secret import Secret
from keystead.operations.domains.contents import ContentOperations, ListOperations
from keystead.operations.domains.hosts import ZoneHosts
from keystead.operations.domains.moves import MoveOperations
from keystead.operations.domains.moving.desk import Openings
from keystead.operations.domains.moving.job import MoveJob
from keystead.operations.domains.moving.stages import Stages
from keystead.operations.domains.records import RecordOperations
from keystead.operations.domains.redirects import RedirectOperations
from keystead.operations.domains.registrars import Open, RegistrarOperations
from keystead.operations.domains.rollouts import RolloutJobs
from keystead.operations.domains.table import DomainOperations
from keystead.operations.domains.templates import TemplateOperations
from keystead.operations.domains.watch.contents import ContentWatch
from keystead.operations.domains.watch.domains import DomainWatch, Rhythm
from keystead.operations.domains.watch.looks import DomainErrands, looking_at_cloudflare
from keystead.operations.domains.watch.registrars import opening, opening_namecheap
from keystead.operations.domains.watch.zones import ZoneWatch
from keystead.operations.domains.zones import ZoneOperations
from keystead.operations.providers.cloudflare import CloudflareOperations
from keystead.operations.providers.cloudflare_errands import CloudflareErrands
from keystead.operations.providers.joined import ProviderOperations
from keystead.operations.providers.monitors import MonitorOperations
from keystead.operations.providers.namecheap import NamecheapOperations
from keystead.operations.providers.namecheap_hosts import HostOperations
from keystead.operations.transaction import Transactions
from keystead.operations.vault.alone import Alone
from keystead.operations.vault.credentials import CredentialOperations
from keystead.operations.vault.errands import ErrandRunner
from keystead.outgoing.dns import Lookup
from keystead.providers import namesilo
from keystead.providers.clients import Clients
from keystead.providers.cloudflare import CLOUDFLARE
from keystead.providers.namecheap import NAMECHEAP
from keystead.providers.namesilo import NAMESILO
from keystead.vault import moves, rollouts
from keystead.vault.templateplan import Limits


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
    providers: ProviderOperations
    registrars: RegistrarOperations
    monitors: MonitorOperations
    hosts: HostOperations
    zones: ZoneOperations
    records: RecordOperations
    errands: ErrandRunner
    redirects: RedirectOperations
    templates: TemplateOperations
    watch: ZoneWatch
    moves: MoveOperations
    domains: DomainOperations
    domain_watch: DomainWatch
    contents: ContentOperations
    content_watch: ContentWatch
    lists: ListOperations


@dataclass(frozen=True)
class VaultRules:
    """Whose vault it is, and what was settled about it.

    ``marking_key`` is that of hashes that stand for external accounts without a name; ``is_alone`` says that no other
    process has this database; ``limits`` are those of what templates may delete.
    """

    account_id: int
    marking_key: Secret[bytes]
    is_alone: bool
    limits: Limits


def vault_operations(
    transactions: Transactions, clients: Clients, rules: VaultRules, watching: Watching, *, ids: Ids, jobs: JobRunner
) -> VaultOperations:
    """Return the operations; ``jobs`` carries moves and rollouts out."""
    account_id = rules.account_id
    credentials = CredentialOperations(transactions, account_id=account_id)
    errands = ErrandRunner(transactions, account_id=account_id, is_alone=rules.is_alone)
    chores = CloudflareErrands(transactions, clients, credentials, errands, ids)
    namecheap = NamecheapOperations(transactions, clients, credentials)
    providers = ProviderOperations(transactions, clients, credentials, marking_key=rules.marking_key)
    openers = registrar_openers(namecheap, providers)
    registrars = {name: opening(opener) for name, opener in openers.items()}
    registrars[NAMECHEAP.id] = opening_namecheap(namecheap)
    hosts, apart = ZoneHosts(transactions, clients, credentials), Alone(transactions)
    lists = ListOperations(transactions, hosts)
    looks = {CLOUDFLARE.id: looking_at_cloudflare(transactions, clients, credentials, chores, lists)}
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
    seeing.on_seen = lists.on_seen = watch.note_seen
    lists.on_asked = watch.wake
    domains = DomainOperations(transactions, registrars, providers=seeing.providers, every=every, on_asked=watch.wake)
    contents = ContentOperations(transactions, hosts, on_seen=watch.note_seen, on_asked=watch.wake)
    looking_into = ContentWatch(transactions, contents, every=watching.rhythm.contents_every, account_id=account_id)
    registering = RegistrarOperations(transactions, openers)
    openings = Openings(hosts, registering)
    rolling = RolloutJobs(transactions, hosts)
    jobs.on_long(moves.KIND, MoveJob(transactions, openings, Stages(transactions, watching.lookup), chores).carry_out)
    jobs.on_long(rollouts.PLAN_KIND, rolling.plan)
    jobs.on_long(rollouts.APPLY_KIND, rolling.carry_out)
    return VaultOperations(
        credentials,
        CloudflareOperations(transactions, clients, errands, chores),
        namecheap,
        providers,
        registering,
        MonitorOperations(transactions, providers, ids),
        HostOperations(transactions, namecheap, apart),
        ZoneOperations(transactions, hosts, chores),
        RecordOperations(hosts),
        errands,
        RedirectOperations(transactions, hosts, apart),
        TemplateOperations(transactions, rules.limits, on_started=jobs.wake),
        ZoneWatch(transactions, hosts, account_id=account_id),
        MoveOperations(transactions, openings, watching.lookup, on_started=jobs.wake),
        domains,
        watch,
        contents,
        looking_into,
        lists,
    )


def registrar_openers(namecheap: NamecheapOperations, providers: ProviderOperations) -> Mapping[str, Open]:
    """Return how each registrar is opened, by its provider's id."""
    return {
        NAMECHEAP.id: namecheap.opened,
        NAMESILO.id: lambda call, credential_id: providers.opened(call, namesilo.CONNECTABLE, credential_id),
    }
