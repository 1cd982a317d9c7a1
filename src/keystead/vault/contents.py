"""The verbs of zones' contents: what is right in a zone, what was seen there, and how the two differ.

What is right is what was there when the zone was first looked at, with every change that is made here; or what is there
when its owner says so. Nothing here asks a provider: ``operations/domains/contents.py`` does.
"""

from dataclasses import dataclass
from datetime import datetime

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit.errors import Conflict
from keystead.vault import contentvalue, looks, zones
from keystead.vault.contentvalue import Contents, Difference, Noted
from keystead.vault.errands import Kind
from keystead.vault.store import contents as store
from keystead.vault.store.contents import Kept, Question

PROBLEM_LENGTH_MAX = 255
REDIRECTS_UNREADABLE = "redirects may not be read any more"
_NOTHING = Noted()


@dataclass(frozen=True)
class Compared:
    """A zone, when its contents were last seen and accepted, and how what is there differs; None is no difference."""

    zone: str
    seen_at: datetime | None
    accepted_at: datetime | None
    records: Difference | None
    redirects: Difference | None
    problem: str | None


@requires(Permission.VAULT_USE)
def claim(work: Work, *, before: datetime, limit: int) -> list[Question]:
    """Take zones of all accounts that nobody has looked into since a moment; whoever takes them looks."""
    found = store.due(work.connection, before=before, limit=limit)
    store.note_asked(work.connection, [one.zone_id for one in found], work.now)
    return found


@requires(Permission.VAULT_READ)
def find(work: Work, zone_id: int) -> Compared:
    """Return how a zone differed when it was last looked into; raise ZoneNotFound."""
    zone = zones.find(work, zone_id)
    kept = store.find(work.connection, zone_id)
    return Compared(zone.name, kept.seen_at, kept.accepted_at, kept.record_drift, kept.redirect_drift, kept.problem)


@requires(Permission.VAULT_READ)
def revision(work: Work, zone_id: int) -> int:
    """Return the number of what is kept of a zone, which grows with every change made here; raise ZoneNotFound."""
    zones.find(work, zone_id)
    return store.find(work.connection, zone_id).revision


@requires(Permission.VAULT_USE)
def record(work: Work, zone_id: int, seen: Contents, *, revision: int) -> bool:
    """Compare what a zone holds with what is right there; what is seen first is right.

    What was seen while something was changed here says nothing: False, and the zone is looked into again. It is a look
    at the world, as metering is, of which the audit trail keeps nothing.
    """
    zones.find(work, zone_id)
    kept = store.find(work.connection, zone_id, is_held=True)
    if kept.revision != revision:
        store.make_due(work.connection, zone_id)
        return False
    if kept.records is None:
        _accept(work, zone_id, seen)
        return True
    records = contentvalue.entries(kept.records)
    values: dict[str, object] = {
        "records": contentvalue.stored(contentvalue.readopted(records, seen.records)),
        "record_drift": _told(contentvalue.difference(records, seen.records)),
        "seen_at": work.now,
        "problem": None,
        "is_refused": False,
    }
    store.put(work.connection, zone_id, **(values | _redirects_seen(kept, seen)))
    return True


@requires(Permission.VAULT_USE)
def note_problem(work: Work, zone_id: int, problem: str, *, is_refused: bool) -> None:
    """Write down why a zone could not be looked into; ``is_refused`` says that the credential may not.

    The first time it may not, the credential is verified: it may be refused for everything.
    """
    credential_id = zones.find(work, zone_id).credential_id
    if is_refused and credential_id not in store.unreadable(work.connection, work.principal.account_id):
        looks.follow(work, credential_id, Kind.LOOK)
    store.note_problem(work.connection, zone_id, problem[:PROBLEM_LENGTH_MAX], is_refused=is_refused)


@requires(Permission.VAULT_CHANGE)
def accept(work: Work, zone_id: int, seen: Contents, *, revision: int) -> Compared:
    """Take what a zone holds now for right; raise ZoneNotFound, and Conflict when it was changed here meanwhile."""
    zone = zones.find(work, zone_id)
    before = store.find(work.connection, zone_id, is_held=True)
    if before.revision != revision:
        raise Conflict(f"{zone.name} was changed here meanwhile; look at it and accept it again")
    _accept(work, zone_id, seen)
    settled = {"records": before.record_drift is not None, "redirects": before.redirect_drift is not None}
    work.audit("vault.zone.accept", zones.subject(zone.name), differed=[name for name, was in settled.items() if was])
    return find(work, zone_id)


@requires(Permission.VAULT_USE)
def note_records(work: Work, remote_id: str, noted: Noted) -> None:
    """Take a change of records that was made here for right; the change itself is on record already."""
    _note(work, remote_id, records=noted)


@requires(Permission.VAULT_USE)
def note_redirects(work: Work, remote_id: str, noted: Noted) -> None:
    """Take a change of redirects that was made here for right; the change itself is on record already."""
    _note(work, remote_id, redirects=noted)


def _note(work: Work, remote_id: str, *, records: Noted = _NOTHING, redirects: Noted = _NOTHING) -> None:
    """Carry a change over into what is right; a zone that was never looked into has nothing to carry it into."""
    zone_id = store.zone_of(work.connection, work.principal.account_id, remote_id)
    if zone_id is None:
        return
    kept = store.find(work.connection, zone_id, is_held=True)
    store.grow(work.connection, zone_id, is_due=kept.is_drifted)
    if kept.records is None:
        return
    before = contentvalue.entries(kept.redirects or ())
    store.put(
        work.connection,
        zone_id,
        records=contentvalue.stored(contentvalue.applied(contentvalue.entries(kept.records), records)),
        redirects=None if kept.redirects is None else contentvalue.stored(contentvalue.applied(before, redirects)),
        seen_redirects=contentvalue.shown_after(kept.seen_redirects or (), redirects),
    )


def _accept(work: Work, zone_id: int, seen: Contents) -> None:
    store.grow(work.connection, zone_id, is_due=False)
    store.put(
        work.connection,
        zone_id,
        records=contentvalue.stored(seen.records),
        redirects=None if seen.redirects is None else contentvalue.stored(seen.redirects),
        record_drift=None,
        redirect_drift=None,
        seen_redirects=None if seen.redirects is None else contentvalue.shown(seen.redirects),
        foreign_redirects=seen.foreign,
        accepted_at=work.now,
        seen_at=work.now,
        problem=None,
        is_refused=False,
    )


def _redirects_seen(kept: Kept, seen: Contents) -> dict[str, object]:
    """Return what is written down of redirects; a credential that might read them before has lost a permission."""
    if seen.redirects is None:
        return {} if kept.redirects is None else {"problem": REDIRECTS_UNREADABLE, "is_refused": True}
    right = list(seen.redirects) if kept.redirects is None else contentvalue.entries(kept.redirects)
    return {
        "redirects": contentvalue.stored(right),
        "redirect_drift": _told(contentvalue.difference(right, seen.redirects)),
        "seen_redirects": contentvalue.shown(seen.redirects),
        "foreign_redirects": seen.foreign,
    }


def _told(found: Difference | None) -> dict[str, list[str]] | None:
    return None if found is None else {"expected": list(found.expected), "seen": list(found.seen)}
