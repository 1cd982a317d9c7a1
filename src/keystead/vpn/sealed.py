"""The columns of the vpn subject that hold sealed secrets, so that a rotation of keys reaches them all."""

from keystead.access.rotation import SealedColumn
from keystead.vpn.models import INBOUNDS, SECOND_PAIRS, SUBSCRIPTIONS

INBOUND_PRIVATE_KEY = SealedColumn(INBOUNDS, [INBOUNDS.c.id], INBOUNDS.c.private_key)
SECOND_PRIVATE_KEY = SealedColumn(SECOND_PAIRS, [SECOND_PAIRS.c.id], SECOND_PAIRS.c.private_key)
SUBSCRIPTION_TOKEN = SealedColumn(SUBSCRIPTIONS, [SUBSCRIPTIONS.c.key_number], SUBSCRIPTIONS.c.sealed_token)
SEALED_COLUMNS = (INBOUND_PRIVATE_KEY, SECOND_PRIVATE_KEY, SUBSCRIPTION_TOKEN)
