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
from keystead.vault.contentvalue import Contents, Difference, Entry, Noted
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


@dataclass(frozen=True)
class Recorded:
    """What became of a look: whether what was seen says anything, and whether there is something new to be told."""

    is_known: bool
    is_news: bool = False


@requires(Permission.VAULT_USE)
def claim(work: Work, *, before: datetime, again_at: datetime, limit: int) -> list[Question]:
    """Take zones of all accounts that nobody has looked into since a moment; whoever takes them looks.

    Until a look is written down they count as looked into at ``again_at``, so that one that comes to nothing is made up
    for.
    """
    found = store.due(work.connection, before=before, limit=limit)
    store.note_asked(work.connection, [one.zone_id for one in found], again_at)
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
def record(work: Work, zone_id: int, seen: Contents, *, revision: int) -> Recorded:
    """Compare what a zone holds with what is right there; what is seen first is right.

    What was seen while something was changed here says nothing, and the zone is looked into again. It is a look at the
    world, as metering is, of which the audit trail keeps nothing.
    """
    zones.find(work, zone_id)
    kept = store.find(work.connection, zone_id, is_held=True)
    if kept.revision != revision:
        store.make_due(work.connection, zone_id)
        return Recorded(is_known=False)
    if kept.records is None:
        _accept(work, zone_id, kept, seen)
    else:
        _compare(work, zone_id, kept, contentvalue.entries(kept.records), seen)
    store.note_looked(work.connection, zone_id, work.now)
    return Recorded(is_known=True, is_news=_news(kept) != _news(store.find(work.connection, zone_id)))


def _compare(work: Work, zone_id: int, kept: Kept, records: list[Entry], seen: Contents) -> None:
    values: dict[str, object] = {
        "records": contentvalue.stored(contentvalue.readopted(records, seen.records)),
        "record_drift": contentvalue.told(contentvalue.difference(records, seen.records)),
        "seen_at": work.now,
        "problem": None,
        "is_refused": False,
    }
    store.put(work.connection, zone_id, **(values | _redirects_seen(kept.redirects, seen)))


def _news(kept: Kept) -> tuple[object, ...]:
    """Return what findings are made of."""
    return kept.record_drift, kept.redirect_drift, kept.problem if kept.is_refused else None


@requires(Permission.VAULT_USE)
def note_unanswered(work: Work, zone_id: int, problem: str) -> None:
    """Write down why nothing was heard of a zone for now; whether the credential may look into it is not known anew."""
    zones.find(work, zone_id)
    store.note_unanswered(work.connection, zone_id, problem[:PROBLEM_LENGTH_MAX])


@requires(Permission.VAULT_USE)
def note_problem(work: Work, zone_id: int, problem: str, *, is_refused: bool) -> Recorded:
    """Write down why a zone could not be looked into; ``is_refused`` says that the credential may not.

    The first time it may not, the credential is verified: it may be refused for everything.
    """
    credential_id = zones.find(work, zone_id).credential_id
    kept = store.find(work.connection, zone_id, is_held=True)
    if is_refused and credential_id not in store.unreadable(work.connection, work.principal.account_id):
        looks.follow(work, credential_id, Kind.LOOK)
    store.note_problem(work.connection, zone_id, problem[:PROBLEM_LENGTH_MAX], is_refused=is_refused)
    store.note_looked(work.connection, zone_id, work.now)
    return Recorded(is_known=True, is_news=_news(kept) != _news(store.find(work.connection, zone_id)))


@requires(Permission.VAULT_CHANGE)
def accept(work: Work, zone_id: int, seen: Contents, *, revision: int) -> Compared:
    """Take what a zone holds now for right; raise ZoneNotFound, and Conflict when it was changed here meanwhile.

    Redirects that may not be read any more stay as they were known, with what differs of them.
    """
    zone = zones.find(work, zone_id)
    before = store.find(work.connection, zone_id, is_held=True)
    if before.revision != revision:
        raise Conflict(f"{zone.name} was changed here meanwhile; look at it and accept it again")
    _accept(work, zone_id, before, seen)
    differed = [] if before.record_drift is None else ["records"]
    if before.redirect_drift is not None and seen.redirects is not None:
        differed.append("redirects")
    work.audit("vault.zone.accept", zones.subject(zone.name), differed=differed)
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


def _accept(work: Work, zone_id: int, kept: Kept, seen: Contents) -> None:
    values: dict[str, object] = {
        "records": contentvalue.stored(seen.records),
        "record_drift": None,
        "accepted_at": work.now,
        "seen_at": work.now,
        "problem": None,
        "is_refused": False,
    }
    right = kept.redirects if seen.redirects is None else None
    store.grow(work.connection, zone_id, is_due=False)
    store.put(work.connection, zone_id, **(values | _redirects_seen(right, seen)))


def _redirects_seen(kept: list[list[str]] | None, seen: Contents) -> dict[str, object]:
    """Return what is written down of redirects; where nothing is kept as right, what is seen is.

    A credential that might read them before has lost a permission.
    """
    if seen.redirects is None:
        return {} if kept is None else {"problem": REDIRECTS_UNREADABLE, "is_refused": True}
    right = list(seen.redirects) if kept is None else contentvalue.entries(kept)
    return {
        "redirects": contentvalue.stored(right),
        "redirect_drift": contentvalue.told(contentvalue.difference(right, seen.redirects)),
        "seen_redirects": contentvalue.shown(seen.redirects),
        "foreign_redirects": seen.foreign,
    }
