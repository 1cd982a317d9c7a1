"""The plan of an import: what becomes of every customer of a source, decided without writing anything.

Nothing is merged silently. Xray compares UUIDs with two bytes zeroed, so customers whose UUIDs are one to it are
refused, all of them: who of them is meant cannot be told. Ports that are taken are refused with all customers behind
them.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from keystead.engines.xray.state import VISION, masked
from keystead.importing import particulars, placing, plans
from keystead.importing.found import (
    Found,
    FoundCustomer,
    FoundInbound,
    FoundLink,
    FoundTerms,
    NotCarried,
    What,
    rolling_since,
    without_duplicates,
)
from keystead.importing.naming import digest_of
from keystead.importing.placing import Place
from keystead.importing.planvalue import (
    Existing,
    ImportPlan,
    Named,
    PlannedInbound,
    PlannedKey,
    Question,
    Standing,
)
from keystead.kit.crypto import fingerprint
from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.vpn.accounting import Bytes
from keystead.vpn.periods import Reset
from keystead.vpn.termvalue import Held, Progress, Terms, advance

# Keys get their ids from here, so that a second import finds what the first one wrote.
_ORIGINS = uuid.UUID("b3f0c5c4-6c0e-5d0a-9a49-7d8f5d2f1a11")
_NAMED_AT_ONCE = 3
_CARRIED_BYTES_MAX = 2**53


def plan(
    found: Found, existing: Existing, *, now: datetime, prefer: Sequence[str] = (), origin: str | None = None
) -> ImportPlan:
    """Return what becomes of every customer.

    ``prefer`` answers questions: tags of inbounds, the most wanted first. ``origin`` names the source where two panels
    of one kind are imported; a customer of the same origin and id is the same one. Raises Invalid for a tag in
    ``prefer`` that is none of the source's.
    """
    _check_tags(prefer, found)
    name = origin or found.source.value
    judging = _Judging(found, existing, name, tuple(prefer), now)
    outcomes = [judging.outcome(customer) for customer in found.customers]
    keys = tuple(item for item in outcomes if isinstance(item, PlannedKey))
    inbounds = _used(judging, keys)
    wanted, differing = plans.against(found.plans, existing.plans)
    return ImportPlan(
        source=found.source,
        origin=name,
        digest=digest_of(found, origin=name, prefer=prefer, beside=judging.beside),
        inbounds=inbounds,
        keys=tuple(judging.placed(key) for key in keys),
        there=_of(outcomes, "there"),
        collisions=_of(outcomes, "collision"),
        questions=_questions(outcomes, judging.inbounds),
        not_carried=_of(outcomes, "not carried"),
        notes=without_duplicates(
            [
                *found.notes,
                *(note for planned in inbounds for note in planned.found.notes),
                *differing,
                *particulars.limits_told(found.customers),
            ]
        ),
        subscription_path=found.subscription_path,
        plans=wanted,
    )


def _check_tags(prefer: Sequence[str], found: Found) -> None:
    tags = [inbound.tag for inbound in found.inbounds]
    unknown = [tag for tag in prefer if tag not in tags]
    if unknown:
        raise Invalid(f"there is no inbound {unknown[0]!r:.80} to prefer; there are: {', '.join(tags) or 'none'}")


def public_id_of(origin: str, source_id: str) -> str:
    """Return the id of the key that a customer of a source becomes: always the same one."""
    return str(uuid.uuid5(_ORIGINS, f"{origin}\x1f{source_id}"))


@dataclass(frozen=True)
class _Ask:
    customer: Named
    inbounds: tuple[str, ...]


@dataclass(frozen=True)
class _Put:
    where: str
    customer: Named


_Outcome = PlannedKey | _Ask | _Put


@dataclass
class _Judging:
    """Everything that is looked up per customer, made once; inbounds go by their tags in the source."""

    found: Found
    existing: Existing
    origin: str
    prefer: tuple[str, ...]
    now: datetime
    inbounds: dict[str, FoundInbound] = field(init=False)
    places: dict[str, Place] = field(init=False)
    refused: dict[str, NotCarried] = field(init=False)

    def __post_init__(self) -> None:
        self.inbounds = {inbound.tag: inbound for inbound in self.found.inbounds}
        self.places = placing.places(self.found.inbounds, self.existing)
        self.refused = dict(_taken_ports(self.found.inbounds, self.places))
        self._ids = Counter(customer.source_id for customer in self.found.customers)
        self._twins = _twins(self.found.customers)
        self._by_public_id = {key.public_id: key for key in self.existing.keys}
        self._by_masked = {masked(key.uuid): key for key in self.existing.keys}
        self._numbers = {key.number for key in self.existing.keys}
        tokens = (customer.subscription_token for customer in self.found.customers)
        self._tokens = Counter(fingerprint(token.reveal()) for token in tokens if token is not None)

    @property
    def beside(self) -> list[str]:
        """Return the inbounds whose pair is served beside ours."""
        return [tag for tag, place in self.places.items() if place.beside is not None]

    def placed(self, key: PlannedKey) -> PlannedKey:
        """Return a key with the inbound here that it goes to, and what links carry there."""
        place = self.places[key.inbound]
        if place.beside is None:
            return replace(key, inbound=place.tag)
        ours = place.beside
        return replace(key, inbound=place.tag, short_id=ours.short_ids[0], server_name=ours.server_names[0])

    def outcome(self, customer: FoundCustomer) -> _Outcome:
        """Return what becomes of one customer."""
        if customer.uuid is None or not customer.links:
            nothing = NotCarried(What.RECORD, "it has no way to connect that can be carried")
            return _put("not carried", customer, customer.not_carried or (nothing,))
        public_id = customer.public_id or public_id_of(self.origin, customer.source_id)
        before = self._by_public_id.get(public_id)
        if before is not None and before.uuid == customer.uuid:
            return _put("there", customer, ())
        problem = self._identity_problem(customer, customer.uuid, is_known=before is not None)
        if problem is not None:
            return _put("collision", customer, (NotCarried(What.RECORD, problem),))
        links = [link for link in customer.links if link.inbound not in self.refused]
        dropped = [self.refused[link.inbound] for link in customer.links if link.inbound in self.refused]
        if not links:
            return _put("collision", customer, without_duplicates(dropped))
        return self._connected(customer, public_id, links, dropped)

    def _identity_problem(self, customer: FoundCustomer, vless_uuid: str, *, is_known: bool) -> str | None:
        if is_known:
            return (
                "it was taken over before with another UUID: it was re-issued in the panel since, or this is another "
                "panel of the same kind, which needs a name of its own"
            )
        if self._ids[customer.source_id] > 1:
            return "the source has several customers of this id"
        others = [name for source_id, name in self._twins[masked(vless_uuid)] if source_id != customer.source_id]
        if others:
            more = f" and {len(others) - _NAMED_AT_ONCE} more" if len(others) > _NAMED_AT_ONCE else ""
            shown = ", ".join(others[:_NAMED_AT_ONCE]) + more
            return f"to Xray its UUID is the same as that of {shown}; give each a UUID of its own in the panel first"
        other = self._by_masked.get(masked(vless_uuid))
        return None if other is None else f"to Xray its UUID is the same as that of key {other.number}, which is here"

    def _connected(
        self, customer: FoundCustomer, public_id: str, links: list[FoundLink], dropped: list[NotCarried]
    ) -> _Outcome:
        working = [link for link in links if self.inbounds[link.inbound].is_enabled]
        if working and len(working) < len(links):
            dropped.append(NotCarried(What.INBOUND, "its links to inbounds that are switched off are not carried"))
        ways = _different(working or links, self.inbounds)
        if len(ways) > 1:
            wanted = [link for tag in self.prefer for link in ways if link.inbound == tag]
            if not wanted:
                tags = tuple(link.inbound for link in ways)
                return _Ask(Named(customer.source_id, customer.name), tags)
            left = ", ".join(link.inbound for link in ways if link != wanted[0])
            dropped.append(NotCarried(What.INBOUND, f"its links to {left} are not carried, as was decided"))
            ways = wanted
        try:
            return self._key(customer, public_id, ways[0], [*dropped, *customer.not_carried], is_served=bool(working))
        except Invalid as error:
            reason = NotCarried(What.TERMS, f"its terms cannot be carried: {error.message}")
            return _put("not carried", customer, (reason,))

    def _key(
        self, customer: FoundCustomer, public_id: str, link: FoundLink, left: list[NotCarried], *, is_served: bool
    ) -> PlannedKey:
        if not is_served:
            left.append(NotCarried(What.INBOUND, "its inbound is switched off in the panel; it comes disabled"))
        _check_carried(customer.terms)
        number = None if customer.number in self._numbers else customer.number
        if number != customer.number:
            left.append(NotCarried(What.NAME, f"number {customer.number} is taken here; it gets another one"))
        vless_uuid, held = customer.uuid or "", self._held(customer)
        return PlannedKey(
            source_id=customer.source_id,
            public_id=public_id,
            name=customer.name,
            uuid=vless_uuid,
            masked_uuid=masked(vless_uuid),
            inbound=link.inbound,
            flow=link.flow,
            short_id=link.short_id,
            server_name=link.server_name,
            is_enabled=customer.is_enabled and is_served,
            created_at=customer.created_at or self.now,
            lifetime=lifetime_of(customer.terms),
            used=self._used(customer, held),
            held=held,
            subscription_token=self._free_token(customer.subscription_token, left),
            number=number,
            not_carried=without_duplicates(left),
        )

    def _used(self, customer: FoundCustomer, held: Held | None) -> Bytes:
        """Return what is shown: a key with terms of our making may have been reset since its period began."""
        if held is None or customer.held is not None:
            return customer.terms.used
        return held.used(lifetime_of(customer.terms))

    def _held(self, customer: FoundCustomer) -> Held | None:
        if customer.held is not None:
            return _settled(customer.held, lifetime_of(customer.terms), self.now)
        return held_of(customer.terms, created_at=customer.created_at or self.now, now=self.now)

    def _free_token(self, token: Secret[str] | None, left: list[NotCarried]) -> Secret[str] | None:
        if token is None:
            return None
        print_ = fingerprint(token.reveal())
        if self._tokens[print_] == 1 and print_ not in self.existing.tokens:
            return token
        left.append(NotCarried(What.SUBSCRIPTION, "its subscription address belongs to several; it is not carried"))
        return None


def lifetime_of(terms: FoundTerms) -> Bytes:
    """Return what a customer has carried over its life, at least what counts in the running period."""
    return terms.used if terms.lifetime is None else terms.lifetime.or_more(terms.used)


def _check_carried(terms: FoundTerms) -> None:
    """Raise Invalid for counters that nobody's traffic can have come to: sums of them have to fit into a database."""
    if max(terms.used.total, lifetime_of(terms).total) > _CARRIED_BYTES_MAX:
        raise Invalid("it is said to have carried more than 8 PiB, a broken counter; reset it in the source first")


