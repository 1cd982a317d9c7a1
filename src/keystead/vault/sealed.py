"""The columns of the vault that hold sealed secrets, so that a rotation of keys reaches them all."""

from keystead.access.rotation import SealedColumn
from keystead.vault.models import CREDENTIALS, ERRANDS, RELAYS

CREDENTIAL_SECRET = SealedColumn(CREDENTIALS, [CREDENTIALS.c.id], CREDENTIALS.c.secret)
RELAY_AUTH = SealedColumn(RELAYS, [RELAYS.c.id], RELAYS.c.auth)
ERRAND_SECRET = SealedColumn(ERRANDS, [ERRANDS.c.id], ERRANDS.c.secret)
SEALED_COLUMNS = (CREDENTIAL_SECRET, RELAY_AUTH, ERRAND_SECRET)
