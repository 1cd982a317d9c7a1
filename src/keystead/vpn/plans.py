"""The verbs of plans: create, change, find, list, remove; and what a create that names one is given.

A plan is copied into a key's terms when the key is issued: changing or removing a plan changes no key.
"""

from dataclasses import dataclass, fields, replace
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit.errors import AlreadyExists, Invalid, NotFound
from keystead.vpn.errors import PlacementDiffers, UnknownPlan
from keystead.vpn.periods import Period, Reset
from keystead.vpn.placement import Firmness, Placement
from keystead.vpn.store import plans as store
from keystead.vpn.store.plans import Plan
from keystead.vpn.termvalue import AtLimit, Starts, Terms, granted

NAME_LENGTH_MAX = 64


class Unset:
    """Stands for what a change leaves as it is; None takes away."""


UNSET = Unset()


@dataclass(frozen=True)
class TermChanges:
    """What to say anew about terms; what is left out stays. ``starts`` says when a new duration begins."""

    quota_bytes: int | Unset | None = UNSET
    at_limit: AtLimit | Unset = UNSET
    slow_to_bytes_s: int | Unset | None = UNSET
    warn_at: tuple[int, ...] | Unset = UNSET
    speed_bytes_s: int | Unset | None = UNSET
    address_limit: int | Unset | None = UNSET
    reset: Reset | Unset = UNSET
    reset_days: int | Unset | None = UNSET
    reset_day: int | Unset = UNSET
    time_zone: str | Unset = UNSET
    duration_s: int | Unset | None = UNSET
    expires_at: datetime | Unset | None = UNSET
    device_limit: int | Unset | None = UNSET
    starts: Starts | Unset = UNSET

    def given(self) -> dict[str, object]:
        """Return what is not left out."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if not isinstance(getattr(self, field.name), Unset)
        }

    def starting(self, otherwise: Starts) -> Starts:
        """Return when a duration begins: what is said, or else what is given here."""
        return otherwise if isinstance(self.starts, Unset) else self.starts


@dataclass(frozen=True)
class Wish:
    """What a create asks for: a plan by name, and terms said beside it, which decide."""

    plan: str | None = None
    changes: TermChanges = TermChanges()

    def facts(self) -> dict[str, object]:
        """Return what was asked for as facts of an audit record."""
        return ({} if self.plan is None else {"plan": self.plan}) | fact_values(self.changes)


def changed_terms(terms: Terms, changes: TermChanges) -> Terms:
    """Return terms with changes; raise Invalid when they do not fit together.

    A new end takes the place of a duration, and a new duration that of an end.
    """
    given = changes.given()
    given.pop("starts", None)
    if given.get("duration_s") is not None and given.get("expires_at") is not None:
        problem = "give either duration_s or expires_at"
        raise Invalid(problem, fields={"expires_at": problem})
    if given.get("duration_s") is not None:
        given["expires_at"] = None
    elif given.get("expires_at") is not None:
        given["duration_s"] = None
    period = terms.period
    reset = given.pop("reset", period.reset)
    days = given.pop("reset_days", period.days if reset is period.reset else None)
    month_day = given.pop("reset_day", period.month_day)
    zone = given.pop("time_zone", period.zone)
    period = Period(reset, days, month_day, zone)  # type: ignore[arg-type]  # the fields of TermChanges
    return replace(terms, period=period, **given)  # type: ignore[arg-type]  # the fields of TermChanges


def wished_plan(connection: Connection, account_id: int, wish: Wish) -> Plan | None:
    """Return the plan a create names, None when it names none; raise UnknownPlan."""
    if wish.plan is None:
        return None
    plan = store.find(connection, account_id, wish.plan)
    if plan is None:
        raise UnknownPlan(wish.plan)
    return plan


def wished_terms(connection: Connection, account_id: int, wish: Wish, now: datetime) -> Terms | None:
    """Return the terms a new key gets, None for none; raise UnknownPlan, or Invalid for an end that has passed."""
    return terms_of(wished_plan(connection, account_id, wish), wish, now)


def placed(plan: Plan | None, placement: Placement, firmness: Firmness) -> Placement:
    """Return where a new key sits; raise PlacementDiffers for a plan that contradicts what cannot be otherwise."""
    if plan is None or plan.placement is None or plan.placement is placement:
        return placement
    if firmness is Firmness.FIXED:
        raise PlacementDiffers(
            f"the keys of plan {plan.name!r} are {plan.placement.value}, and this API creates {placement.value} ones"
        )
    return plan.placement if firmness is Firmness.DEFAULT else placement


def terms_of(plan: Plan | None, wish: Wish, now: datetime) -> Terms | None:
    """Return the terms a new key gets of a plan and what stands beside it; raise Invalid for an end that has passed."""
    if plan is None and not wish.changes.given():
        return None
    starts = wish.changes.starting(plan.starts if plan is not None else Starts.FIRST_USE)
    terms = changed_terms(plan.terms if plan is not None else Terms(), wish.changes)
    check_end(terms, now)
    return granted(terms, starts, now)


def check_end(terms: Terms, now: datetime) -> None:
    """Raise Invalid for an end that has passed."""
    if terms.expires_at is not None and terms.expires_at <= now:
        problem = f"{terms.expires_at.isoformat()} has passed"
        raise Invalid(f"expires_at: {problem}", fields={"expires_at": problem})


@requires(Permission.VPN_PLANS_MANAGE)
def create(work: Work, *, name: str, changes: TermChanges, placement: Placement | None = None) -> Plan:
    """Create a plan; raise Invalid, or AlreadyExists when the name is taken."""
    bare = name.strip()
    # A plan is reached by its name in a path, where a slash parts and dots alone are a way.
    if not 0 < len(bare) <= NAME_LENGTH_MAX or not bare.isprintable() or "/" in bare or bare in {".", ".."}:
        problem = f"a plan's name has 1 to {NAME_LENGTH_MAX} characters, and no slash"
        raise Invalid(problem, fields={"name": problem})
    terms = replace(changed_terms(Terms(), changes), plan=bare)
    plan = Plan(bare, changes.starting(Starts.FIRST_USE), terms, work.now, placement)
    try:
        store.add(work.connection, work.principal.account_id, plan)
    except IntegrityError as error:
        raise AlreadyExists(f"plan {bare} exists") from error
    work.audit("vpn.plan.create", f"vpn plan {bare}", placement=placement, **fact_values(changes))
    return plan


@requires(Permission.VPN_PLANS_READ)
def list_(work: Work) -> list[Plan]:
    """Return the account's plans by name."""
    return store.all_(work.connection, work.principal.account_id)


