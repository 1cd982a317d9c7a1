"""What applying a template does to one zone: the difference between what it says and what is there; pure.

The template says all of a name and a type: other records of that name and type are changed or deleted, and an alias
takes the place of addresses. Texts stand side by side, except those of which a name has one (SPF, DMARC, DKIM). What
the same template made before and says no more is deleted, known by its mark. All else is left as it is.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import orjson

from keystead.providers.cloudflare_rules import SeenRule, ref_of
from keystead.vault.templatevalue import RecordWish, Template, unquoted

_MARK = "keystead: template "
_ADDRESSES = frozenset({"A", "AAAA", "CNAME"})
_SINGLE_TEXTS = ("v=spf1", "v=dmarc1", "v=dkim1")


class Verb(StrEnum):
    """What is done."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"


class Kind(StrEnum):
    """What it is done to."""

    RECORD = "record"
    REDIRECT = "redirect"


@dataclass(frozen=True)
class PresentRecord:
    """A record as a zone has it."""

    id: str
    record: RecordWish
    comment: str


@dataclass(frozen=True)
class Step:
    """One change: texts for people, the id there of what is changed, and the value that is wanted."""

    verb: Verb
    kind: Kind
    subject: str
    before: str | None
    after: str | None
    remote_id: str | None
    reason: str | None
    value: Mapping[str, Any] | None = None

    def as_data(self) -> dict[str, Any]:
        """Return the step as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class ZonePlan:
    """What is done to a zone. ``present`` counts its records, ``left`` what stays others', ``same`` what is right."""

    steps: tuple[Step, ...]
    present: int
    left: int
    same: int

    def count(self, verb: Verb) -> int:
        """Count the steps of a verb."""
        return sum(step.verb is verb for step in self.steps)


@dataclass(frozen=True)
class Limits:
    """How much one application may delete without being told to: a share of a zone's records, and a number in all."""

    percent: int = 30
    in_all: int = 10


@dataclass(frozen=True)
class Loss:
    """How many records a zone has, how many of them are deleted, and what is deleted in all, redirects included."""

    zone: str
    present: int
    records: int
    all: int


def step_of(data: Mapping[str, Any]) -> Step:
    """Return the step that ``as_data`` wrote."""
    return Step(**{**data, "verb": Verb(data["verb"]), "kind": Kind(data["kind"])})


def mark(template: str) -> str:
    """Return the comment on records that a template made."""
    return f"{_MARK}{template}"


def present_record(found: Mapping[str, Any]) -> PresentRecord:
    """Read a record as Cloudflare writes it."""
    kind, content = str(found.get("type", "")), str(found.get("content") or "")
    priority = found.get("priority")
    record = RecordWish(
        type=kind,
        name=str(found.get("name", "")).lower(),
        content=unquoted(content) if kind == "TXT" else content.lower().rstrip("."),
        ttl=int(found.get("ttl") or 1),
        proxied=found.get("proxied") is True,
        priority=int(priority) if kind == "MX" and priority is not None else None,
    )
    return PresentRecord(str(found["id"]), record, str(found.get("comment") or ""))


def planned(wanted: Template, records: Sequence[PresentRecord], rules: Sequence[SeenRule]) -> ZonePlan:
    """Return what it takes for a zone to be as a template says, which has been expanded for it."""
    of_records, same_records, touched = _record_steps(wanted, records)
    of_rules, same_rules, known = _rule_steps(wanted, rules)
    order = {Verb.DELETE: 0, Verb.CHANGE: 1, Verb.CREATE: 2}
    steps = sorted([*of_records, *of_rules], key=lambda step: (step.kind.value, order[step.verb], step.subject))
    left = len(records) - touched + len(rules) - known
    return ZonePlan(tuple(steps), len(records), left, same_records + same_rules)


def digest(zones: Iterable[tuple[str, Sequence[Step]]]) -> str:
    """Return a short digest of a plan over many zones: what was reviewed is what runs."""
    data = [[name, [step.as_data() for step in steps]] for name, steps in zones]
    return hashlib.sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def unsafe(losses: Sequence[Loss], limits: Limits, forced: frozenset[str]) -> list[str]:
    """Return why a plan deletes more than it may; a zone whose name is forced is not counted."""
    counted = [loss for loss in losses if loss.zone not in forced]
    problems = [
        f"{loss.zone}: {loss.records} of {loss.present} records would be deleted, more than {limits.percent} %"
        for loss in counted
        if loss.records * 100 > limits.percent * loss.present
    ]
    in_all = sum(loss.all for loss in counted)
    if in_all > limits.in_all:
        problems.append(f"{in_all} records and redirects would be deleted in all, more than {limits.in_all}")
    return problems


def is_within(fresh: Sequence[Step], reviewed: Sequence[Step]) -> bool:
    """Tell whether all that is still to be done was reviewed: less is left when a part of it has been done."""
    return not Counter(map(_identity, fresh)) - Counter(map(_identity, reviewed))


def _identity(step: Step) -> tuple[str, ...]:
    return tuple(str(part) for part in (step.verb, step.kind, step.subject, step.before, step.after, step.remote_id))


