"""What the integrations wire's handlers call, and where it answers."""

from dataclasses import dataclass

from keystead.http.admission import Admission
from keystead.operations.transaction import Transactions
from keystead.operations.vault_parts import VaultOperations

PREFIX = "/integrations"
ZONES, DOMAINS = "/zones", "/domains"
# Where the wire answers at its door.
PREFIXES = (PREFIX, ZONES, DOMAINS)


@dataclass(frozen=True)
class Services:
    """What the handlers call."""

    admission: Admission
    transactions: Transactions
    vault: VaultOperations
