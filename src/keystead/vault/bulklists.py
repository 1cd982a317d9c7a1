"""The verbs of accounts' bulk redirects: what is right in our list, what was seen there, and how the two differ.

The same as ``contents`` has of zones, one list for each credential. Each entry is also shown with the zone whose
requests it is about. Nothing here asks a provider: ``operations/domains/contents.py`` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit.errors import Conflict
from keystead.vault import contentvalue, credentials, looks
from keystead.vault.contents import PROBLEM_LENGTH_MAX, Recorded
from keystead.vault.contentvalue import Difference, Entry, Noted
from keystead.vault.errands import Kind
from keystead.vault.store import bulklists as store
from keystead.vault.store.bulklists import Kept

UNREADABLE = "bulk redirects may not be read any more"


@dataclass(frozen=True)
class ListCompared:
    """A credential, when its account's bulk redirects were last seen and accepted, and how they differ."""

    credential: str
    seen_at: datetime | None
    accepted_at: datetime | None
    redirects: Difference | None
    problem: str | None


@requires(Permission.VAULT_READ)
def find(work: Work, credential_id: int) -> ListCompared:
    """Return how an account's bulk redirects differed when they were last looked at; raise CredentialNotFound."""
    alias = credentials.find(work, credential_id).alias
    kept = store.find(work.connection, credential_id)
    return ListCompared(alias, kept.seen_at, kept.accepted_at, kept.drift, kept.problem)


@requires(Permission.VAULT_READ)
def revision(work: Work, credential_id: int) -> int:
    """Return the number of what is kept, which grows with every change made here; raise CredentialNotFound."""
    credentials.find(work, credential_id)
    return store.find(work.connection, credential_id).revision


@requires(Permission.VAULT_USE)
def record(work: Work, credential_id: int, seen: Sequence[Entry], *, revision: int) -> Recorded:
    """Compare what the list holds with what is right there; what is seen first is right.

    What was seen while something was changed here says nothing.
    """
    credentials.find(work, credential_id)
    kept = store.find(work.connection, credential_id, is_held=True)
    if kept.revision != revision:
        return Recorded(is_known=False)
    is_first = kept.redirects is None
    _write(work, credential_id, list(seen) if is_first else contentvalue.entries(kept.redirects or ()), seen)
    if is_first:
        store.put(work.connection, credential_id, accepted_at=work.now)
    return Recorded(is_known=True, is_news=_news(kept) != _news(store.find(work.connection, credential_id)))


@requires(Permission.VAULT_USE)
def note_unanswered(work: Work, credential_id: int, problem: str) -> None:
    """Write down why nothing was heard for now."""
    credentials.find(work, credential_id)
    store.note_unanswered(work.connection, credential_id, problem[:PROBLEM_LENGTH_MAX])


@requires(Permission.VAULT_USE)
def note_problem(work: Work, credential_id: int, problem: str, *, is_refused: bool) -> Recorded:
    """Write down why the list could not be read.

    A credential that may not (``is_refused``) has lost a permission where it might before; else it never had it.
    """
    credentials.find(work, credential_id)
    kept = store.find(work.connection, credential_id, is_held=True)
    if is_refused and kept.redirects is None:
        return Recorded(is_known=False)
    told = UNREADABLE if is_refused else problem[:PROBLEM_LENGTH_MAX]
    store.put(work.connection, credential_id, problem=told, is_refused=is_refused)
    return Recorded(is_known=True, is_news=_news(kept) != _news(store.find(work.connection, credential_id)))


@requires(Permission.VAULT_CHANGE)
def accept(work: Work, credential_id: int, seen: Sequence[Entry], *, revision: int) -> ListCompared:
    """Take what the list holds now for right; raise CredentialNotFound, and Conflict when it was changed meanwhile."""
    alias = credentials.find(work, credential_id).alias
    before = store.find(work.connection, credential_id, is_held=True)
    if before.revision != revision:
        raise Conflict(f"the bulk redirects of {alias} were changed here meanwhile; look at them and accept them again")
    store.grow(work.connection, credential_id)
    _write(work, credential_id, list(seen), seen)
    store.put(work.connection, credential_id, accepted_at=work.now)
    differed = [] if before.drift is None else ["redirects"]
    work.audit("vault.redirects.accept", credentials.subject(credential_id), differed=differed)
    return find(work, credential_id)


@requires(Permission.VAULT_USE)
def note(work: Work, credential_id: int, noted: Noted, *, made: Sequence[Entry] = ()) -> None:
    """Take a change that was made here for right; ``made`` is there now too, unless it was known to be there before."""
    kept = store.find(work.connection, credential_id, is_held=True)
    store.grow(work.connection, credential_id)
    if kept.drift is not None:
        looks.follow(work, credential_id, Kind.LOOK)
    if kept.redirects is None:
        return
    right, seen = contentvalue.entries(kept.redirects), contentvalue.entries(kept.seen or ())
    known = {one.id for one in right}
    all_noted = Noted(noted.gone, [*noted.there, *(one for one in made if one.id not in known)])
    after = contentvalue.applied(seen, all_noted)
    values = {"redirects": contentvalue.stored(contentvalue.applied(right, all_noted))}
    store.put(work.connection, credential_id, **values, seen=contentvalue.stored(after))
    _show(work, credential_id, after)


def _write(work: Work, credential_id: int, right: Sequence[Entry], seen: Sequence[Entry]) -> None:
    found = contentvalue.difference(right, seen)
    store.put(
        work.connection,
        credential_id,
        redirects=contentvalue.stored(right),
        seen=contentvalue.stored(seen),
        drift=contentvalue.told(found),
        seen_at=work.now,
        problem=None,
        is_refused=False,
    )
    _show(work, credential_id, seen)


def _show(work: Work, credential_id: int, seen: Sequence[Entry]) -> None:
    """Have the table of domains show each entry with the zone that it is about; what is shown so already stays."""
    zones = store.shown(work.connection, credential_id)
    found = contentvalue.by_zone(seen, zones)
    lines = {zone_id: contentvalue.shown(found.get(name, ())) for name, (zone_id, _) in zones.items()}
    store.show(work.connection, {zone_id: lines[zone_id] for zone_id, now in zones.values() if now != lines[zone_id]})


def _news(kept: Kept) -> tuple[object, ...]:
    """Return what findings are made of."""
    return kept.drift, kept.problem if kept.is_refused else None
