"""What terms make due: a first use, a warning, a reached limit, an expiry, a new period; each audited with its figure.

``enforce`` is called by the loop (``enforcing``); the verbs of terms do the same for the key they change.
"""

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.reconcile import store as scopes
from keystead.vpn import holding
from keystead.vpn.accounting import Bytes
from keystead.vpn.keyvalue import KeyIdent, KeyState, VpnKey
from keystead.vpn.store import keys as key_store
from keystead.vpn.store import terms as term_store
from keystead.vpn.termvalue import Happening, Held, advance


@requires(Permission.VPN_TERMS_CHANGE)
def enforce(work: Work, *, number: int, live: Bytes | None) -> None:
    """Do everything that is due for a key; ``live`` is what it has carried over its life as far as is known.

    A key that is gone, or without terms, needs nothing.
    """
    key = key_store.find_for_change(work.connection, work.principal.account_id, KeyIdent("", number, None))
    before = None if key is None else term_store.find(work.connection, number)
    if key is None or before is None or key.state is KeyState.REMOVING:
        return
    held = advance_key(work, key, before, holding.lifetime(work.connection, key, live))
    if held == before:
        return
    if (held.stop, held.pace) != (before.stop, before.pace):
        work.mark(key.scope, key.label)
    revision = work.marks[-1].generation if work.marks else scopes.generation(work.connection, key.scope)
    holding.keep(work.connection, key, held, revision)


def advance_key(work: Work, key: VpnKey, held: Held, lifetime: Bytes) -> Held:
    """Return a key's terms after everything that is due; audit and tell each thing that happens."""
    after = advance(held, lifetime, work.now)
    key = key._replace(is_active=key.is_enabled and after.held.stop is None)
    for happening in after.happenings:
        work.audit(f"vpn.terms.{happening.name}", f"vpn key {key.number}", **happening.facts)
        _tell(work, key, happening)
    return after.held


def _tell(work: Work, key: VpnKey, happening: Happening) -> None:
    """Tell outsiders of what became due, in the transaction in which it does; nobody listens yet."""
