"""What the handlers of the native API call; filled in by the composition root."""

from dataclasses import dataclass

from keystead.http.access_operations import AccessOperations
from keystead.http.admission import Admission
from keystead.http.audit_operations import AuditOperations
from keystead.http.backup import Backups
from keystead.http.bulk_operations import BulkOperations
from keystead.http.client_operations import ClientOperations
from keystead.http.connection_operations import ConnectionOperations
from keystead.http.doctor import Doctor
from keystead.http.engine_operations import EngineOperations
from keystead.http.export import Exports
from keystead.http.health import HealthCheck
from keystead.http.idempotency import Idempotency
from keystead.http.operations import VpnOperations
from keystead.http.pair_operations import PairOperations
from keystead.http.people_operations import PeopleOperations
from keystead.http.port_operations import PortOperations
from keystead.http.secrets_operations import SecretsOperations
from keystead.http.subscription_operations import SubscriptionOperations
from keystead.http.template_operations import TemplateOperations
from keystead.http.terms_operations import TermsOperations
from keystead.http.vault_operations import VaultOperations
from keystead.http.webhook_operations import WebhookOperations


@dataclass(frozen=True)
class Services:
    """One instance's operations."""

    admission: Admission
    idempotency: Idempotency
    health: HealthCheck
    doctor: Doctor
    vpn: VpnOperations
    ports: PortOperations
    pairs: PairOperations
    terms: TermsOperations
    bulks: BulkOperations
    connections: ConnectionOperations
    subscriptions: SubscriptionOperations
    clients: ClientOperations
    access: AccessOperations
    people: PeopleOperations
    audit: AuditOperations
    webhooks: WebhookOperations
    vault: VaultOperations
    templates: TemplateOperations
    engines: EngineOperations
    secrets: SecretsOperations
    backups: Backups
    exports: Exports
