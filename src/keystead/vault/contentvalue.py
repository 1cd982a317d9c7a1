"""What a zone holds, its records and its redirects, and how that differs from what its owner takes for right; pure.

An entry is one record or one redirect: an id, what it is about, and what it says. Both are compared in the same way:
what says the same is the same, whatever its id. Comments on records are nobody's business here. The bulk redirects of
an account at its provider are entries too.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keystead.providers.cloudflare_rules import LIST_NAME, LIST_REF, SeenList, SeenRule, list_rule, ref_of
from keystead.providers.redirect import BulkRedirect, Redirect
from keystead.vault.templatevalue import TTL_AUTO, unquoted

# A finding is read by people, in a table and in a mail: what is beyond these is counted.
LINES_MAX = 20
LINE_LENGTH_MAX = 160
_LEADS_TO = " → "
# Of a name a template says all records of a type, but texts stand side by side with others'.
_BESIDE_OTHERS = "TXT"


@dataclass(frozen=True)
class Entry:
    """A record or a redirect: ``about`` is its type and name, or its source; ``says`` is all the rest of it."""

    id: str
    about: str
    says: str

    @property
    def text(self) -> str:
        """Return it as a line."""
        line = f"{self.about}: {self.says}"
        return line if len(line) <= LINE_LENGTH_MAX else f"{line[: LINE_LENGTH_MAX - 1]}…"


@dataclass(frozen=True)
class Contents:
    """What a zone holds: records, redirects that were made here, and how many redirects others have made.

    ``redirects`` are None where the credential may not read them.
    """

    records: tuple[Entry, ...]
    redirects: tuple[Entry, ...] | None
    foreign: int | None


@dataclass(frozen=True)
class Noted:
    """A change that was made here: what is gone, by ids; what is there now; and about what nothing else is right."""

    gone: Collection[str] = ()
    there: Sequence[Entry] = ()
    all_about: Collection[str] = ()


@dataclass(frozen=True)
class Difference:
    """What should be and what is, each as lines for people, and of bounded length."""

    expected: tuple[str, ...]
    seen: tuple[str, ...]


def record_entry(found: Mapping[str, Any]) -> Entry:
    """Read a record as Cloudflare writes it."""
    kind, content = str(found.get("type", "")), str(found.get("content") or "")
    ttl, priority = int(found.get("ttl") or TTL_AUTO), found.get("priority")
    said = [unquoted(content) if kind == "TXT" else content]
    said += [] if priority is None else [f"priority {priority}"]
    said += ["proxied"] if found.get("proxied") is True else []
    said += [] if ttl == TTL_AUTO else [f"ttl {ttl}"]
    return Entry(str(found.get("id", "")), record_about(kind, str(found.get("name", ""))), ", ".join(said))


def record_about(kind: str, name: str) -> str:
    """Return what a record is about."""
    return f"{kind} {name.lower()}"


def redirect_entry(redirect: Redirect) -> Entry:
    """Return a redirect as it is once it was set here."""
    return Entry(ref_of(redirect.source), redirect.source, redirect.text)


def rule_entry(rule: SeenRule) -> Entry:
    """Read a rule of ours; one that somebody rewrote says what stands in it now."""
    said = rule.expression if rule.redirect is None else rule.redirect.text
    return Entry(rule.ref, rule.source, said if rule.is_enabled else f"{said} (disabled)")


def bulk_entry(redirect: BulkRedirect) -> Entry:
    """Return a bulk redirect; its id is made of its source, for ids at the provider change with every put."""
    return Entry(ref_of(redirect.source), redirect.source, redirect.text)


def look_entry(rule: SeenRule | None = None) -> Entry:
    """Return the rule of ours that has an account look into our list, as it is there, or as it is once it was made."""
    said = f"looks into the list {LIST_NAME}"
    if rule is not None and (rule.expression, rule.list_name) != (list_rule()["expression"], LIST_NAME):
        said = f"looks into the list {rule.list_name}: {rule.expression}"
    is_off = rule is not None and not rule.is_enabled
    return Entry(LIST_REF, "rule of the account", f"{said} (disabled)" if is_off else said)


def list_entries(seen: SeenList) -> list[Entry]:
    """Return what an account has of bulk redirects that are ours."""
    items = [bulk_entry(item.redirect) for item in seen.items]
    return items if seen.rule is None else [look_entry(seen.rule), *items]


def by_zone(redirects: Iterable[Entry], zones: Collection[str]) -> dict[str, list[Entry]]:
    """Return bulk redirects by the zone whose requests they are about, the nearest of these.

    What is of none is left out: an account's bulk redirects meet the requests for its own zones only.
    """
    found: dict[str, list[Entry]] = {}
    for one in redirects:
        host = BulkRedirect(one.about, "").host if one.id != LIST_REF else ""
        while host and host not in zones:
            host = host.partition(".")[2]
        if host:
            found.setdefault(host, []).append(one)
    return found


def contents(records: Iterable[Mapping[str, Any]], rules: Sequence[SeenRule] | None) -> Contents:
    """Return what a zone holds, from what its provider shows; rules are None where they may not be read."""
    there = tuple(map(record_entry, records))
    if rules is None:
        return Contents(there, None, None)
    ours = tuple(rule_entry(rule) for rule in rules if rule.is_ours)
    return Contents(there, ours, len(rules) - len(ours))


def says_all(pairs: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return about what a template leaves nothing to others, of the types and names it has records of."""
    return frozenset(record_about(kind, name) for kind, name in pairs if kind != _BESIDE_OTHERS)


