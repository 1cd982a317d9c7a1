"""Every column that holds sealed secrets, so that a rotation of keys reaches them all. Part of the composition root."""

from keystead.access import webhooks
from keystead.access.signin import secondfactor, sessions, signingkeys
from keystead.vault import sealed as vault_sealed
from keystead.vpn import sealed as vpn_sealed

SEALED_COLUMNS = (
    *vpn_sealed.SEALED_COLUMNS,
    *webhooks.SEALED_COLUMNS,
    *vault_sealed.SEALED_COLUMNS,
    signingkeys.SECRET,
    sessions.CHAIN_KEY,
    secondfactor.SECRET,
)
