"""From terms and plans to the native API's JSON, and from its bodies to what verbs are asked."""

from typing import Any

from keystead.dialects.v1.term_schemas import TermsWish
from keystead.vpn.plans import TermChanges
from keystead.vpn.store.plans import Plan
from keystead.vpn.terms import KeyTerms
from keystead.vpn.termvalue import Terms

_NO_TERMS = frozenset({"plan", "name", "placement"})


def changes(wanted: TermsWish) -> TermChanges:
    """Return what a body says about terms; what it leaves out stays."""
    given = {field: getattr(wanted, field) for field in wanted.model_fields_set - _NO_TERMS}
    if "warn_at" in given:
        given["warn_at"] = tuple(given["warn_at"])
    return TermChanges(**given)


def plan(value: Plan) -> dict[str, Any]:
    """Present a plan."""
    terms = _terms(value.terms)
    return {
        "name": value.name,
        **terms,
        "starts": value.starts.value,
        "placement": value.placement,
        "created_at": value.created_at,
    }


def terms(shown: KeyTerms) -> dict[str, Any] | None:
    """Present a key's terms; None for a key without."""
    held = shown.held
    if held is None:
        return None
    used, allowance, progress = shown.used, held.allowance, held.progress
    return {
        "plan": held.terms.plan,
        **_terms(held.terms),
        "used_bytes": None if used is None else used.total,
        "left_bytes": None if used is None or allowance is None else max(0, allowance - used.total),
        "topped_up_bytes": progress.topped_up_bytes,
        "limit_reached_at": progress.limit_reached_at,
        "warned": progress.warned,
        "speed_in_force_bytes_s": held.pace,
        "address_refused_at": progress.address_refused_at,
        "period_began_at": progress.period_began_at,
        "next_reset_at": held.next_reset_at(),
        "expired_at": progress.expired_at,
    }


def _terms(value: Terms) -> dict[str, Any]:
    return {
        "quota_bytes": value.quota_bytes,
        "at_limit": value.at_limit.value,
        "slow_to_bytes_s": value.slow_to_bytes_s,
        "warn_at": list(value.warn_at),
        "speed_bytes_s": value.speed_bytes_s,
        "address_limit": value.address_limit,
        "reset": value.period.reset.value,
        "reset_days": value.period.days,
        "reset_day": value.period.month_day,
        "time_zone": value.period.zone,
        "duration_s": value.duration_s,
        "expires_at": value.expires_at,
        "device_limit": value.device_limit,
    }
