"""What terms make due: a first use, a warning, a reached limit, an expiry, a new period; each audited with its figure.

``enforce`` is called by the loop (``enforcing``); the verbs of terms do the same for the key they change.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit.errors import Broken
from keystead.outbox.events import Event
from keystead.reconcile import store as scopes
from keystead.vpn import holding, notices
from keystead.vpn.accounting import Bytes
from keystead.vpn.keyvalue import KeyIdent, KeyState, VpnKey
from keystead.vpn.store import keys as key_store
from keystead.vpn.store import terms as term_store
from keystead.vpn.termvalue import Happening, Held, advance, refused


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


@requires(Permission.VPN_TERMS_CHANGE)
def note_refusal(work: Work, *, number: int, active: int) -> None:
    """Put on record, once in a period, that a key's newest address is refused while so many others are active."""
    key = key_store.find_for_change(work.connection, work.principal.account_id, KeyIdent("", number, None))
    before = None if key is None else term_store.find(work.connection, number)
    if key is None or before is None or key.state is KeyState.REMOVING:
        return
    after = refused(before, active, work.now)
    _record(work, key, after.happenings)
    if after.held != before:
        holding.keep(work.connection, key, after.held, scopes.generation(work.connection, key.scope))


def advance_key(work: Work, key: VpnKey, held: Held, lifetime: Bytes) -> Held:
    """Return a key's terms after everything that is due; audit and tell each thing that happens."""
    after = advance(held, lifetime, work.now)
    key = key._replace(is_active=key.is_enabled and after.held.stop is None)
    _record(work, key, after.happenings)
    return after.held


def _record(work: Work, key: VpnKey, happenings: Iterable[Happening]) -> None:
    for happening in happenings:
        work.audit(f"vpn.terms.{happening.name}", f"vpn key {key.number}", **happening.facts)
        _tell(work, key, happening)


def _tell(work: Work, key: VpnKey, happening: Happening) -> None:
    """Tell outsiders of what became due, in the transaction in which it does."""
    event, data = _notice(work, key, happening.name, happening.facts)
    work.emit(event, f"vpn key {key.number}", data)


def _notice(work: Work, key: VpnKey, name: str, facts: Mapping[str, Any]) -> tuple[Event, notices.Data]:
    match name:
        case "first_use":
            return Event.VPN_KEY_FIRST_USED, notices.first_used(key, at=work.now)
        case "warn":
            warned = notices.warned(
                key, used_bytes=facts["used"], quota_bytes=facts["quota_bytes"], threshold_percent=facts["percent"]
            )
            return Event.VPN_KEY_WARNED, warned
        case "limit":
            cut = notices.cut(key, used_bytes=facts["used"], quota_bytes=facts["quota_bytes"], action=facts["at_limit"])
            return Event.VPN_KEY_CUT, cut
        case "expire":
            return Event.VPN_KEY_EXPIRED, notices.expired(key, expired_at=work.now)
        case "renew":
            ended = notices.reset(key, upload=facts["upload"], download=facts["download"], by="period")
            return Event.VPN_KEY_RESET, ended
        case "refuse":
            limit, active = facts["address_limit"], facts["active"]
            told = notices.address_refused(key, address_limit=limit, active_addresses=active, at=work.now)
            return Event.VPN_KEY_ADDRESS_REFUSED, told
        case _:
            raise Broken(f"nobody knows how to tell of {name}")