def held_of(terms: FoundTerms, *, created_at: datetime, now: datetime) -> Held | None:
    """Return what was sold and how far it got by now, None where nothing was; raise Invalid for terms that cannot be.

    What became due in the source, or since it was read, is done here, so that nobody is told of it as of news.
    """
    sold = (terms.quota_bytes, terms.expires_at, terms.hold_s, terms.address_limit, terms.device_limit)
    if all(term is None for term in sold):
        return None
    carried = Terms(
        quota_bytes=terms.quota_bytes,
        period=terms.period,
        duration_s=terms.hold_s if terms.expires_at is None else None,
        expires_at=terms.expires_at,
        address_limit=terms.address_limit,
        device_limit=terms.device_limit,
    )
    lifetime = lifetime_of(terms)
    progress = Progress(_began_at(terms, created_at, now), baseline=lifetime - terms.used, unused_at=lifetime.total)
    return _settled(Held(carried, progress), lifetime, now)


def _settled(held: Held, lifetime: Bytes, now: datetime) -> Held:
    """Return terms with everything done that is due; an end that has passed is noted at its own moment."""
    settled = advance(held, lifetime, now).held
    if held.progress.expired_at is not None or settled.progress.expired_at is None:
        return settled
    return replace(settled, progress=replace(settled.progress, expired_at=settled.terms.expires_at))


