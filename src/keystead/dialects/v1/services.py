"""What the handlers of the native API call; filled in by the composition root."""

from dataclasses import dataclass

from keystead.http.admission import Admission
from keystead.http.idempotency import Idempotency
from keystead.operations.access.audit import AuditOperations
from keystead.operations.access.people import PeopleOperations
from keystead.operations.access.tokens import TokenOperations
from keystead.operations.access.users import UserOperations
from keystead.operations.access.webhooks import WebhookOperations
from keystead.operations.domains.templates import TemplateOperations
from keystead.operations.instance.backup import Backups
from keystead.operations.instance.doctor import Doctor
from keystead.operations.instance.engines import EngineOperations
from keystead.operations.instance.export import Exports
from keystead.operations.instance.health import HealthCheck
from keystead.operations.instance.rotation import SecretsOperations
from keystead.operations.vault_parts import VaultOperations
from keystead.operations.vpn.bulks import BulkOperations
from keystead.operations.vpn.clients import ClientOperations
from keystead.operations.vpn.connections import ConnectionOperations
from keystead.operations.vpn.keys import VpnOperations
from keystead.operations.vpn.pairs import PairOperations
from keystead.operations.vpn.ports import PortOperations
from keystead.operations.vpn.subscriptions import SubscriptionOperations
from keystead.operations.vpn.terms import TermsOperations

# Where the wire answers at its door.
PREFIX = "/v1"


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
    tokens: TokenOperations
    users: UserOperations
    people: PeopleOperations
    audit: AuditOperations
    webhooks: WebhookOperations
    vault: VaultOperations
    templates: TemplateOperations
    engines: EngineOperations
    secrets: SecretsOperations
    backups: Backups
    exports: Exports
