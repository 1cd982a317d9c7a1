"""A plan for people, as text, and for programs, as JSON; in neither is a UUID, a key or a token."""

from collections import Counter
from collections.abc import Iterable, Iterator

from keystead.importing.found import NotCarried
from keystead.importing.planvalue import ImportPlan, Named, PlannedKey, Standing

SCHEMA = 1
_NAMES_SHOWN = 5
_ROWS = (
    ("customers", "customers of the source"),
    ("new", "are taken over"),
    ("there", "are here already"),
    ("collisions", "are refused: they collide with somebody or something"),
    ("questions", "wait for an answer"),
    ("not_carried", "cannot be carried"),
)


def as_text(plan: ImportPlan) -> str:
    """Return a plan as lines: the counts, the inbounds, and then everything that does not come along, by customer."""
    sections = (
        _counts(plan),
        _inbounds(plan),
        _pairs(plan),
        _plans(plan),
        _questions(plan),
        _collisions(plan),
        _left(plan),
        _parts(plan),
        _notes(plan),
    )
    return "\n\n".join("\n".join(lines) for lines in map(list, sections) if lines) + "\n"


def as_json(plan: ImportPlan) -> dict[str, object]:
    """Return a plan as a JSON object, with every customer by name."""
    keys = Counter(key.inbound for key in plan.keys)
    return {
        "schema": SCHEMA,
        "source": plan.source.value,
        "origin": plan.origin,
        "digest": plan.digest,
        "counts": plan.counts,
        "inbounds": [
            {
                "tag": planned.tag,
                "source_tag": planned.found.tag,
                "standing": planned.standing.value,
                "links_carry": planned.links_carry or planned.found.public_key,
                "listen": planned.found.listen,
                "port": planned.found.port,
                "placement": planned.found.placement.value,
                "public_key": planned.found.public_key,
                "target": planned.found.target,
                "server_names": list(planned.server_names),
                "short_ids": list(planned.short_ids),
                "flow": planned.flow,
                "keys": keys[planned.tag],
            }
            for planned in plan.inbounds
        ],
        "plans": [wanted.name for wanted in plan.plans],
        "new": [_key(key) for key in plan.keys],
        "there": [_named(customer) for customer in plan.there],
        "collisions": [_named(customer) for customer in plan.collisions],
        "questions": [
            {
                "inbounds": list(question.inbounds),
                "sentence": question.sentence,
                "customers": [_named(customer) for customer in question.customers],
            }
            for question in plan.questions
        ],
        "not_carried": [_named(customer) for customer in plan.not_carried],
        "notes": _reasons(plan.notes),
    }


def _key(key: PlannedKey) -> dict[str, object]:
    terms = None if key.held is None else key.held.terms
    return {
        "id": key.source_id,
        "name": key.name,
        "public_id": key.public_id,
        "inbound": key.inbound,
        "is_enabled": key.is_enabled,
        "created_at": key.created_at.isoformat(),
        "lifetime": {"upload": key.lifetime.uplink, "download": key.lifetime.downlink},
        "quota_bytes": None if terms is None else terms.quota_bytes,
        "used_bytes": None if key.held is None else key.held.used(key.lifetime).total,
        "reset": None if terms is None else terms.period.reset.value,
        "expires_at": None if terms is None or terms.expires_at is None else terms.expires_at.isoformat(),
        "duration_s": None if terms is None else terms.duration_s,
        "address_limit": None if terms is None else terms.address_limit,
        "device_limit": None if terms is None else terms.device_limit,
        "stop": None if key.held is None or key.held.stop is None else key.held.stop.value,
        "has_subscription": key.subscription_token is not None,
        "not_carried": _reasons(key.not_carried),
    }


def _named(customer: Named) -> dict[str, object]:
    return {"id": customer.source_id, "name": customer.name, "reasons": _reasons(customer.reasons)}


def _reasons(reasons: Iterable[NotCarried]) -> list[dict[str, str]]:
    return [{"what": reason.what.value, "sentence": reason.sentence} for reason in reasons]


def _counts(plan: ImportPlan) -> Iterator[str]:
    counts = plan.counts
    yield f"Import from {plan.source.value} as {_line(plan.origin)}"
    for name, meaning in _ROWS:
        yield f"{counts[name]:>9,}  {meaning}"
    yield f"plan {plan.digest[:16]}"


def _inbounds(plan: ImportPlan) -> Iterator[str]:
    keys = Counter(key.inbound for key in plan.keys)
    if plan.inbounds:
        yield "Inbounds"
    for planned in plan.inbounds:
        where = f"{planned.found.listen} port {planned.found.port}, hides behind {planned.found.target}"
        yield f"  {_line(planned.found.tag)}: {where}, {planned.standing.value}, {keys[planned.tag]:,} keys"


def _pairs(plan: ImportPlan) -> Iterator[str]:
    """Yield what becomes of links where the panel's pair is served beside ours."""
    for planned in plan.inbounds:
        if planned.standing is not Standing.BESIDE:
            continue
        yield f"Two key pairs at port {planned.found.port}"
        yield f"  the panel's     {planned.found.public_key}: its links connect for as long as both are served"
        yield f"  ours            {planned.links_carry}: new links and subscriptions carry it, of its customers too"
        yield "  put in place    at the next start, by another process that takes the port over; nobody is cut off"
        yield "  way back        keystead vpn pair retire: links of the panel end, the customers keep those from here"


def _plans(plan: ImportPlan) -> Iterator[str]:
    if plan.plans:
        yield "Plans"
        yield f"  {len(plan.plans):,} are made: {', '.join(_line(wanted.name) for wanted in plan.plans)}"


def _questions(plan: ImportPlan) -> Iterator[str]:
    if plan.questions:
        yield "To be decided"
    for question in plan.questions:
        yield f"  {len(question.customers):,} customers, each {_line(question.sentence)}: {_names(question.customers)}"


def _collisions(plan: ImportPlan) -> Iterator[str]:
    return _listed("Refused", plan.collisions)


def _left(plan: ImportPlan) -> Iterator[str]:
    return _listed("Not carried", plan.not_carried)


def _parts(plan: ImportPlan) -> Iterator[str]:
    """Yield what customers who are taken over leave behind, each sentence once with how many it concerns."""
    by_sentence: dict[str, list[Named]] = {}
    for key in plan.keys:
        for reason in key.not_carried:
            by_sentence.setdefault(reason.sentence, []).append(Named(key.source_id, key.name))
    if by_sentence:
        yield "Taken over without"
    for sentence, customers in by_sentence.items():
        yield f"  {_line(sentence)}: {len(customers):,} customers: {_names(customers)}"


def _notes(plan: ImportPlan) -> Iterator[str]:
    if plan.notes:
        yield "To be known"
    for note in plan.notes:
        yield f"  {_line(note.sentence)}"


def _listed(title: str, customers: Iterable[Named]) -> Iterator[str]:
    lines = [f"  {_who(customer)}: {_line('; '.join(r.sentence for r in customer.reasons))}" for customer in customers]
    if lines:
        yield title
    yield from lines


def _names(customers: Iterable[Named]) -> str:
    names = [_who(customer) for customer in customers]
    more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more


def _who(customer: Named) -> str:
    name, source_id = _line(customer.name), _line(customer.source_id)
    return name if name == source_id else f"{name} ({source_id})"


def _line(text: str) -> str:
    """Return foreign text as one line without anything that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "·" for letter in text)