def _began_at(terms: FoundTerms, created_at: datetime, now: datetime) -> datetime:
    if terms.period_began_at is not None:
        return terms.period_began_at
    if terms.period.reset is Reset.ROLLING and terms.period.days is not None:
        return rolling_since(created_at, terms.period.days, now)
    return created_at if terms.period.reset is Reset.NONE else terms.period.first(now)


def _put(where: str, customer: FoundCustomer, reasons: Iterable[NotCarried]) -> _Put:
    return _Put(where, Named(customer.source_id, customer.name, tuple(reasons)))


def _of(outcomes: Iterable[_Outcome], where: str) -> tuple[Named, ...]:
    return tuple(item.customer for item in outcomes if isinstance(item, _Put) and item.where == where)


def _twins(customers: Iterable[FoundCustomer]) -> Mapping[str, list[tuple[str, str]]]:
    """Return the customers that can connect, by their UUID as Xray compares it."""
    by_masked: dict[str, list[tuple[str, str]]] = {}
    for customer in customers:
        if customer.uuid is not None and customer.links:
            by_masked.setdefault(masked(customer.uuid), []).append((customer.source_id, customer.name))
    return by_masked


def _different(links: list[FoundLink], inbounds: Mapping[str, FoundInbound]) -> list[FoundLink]:
    """Return the links that a client would tell apart, the first of each kind."""
    ways: dict[tuple[object, ...], FoundLink] = {}
    for link in links:
        inbound = inbounds[link.inbound]
        ways.setdefault((inbound.port, inbound.public_key, link.flow, inbound.server_names, inbound.short_ids), link)
    return list(ways.values())


