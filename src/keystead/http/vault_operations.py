"""The operations of the vault, put together: for the composition root, which brings clients and transactions."""

from collections.abc import Mapping
from dataclasses import dataclass

from keystead.http.cloudflare_errands import CloudflareErrands
from keystead.http.cloudflare_operations import CloudflareOperations
from keystead.http.credential_operations import CredentialOperations
from keystead.http.errands import ErrandRunner
from keystead.http.monitor_operations import MonitorOperations
from keystead.http.move_desk import Openings
from keystead.http.move_job import MoveJob
from keystead.http.move_operations import MoveOperations
from keystead.http.move_stages import Stages
from keystead.http.namecheap_operations import NamecheapOperations
from keystead.http.provider_operations import ProviderOperations
from keystead.http.record_operations import RecordOperations
from keystead.http.redirect_operations import RedirectOperations
from keystead.http.registrar_operations import Open, RegistrarOperations
from keystead.http.rollout_jobs import RolloutJobs
from keystead.http.template_operations import TemplateOperations
from keystead.http.transaction import Transactions
from keystead.http.zone_hosts import ZoneHosts
from keystead.http.zone_operations import ZoneOperations
from keystead.http.zone_watch import ZoneWatch
from keystead.jobs.runner import JobRunner
from keystead.kit.ids import Ids
from keystead.kit.secret import Secret
from keystead.outgoing.dns import Lookup
from keystead.providers import namesilo
from keystead.providers.clients import Clients
from keystead.providers.namecheap import NAMECHEAP
from keystead.providers.namesilo import NAMESILO
from keystead.vault import moves, rollouts
from keystead.vault.templateplan import Limits


@dataclass(frozen=True)
class VaultOperations:
    """What callers may do with credentials and at providers, and the errands that follow."""

    credentials: CredentialOperations
    cloudflare: CloudflareOperations
    namecheap: NamecheapOperations
    providers: ProviderOperations
    registrars: RegistrarOperations
    monitors: MonitorOperations
    zones: ZoneOperations
    records: RecordOperations
    errands: ErrandRunner
    redirects: RedirectOperations
    templates: TemplateOperations
    watch: ZoneWatch
    moves: MoveOperations


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
    transactions: Transactions, clients: Clients, rules: VaultRules, *, ids: Ids, lookup: Lookup, jobs: JobRunner
) -> VaultOperations:
    """Return the operations; ``jobs`` carries moves and rollouts out, and ``lookup`` is asked about delegations."""
    account_id = rules.account_id
    credentials = CredentialOperations(transactions, account_id=account_id)
    errands = ErrandRunner(transactions, account_id=account_id, is_alone=rules.is_alone)
    chores = CloudflareErrands(transactions, clients, credentials, errands, ids)
    hosts = ZoneHosts(transactions, clients, credentials)
    namecheap = NamecheapOperations(transactions, clients, credentials)
    providers = ProviderOperations(transactions, clients, credentials, marking_key=rules.marking_key)
    openings = Openings(hosts, namecheap)
    rolling = RolloutJobs(transactions, hosts)
    jobs.on(moves.KIND, MoveJob(transactions, openings, Stages(transactions, lookup), chores).carry_out)
    jobs.on(rollouts.PLAN_KIND, rolling.plan)
    jobs.on(rollouts.APPLY_KIND, rolling.carry_out)
    return VaultOperations(
        credentials,
        CloudflareOperations(transactions, clients, errands, chores),
        namecheap,
        providers,
        RegistrarOperations(transactions, registrar_openers(namecheap, providers)),
        MonitorOperations(transactions, providers, ids),
        ZoneOperations(transactions, hosts, chores),
        RecordOperations(hosts),
        errands,
        RedirectOperations(transactions, hosts),
        TemplateOperations(transactions, rules.limits, on_started=jobs.wake),
        ZoneWatch(transactions, hosts, account_id=account_id),
        MoveOperations(transactions, openings, lookup, on_started=jobs.wake),
    )


def registrar_openers(namecheap: NamecheapOperations, providers: ProviderOperations) -> Mapping[str, Open]:
    """Return how each registrar is opened, by its provider's id."""
    return {
        NAMECHEAP.id: namecheap.opened,
        NAMESILO.id: lambda call, credential_id: providers.opened(call, namesilo.CONNECTABLE, credential_id),
    }