def difference(kept: Sequence[Entry], seen: Sequence[Entry]) -> Difference | None:
    """Return how what is there differs from what was kept as right; None where it does not."""
    lacking, surplus = _unmatched(kept, seen), _unmatched(seen, kept)
    if not lacking and not surplus:
        return None
    changed, removed, added = _paired(lacking, surplus)
    expected = [one.text for one in (*(before for before, _ in changed), *removed)]
    is_now = [
        *(f"changed: {after.text}" for _, after in changed),
        *(f"removed: {one.text}" for one in removed),
        *(f"added: {one.text}" for one in added),
    ]
    return Difference(_bounded(expected) or ("nothing added",), _bounded(is_now))


def readopted(kept: Sequence[Entry], seen: Sequence[Entry]) -> list[Entry]:
    """Return what was kept with the ids that what says the same has now: later changes are known by them."""
    ids: dict[tuple[str, str], list[str]] = {}
    for one in seen:
        ids.setdefault((one.about, one.says), []).append(one.id)
    made = []
    for one in kept:
        free = ids.get((one.about, one.says), [])
        ident = one.id if one.id in free or not free else free[0]
        if ident in free:
            free.remove(ident)
        made.append(Entry(ident, one.about, one.says))
    return made


def applied(kept: Sequence[Entry], noted: Noted) -> list[Entry]:
    """Return what is right after a change that was made here."""
    replaced = {one.id for one in noted.there} | set(noted.gone)
    left = [one for one in kept if one.id not in replaced and one.about not in noted.all_about]
    return [*left, *noted.there]


def shown(redirects: Iterable[Entry]) -> list[str]:
    """Return redirects as the table of domains shows them, and is searched by."""
    return [f"{one.about}{_LEADS_TO}{one.says}" for one in redirects]


def shown_after(lines: Iterable[str], noted: Noted) -> list[str]:
    """Return how the table shows redirects after a change that was made here."""
    replaced = {one.id for one in noted.there} | set(noted.gone)
    left = [line for line in lines if ref_of(line.partition(_LEADS_TO)[0]) not in replaced]
    return [*left, *shown(noted.there)]


def stored(entries: Iterable[Entry]) -> list[list[str]]:
    """Return entries as JSON values."""
    return [[one.id, one.about, one.says] for one in entries]


def entries(data: Iterable[Sequence[str]]) -> list[Entry]:
    """Return the entries that ``stored`` wrote."""
    return [Entry(*one) for one in data]


def told(found: Difference | None) -> dict[str, list[str]] | None:
    """Return a difference as a JSON value."""
    return None if found is None else {"expected": list(found.expected), "seen": list(found.seen)}


def _unmatched(some: Sequence[Entry], others: Sequence[Entry]) -> list[Entry]:
    """Return those of some that say what none of the others says; of equal ones each takes one of the others'."""
    free = Counter((one.about, one.says) for one in others)
    left = []
    for one in some:
        if free[one.about, one.says]:
            free[one.about, one.says] -= 1
            continue
        left.append(one)
    return sorted(left, key=lambda one: (one.about, one.says, one.id))


def _paired(
    lacking: Sequence[Entry], surplus: Sequence[Entry]
) -> tuple[list[tuple[Entry, Entry]], list[Entry], list[Entry]]:
    """Return what was changed, by id or else by what it is about; what is left of the one, and of the other.

    Each is looked at a few times: a list may have been replaced as a whole, all ten thousand of it.
    """
    free = dict(enumerate(surplus))
    places: dict[tuple[str, str], list[int]] = {}
    for number in reversed(free):
        places.setdefault(("id", surplus[number].id), []).append(number)
        places.setdefault(("about", surplus[number].about), []).append(number)
    changed, removed = [], []
    for before in lacking:
        for key in (("id", before.id), ("about", before.about)):
            there = places.get(key, [])
            while there and there[-1] not in free:
                there.pop()
            if there:
                changed.append((before, free.pop(there.pop())))
                break
        else:
            removed.append(before)
    return changed, removed, list(free.values())


def _bounded(lines: Sequence[str]) -> tuple[str, ...]:
    if len(lines) <= LINES_MAX:
        return tuple(lines)
    return (*lines[:LINES_MAX], f"and {len(lines) - LINES_MAX} more")