def _record_steps(wanted: Template, records: Sequence[PresentRecord]) -> tuple[list[Step], int, int]:
    """Return the steps, how many records are right, and how many of those present either concerns."""
    steps: list[Step] = []
    same, waiting = 0, {one.id: one for one in sorted(records, key=lambda one: (one.record.content, one.id))}
    for key in dict.fromkeys(_key(one) for one in wanted.records):
        wishes = sorted((one for one in wanted.records if _key(one) == key), key=lambda one: one.content)
        there = [one for one in waiting.values() if _key(one.record) == key]
        for one in there:
            del waiting[one.id]
        paired, lacking, surplus = _paired(wishes, there)
        same += sum(wish == one.record for wish, one in paired)
        steps += [_change(wish, one, wanted.name) for wish, one in paired if wish != one.record]
        steps += [_create(wish, wanted.name) for wish in lacking]
        steps += [_delete(one, "the template says all of this name and type") for one in surplus]
    for one in list(waiting.values()):
        reason = _reason_to_go(one, wanted)
        if reason is not None:
            del waiting[one.id]
            steps.append(_delete(one, reason))
    return steps, same, len(records) - len(waiting)


def _paired(
    wishes: Sequence[RecordWish], there: Sequence[PresentRecord]
) -> tuple[list[tuple[RecordWish, PresentRecord]], list[RecordWish], list[PresentRecord]]:
    """Pair what is wanted with what is there: the same first, then the same content, then in their order."""
    pairs: list[tuple[RecordWish, PresentRecord]] = []
    lacking, free = list(wishes), list(there)
    for fits in (lambda a, b: a == b, lambda a, b: a.content == b.content, lambda a, b: True):
        for wish in list(lacking):
            found = next((one for one in free if fits(wish, one.record)), None)
            if found is not None:
                pairs.append((wish, found))
                lacking.remove(wish)
                free.remove(found)
    return pairs, lacking, free


def _reason_to_go(one: PresentRecord, wanted: Template) -> str | None:
    if one.record.type in _ADDRESSES:
        others = {wish.type for wish in wanted.records if wish.name == one.record.name and wish.type in _ADDRESSES}
        if "CNAME" in others or (others and one.record.type == "CNAME"):
            return "an alias and an address cannot share a name"
    return "the template says it no more" if one.comment == mark(wanted.name) else None


def _key(record: RecordWish) -> tuple[str, str, str]:
    if record.type != "TXT":
        return record.name, record.type, ""
    small = record.content.lower()
    return record.name, "TXT", next((kind for kind in _SINGLE_TEXTS if small.startswith(kind)), record.content)


def _create(wish: RecordWish, template: str) -> Step:
    value = _value(wish) | {"comment": mark(template)}
    return Step(Verb.CREATE, Kind.RECORD, f"{wish.type} {wish.name}", None, wish.text, None, None, value)


def _change(wish: RecordWish, one: PresentRecord, template: str) -> Step:
    value = _value(wish) | ({} if one.comment else {"comment": mark(template)})
    subject = f"{wish.type} {wish.name}"
    return Step(Verb.CHANGE, Kind.RECORD, subject, one.record.text, wish.text, one.id, None, value)


def _delete(one: PresentRecord, reason: str) -> Step:
    subject = f"{one.record.type} {one.record.name}"
    return Step(Verb.DELETE, Kind.RECORD, subject, one.record.text, None, one.id, reason)


def _value(wish: RecordWish) -> dict[str, Any]:
    value: dict[str, Any] = {"type": wish.type, "name": wish.name, "content": wish.content, "ttl": wish.ttl}
    if wish.type in _ADDRESSES:
        value["proxied"] = wish.proxied
    return value if wish.priority is None else value | {"priority": wish.priority}


def _rule_steps(wanted: Template, rules: Sequence[SeenRule]) -> tuple[list[Step], int, int]:
    """Return the steps, how many redirects are right, and how many of those present either concerns."""
    ours = {rule.ref: rule for rule in rules if rule.is_ours}
    steps: list[Step] = []
    same = known = 0
    for redirect in wanted.redirects:
        rule = ours.pop(ref_of(redirect.source), None)
        known += rule is not None
        if rule is not None and rule.is_enabled and rule.redirect == redirect:
            same += 1
            continue
        verb = Verb.CREATE if rule is None else Verb.CHANGE
        before = None if rule is None else _told(rule)
        ident = None if rule is None else rule.ref
        steps.append(Step(verb, Kind.REDIRECT, redirect.source, before, redirect.text, ident, None, asdict(redirect)))
    gone = [rule for rule in ours.values() if rule.template == wanted.name]
    reason = "the template says it no more"
    steps += [Step(Verb.DELETE, Kind.REDIRECT, rule.source, _told(rule), None, rule.ref, reason) for rule in gone]
    return steps, same, known + len(gone)


def _told(rule: SeenRule) -> str:
    said = rule.expression if rule.redirect is None else rule.redirect.text
    return said if rule.is_enabled else f"{said} (disabled)"