@requires(Permission.VPN_PLANS_READ)
def find(work: Work, *, name: str) -> Plan:
    """Return a plan; raise NotFound."""
    plan = store.find(work.connection, work.principal.account_id, name)
    if plan is None:
        raise NotFound("plan", name)
    return plan


@requires(Permission.VPN_PLANS_MANAGE)
def change(work: Work, *, name: str, changes: TermChanges, placement: Placement | Unset | None = UNSET) -> Plan:
    """Change what keys issued from now on get; keys there are keep their terms."""
    before = store.find_for_change(work.connection, work.principal.account_id, name)
    if before is None:
        raise NotFound("plan", name)
    plan = before._replace(terms=changed_terms(before.terms, changes), starts=changes.starting(before.starts))
    facts = fact_values(changes)
    if not isinstance(placement, Unset):
        plan, facts = plan._replace(placement=placement), {**facts, "placement": placement}
    store.put(work.connection, work.principal.account_id, plan)
    work.audit("vpn.plan.change", f"vpn plan {name}", **facts)
    return plan


@requires(Permission.VPN_PLANS_MANAGE)
def remove(work: Work, *, name: str) -> None:
    """Delete a plan; keys keep their terms."""
    if not store.remove(work.connection, work.principal.account_id, name):
        raise NotFound("plan", name)
    work.audit("vpn.plan.remove", f"vpn plan {name}")


def fact_values(changes: TermChanges) -> dict[str, object]:
    """Return changes as facts of an audit record."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in changes.given().items()
    }
