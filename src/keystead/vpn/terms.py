"""The verbs of a key's terms: show, change, extend, top up.

A reached limit or an expiry is taken back here when it no longer holds; reaching them is for ``enforcement``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit.errors import Conflict, Invalid
from keystead.kit.page import Page
from keystead.vpn import holding, keys
from keystead.vpn.accounting import NOTHING, Bytes
from keystead.vpn.enforcement import advance_key
from keystead.vpn.errors import NothingToGrant
from keystead.vpn.keyvalue import KeyIdent, KeyStatus, VpnKey
from keystead.vpn.lookup import IsApplied, locate, locate_for_change
from keystead.vpn.placement import Placement
from keystead.vpn.plans import Wish, changed_terms, check_end, wished_terms
from keystead.vpn.store import terms as term_store
from keystead.vpn.store import traffic as traffic_store
from keystead.vpn.termvalue import BYTES_MAX, Held, Starts, Terms, begin, granted, relaxed

# Tells what a label's key has carried over its life as far as is known at this moment; None: what is booked.
Live = Callable[[str], Bytes | None]

EXTENSION_DAYS_MAX = 3660


@dataclass(frozen=True)
class KeyTerms:
    """A key, its terms (None for one without) and what it used in this period; None when the caller may not see."""

    key: VpnKey
    held: Held | None
    used: Bytes | None

    @property
    def status(self) -> KeyStatus:
        """Return whether the key connects, and what stops it."""
        if not self.key.is_enabled:
            return KeyStatus.DISABLED
        stop = None if self.held is None else self.held.stop
        return KeyStatus.ACTIVE if stop is None else KeyStatus(stop.value)


@dataclass(frozen=True)
class KeyTermsPage:
    """Keys of one page with their terms, how many there are in all, and where the next page begins."""

    items: list[KeyTerms]
    total: int
    next: int | None


@dataclass(frozen=True)
class Granted:
    """A key after an extension or a top-up, and whether that had been done before under the same id."""

    shown: KeyTerms
    is_repeated: bool = False


@requires(Permission.VPN_KEYS_READ)
def show(work: Work, *, ident: KeyIdent, is_applied: IsApplied, live: Live) -> KeyTerms:
    """Return a key with its terms."""
    return _shown(work, locate(work.connection, work.principal, ident, is_applied), live)


def of_key(work: Work, *, key: VpnKey, live: Live) -> KeyTerms:
    """Return a key that a verb has found or made, with its terms."""
    return _shown(work, key, live)


@requires(Permission.VPN_KEYS_READ)
def list_(
    work: Work,
    *,
    placement: Placement | None,
    page: Page,
    is_applied: IsApplied,
    live: Live,
    status: KeyStatus | None = None,
) -> KeyTermsPage:
    """Return visible keys by number, all or those of a status, with their terms."""
    found = keys.list_(work, placement=placement, page=page, is_applied=is_applied, status=status)
    if not found.keys:
        return KeyTermsPage([], found.total, found.next)
    first, last = found.keys[0].number, found.keys[-1].number
    held = term_store.of_keys(work.connection, first, last)
    may_see = Permission.VPN_TRAFFIC_READ in work.principal.permissions
    booked = traffic_store.lifetimes(work.connection, first, last) if held and may_see else {}
    shown = []
    for key in found.keys:
        of_key, lifetime, used = held.get(key.number), booked.get(key.number), None
        if of_key is not None and lifetime is not None:
            used = of_key.used(lifetime.or_more(live(key.label) or NOTHING))
        shown.append(KeyTerms(key, of_key, used))
    return KeyTermsPage(shown, found.total, found.next)


@requires(Permission.VPN_TERMS_CHANGE)
def change(work: Work, *, ident: KeyIdent, wish: Wish, is_applied: IsApplied, live: Live) -> KeyTerms:
    """Change a key's terms; a plan takes the place of all of them and begins anew, as with a key issued now.

    Raises UnknownPlan, or Invalid for terms that do not fit together.
    """
    key = locate_for_change(work.connection, work.principal, ident, is_applied)
    if wish.plan is None and not wish.changes.given():
        return _shown(work, key, live)
    lifetime = holding.lifetime(work.connection, key, live(key.label))
    before = term_store.find(work.connection, key.number)
    if wish.plan is not None or before is None:
        terms = wished_terms(work.connection, work.principal.account_id, wish, work.now)
        held = begin(terms or Terms(), lifetime, work.now)
    else:
        held = _changed(before, wish, lifetime, work)
    work.audit("vpn.terms.change", f"vpn key {key.number}", **wish.facts())
    return _keep(work, key, held, live)


@requires(Permission.VPN_TERMS_CHANGE)
def extend(
    work: Work, *, ident: KeyIdent, days: int, request: str | None, is_applied: IsApplied, live: Live
) -> Granted:
    """Move a key's end by days of 24 hours; from now for one that has expired, which connects again.

    A duration that waits for the first bytes grows. ``request`` is an id of the caller's choice under which this is
    done once. Raises NothingToGrant for a key without an end, Conflict for an id that was used for another number.
    """
    if not 1 <= days <= EXTENSION_DAYS_MAX:
        raise Invalid("a key is extended by that many days", fields={"days": f"1 to {EXTENSION_DAYS_MAX}"})
    key = locate_for_change(work.connection, work.principal, ident, is_applied)
    if _is_done(work, key, "extend", request, days):
        work.mark(key.scope, key.label)  # the caller may wait again for what was not in force yet
        return Granted(_shown(work, key, live), is_repeated=True)
    held = check_extendable(key, term_store.find(work.connection, key.number))
    held = _extended(held, timedelta(days=days), work)
    ends = None if held.terms.expires_at is None else held.terms.expires_at.isoformat()
    work.audit("vpn.terms.extend", f"vpn key {key.number}", days=days, expires_at=ends, request=request)
    return Granted(_keep(work, key, held, live))


@requires(Permission.VPN_TERMS_CHANGE)
def top_up(
    work: Work, *, ident: KeyIdent, more: int, request: str | None, is_applied: IsApplied, live: Live
) -> Granted:
    """Give a key bytes beside its quota; they are used after it and kept until they are. A cut that ends is lifted.

    ``request`` is an id of the caller's choice under which this is done once. Raises NothingToGrant for a key without
    a quota, Conflict for an id that was used for another number.
    """
    if not 1 <= more <= BYTES_MAX:
        raise Invalid("a key is topped up by that many bytes", fields={"bytes": f"1 to {BYTES_MAX}"})
    key = locate_for_change(work.connection, work.principal, ident, is_applied)
    if _is_done(work, key, "top_up", request, more):
        work.mark(key.scope, key.label)  # the caller may wait again for what was not in force yet
        return Granted(_shown(work, key, live), is_repeated=True)
    held = check_metered(key, term_store.find(work.connection, key.number))
    topped_up = min(BYTES_MAX, held.progress.topped_up_bytes + more)
    held = replace(held, progress=replace(held.progress, topped_up_bytes=topped_up))
    held = relaxed(held, holding.lifetime(work.connection, key, live(key.label)))
    work.audit("vpn.terms.top_up", f"vpn key {key.number}", bytes=more, topped_up_bytes=topped_up, request=request)
    return Granted(_keep(work, key, held, live))


def check_extendable(key: VpnKey, held: Held | None) -> Held:
    """Return the terms of a key whose end can be moved; raise NothingToGrant for one without."""
    if held is None or (held.terms.expires_at is None and not held.is_waiting):
        raise NothingToGrant(f"VPN key {key.number} has no end to move; give it one with its terms")
    return held


def check_metered(key: VpnKey, held: Held | None) -> Held:
    """Return the terms of a key that can be topped up; raise NothingToGrant for one without a quota."""
    if held is None or held.terms.quota_bytes is None:
        raise NothingToGrant(f"VPN key {key.number} has no quota to top up; give it one with its terms")
    return held


def _changed(before: Held, wish: Wish, lifetime: Bytes, work: Work) -> Held:
    given = wish.changes.given()
    if "starts" in given and given.get("duration_s") is None:
        problem = "goes with a new duration_s"
        raise Invalid(f"starts: {problem}", fields={"starts": problem})
    terms = changed_terms(before.terms, wish.changes)
    progress = before.progress
    if terms.address_limit != before.terms.address_limit:
        progress = replace(progress, address_refused_at=None)
    if given.get("duration_s") is not None:
        terms = granted(terms, wish.changes.starting(Starts.FIRST_USE), work.now)
        progress = replace(progress, unused_at=lifetime.total)
    if "expires_at" in given or "duration_s" in given:
        check_end(terms, work.now)
        progress = replace(progress, expired_at=None)
    if terms.period != before.terms.period:
        progress = replace(progress, period_began_at=terms.period.first(work.now))
    return relaxed(Held(terms, progress), lifetime)


def _extended(held: Held, more: timedelta, work: Work) -> Held:
    if held.is_waiting:
        longer = (held.terms.duration_s or 0) + int(more.total_seconds())
        return replace(held, terms=replace(held.terms, duration_s=longer))
    ends = held.terms.expires_at or work.now
    if held.progress.expired_at is not None:
        ends = work.now
    return Held(replace(held.terms, expires_at=ends + more), replace(held.progress, expired_at=None))


def _is_done(work: Work, key: VpnKey, kind: str, request: str | None, amount: int) -> bool:
    """Tell whether a grant was made before, and record it otherwise; raise Conflict for one of another amount."""
    if request is None:
        return False
    if not 0 < len(request) <= 255 or not request.isprintable():
        raise Invalid("an id of a request has 1 to 255 printable characters", fields={"request": "1 to 255 characters"})
    before = term_store.granted(work.connection, key.number, kind, request)
    if before is None:
        term_store.add_grant(work.connection, key.number, kind, request, (amount, work.now))
        return False
    if before != amount:
        raise Conflict(f"this id was used for {before} before; use a new id for a new request")
    return True


def _keep(work: Work, key: VpnKey, held: Held, live: Live) -> KeyTerms:
    """Store terms after doing what is due by them, and have the engine told."""
    lifetime = holding.lifetime(work.connection, key, live(key.label))
    held = advance_key(work, key, held, lifetime)
    work.mark(key.scope, key.label)
    is_active = holding.keep(work.connection, key, held, work.marks[-1].generation)
    return _seen(work, key._replace(is_active=is_active), held, lifetime)


def _shown(work: Work, key: VpnKey, live: Live) -> KeyTerms:
    held = term_store.find(work.connection, key.number)
    if held is None:
        return KeyTerms(key, None, None)
    return _seen(work, key, held, holding.lifetime(work.connection, key, live(key.label)))


def _seen(work: Work, key: VpnKey, held: Held, lifetime: Bytes) -> KeyTerms:
    may_see = Permission.VPN_TRAFFIC_READ in work.principal.permissions
    return KeyTerms(key, held, held.used(lifetime) if may_see else None)