def _taken_ports(inbounds: Sequence[FoundInbound], places: Mapping[str, Place]) -> Iterable[tuple[str, NotCarried]]:
    """Yield the inbounds whose port is taken, each with the sentence that says by whom."""
    for inbound in inbounds:
        holder = places[inbound.tag].taken_by
        if holder is not None:
            sentence = f"port {inbound.port} of inbound {inbound.tag} is taken by {holder}"
            yield inbound.tag, NotCarried(What.INBOUND, sentence)


def _used(judging: _Judging, keys: Sequence[PlannedKey]) -> tuple[PlannedInbound, ...]:
    """Return the inbounds that the keys need."""
    flows: dict[str, Counter[str]] = {}
    for key in keys:
        flows.setdefault(key.inbound, Counter())[key.flow] += 1
    return tuple(
        _planned(inbound, judging.places[tag], judging.existing, flows[tag])
        for tag, inbound in judging.inbounds.items()
        if tag in flows
    )


def _planned(inbound: FoundInbound, place: Place, existing: Existing, flows: Counter[str]) -> PlannedInbound:
    server_names, short_ids = placing.names(inbound, place, existing)
    standing, ours = Standing.NEW, None
    if place.beside is not None:
        standing, ours = Standing.BESIDE, place.beside.public_key
    elif place.there is not None:
        is_wider = (server_names, short_ids) != (place.there.server_names, place.there.short_ids)
        standing = Standing.WIDENED if is_wider else Standing.THERE
    flow = max((VISION, ""), key=lambda one: flows[one])
    return PlannedInbound(place.tag, standing, inbound, flow, server_names, short_ids, ours)


def _questions(outcomes: Iterable[_Outcome], inbounds: Mapping[str, FoundInbound]) -> tuple[Question, ...]:
    asked: dict[tuple[str, ...], list[Named]] = {}
    for item in outcomes:
        if isinstance(item, _Ask):
            asked.setdefault(item.inbounds, []).append(item.customer)
    return tuple(Question(tags, _sentence(tags, inbounds), tuple(customers)) for tags, customers in asked.items())


def _sentence(tags: tuple[str, ...], inbounds: Mapping[str, FoundInbound]) -> str:
    shown = ", ".join(f"{tag} (port {inbounds[tag].port})" for tag in tags)
    return f"connects through {len(tags)} inbounds whose links differ: {shown}; say which of them is carried"
