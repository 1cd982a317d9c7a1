"""Which keys a caller can see: the one rule about it, shared by every verb that starts from an identifier."""

from collections.abc import Callable

from sqlalchemy import Connection

from keystead.access.principal import Principal
from keystead.vpn.errors import KeyNotFound
from keystead.vpn.keyvalue import KeyIdent, KeyState, VpnKey
from keystead.vpn.store import keys as key_store

# Tells whether a label is in the engine although its row does not say so yet (Reconciler.is_applied).
IsApplied = Callable[[str], bool]
# Tells whether a label is out of the engine although its row does not say so yet (Reconciler.is_gone).
IsGone = Callable[[str], bool]


def locate(connection: Connection, principal: Principal, ident: KeyIdent, is_applied: IsApplied) -> VpnKey:
    """Return the visible key a caller names; raise KeyNotFound."""
    return _checked(key_store.find(connection, principal.account_id, ident), principal, ident, is_applied)


def locate_for_change(connection: Connection, principal: Principal, ident: KeyIdent, is_applied: IsApplied) -> VpnKey:
    """Return the visible key a caller is about to change, safe from other changes until the commit."""
    return _checked(key_store.find_for_change(connection, principal.account_id, ident), principal, ident, is_applied)


def is_allowed(principal: Principal, key: VpnKey) -> bool:
    """Tell whether a key is within what the caller is confined to."""
    return principal.confined_to_token is None or key.issued_by == principal.confined_to_token


def is_visible(key: VpnKey, is_applied: IsApplied) -> bool:
    """Tell whether a key is usable and so may show: a key being issued may not until the engine holds it."""
    return key.state is KeyState.LIVE or (key.state is KeyState.ISSUING and is_applied(key.label))


def _checked(key: VpnKey | None, principal: Principal, ident: KeyIdent, is_applied: IsApplied) -> VpnKey:
    if key is None or not is_allowed(principal, key) or not is_visible(key, is_applied):
        raise KeyNotFound(ident.text)
    return key
