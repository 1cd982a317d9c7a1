"""Terms, and how far they got, as JSON and back; a part of Keystead's own document."""

from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from keystead.importing import fields
from keystead.importing.fields import Record
from keystead.kit.errors import Invalid
from keystead.vpn.accounting import Bytes
from keystead.vpn.periods import Period, Reset
from keystead.vpn.termvalue import AtLimit, Progress, Terms

Choice = TypeVar("Choice", bound=StrEnum)


def written(terms: Terms) -> dict[str, object]:
    """Return terms as JSON."""
    return {
        "plan": terms.plan,
        "quota_bytes": terms.quota_bytes,
        "at_limit": terms.at_limit.value,
        "slow_to_bytes_s": terms.slow_to_bytes_s,
        "warn_at": list(terms.warn_at),
        "speed_bytes_s": terms.speed_bytes_s,
        "address_limit": terms.address_limit,
        "reset": terms.period.reset.value,
        "reset_days": terms.period.days,
        "reset_day": terms.period.month_day,
        "time_zone": terms.period.zone,
        "duration_s": terms.duration_s,
        "expires_at": _written_moment(terms.expires_at),
        "device_limit": terms.device_limit,
    }


def read_terms(record: Record) -> Terms:
    """Return terms; raise Invalid when they are none."""
    return Terms(
        quota_bytes=_optional_whole(record, "quota_bytes"),
        at_limit=one_of(AtLimit, record, "at_limit"),
        slow_to_bytes_s=_optional_whole(record, "slow_to_bytes_s"),
        warn_at=tuple(fields.whole({"warn_at": item}, "warn_at") for item in fields.sequence(record, "warn_at")),
        speed_bytes_s=_optional_whole(record, "speed_bytes_s"),
        address_limit=_optional_whole(record, "address_limit"),
        period=Period(
            one_of(Reset, record, "reset"),
            _optional_whole(record, "reset_days"),
            fields.whole(record, "reset_day", 1),
            fields.text(record, "time_zone", "UTC"),
        ),
        duration_s=_optional_whole(record, "duration_s"),
        expires_at=fields.moment_text(record, "expires_at"),
        device_limit=_optional_whole(record, "device_limit"),
        plan=None if record.get("plan") is None else fields.text(record, "plan"),
    )


def written_progress(progress: Progress) -> dict[str, object]:
    """Return how far terms got as JSON."""
    return {
        "period_began_at": progress.period_began_at.isoformat(),
        "baseline": written_bytes(progress.baseline),
        "topped_up_bytes": progress.topped_up_bytes,
        "warned": progress.warned,
        "limit_reached_at": _written_moment(progress.limit_reached_at),
        "unused_at": progress.unused_at,
        "expired_at": _written_moment(progress.expired_at),
        "address_refused_at": _written_moment(progress.address_refused_at),
    }


def read_progress(record: Record) -> Progress:
    """Return how far terms got; raise Invalid when that makes no sense."""
    return Progress(
        period_began_at=needed_moment(record, "period_began_at"),
        baseline=read_bytes(fields.mapping(record, "baseline")),
        topped_up_bytes=fields.size(record, "topped_up_bytes"),
        warned=fields.whole(record, "warned"),
        limit_reached_at=fields.moment_text(record, "limit_reached_at"),
        unused_at=fields.size(record, "unused_at"),
        expired_at=fields.moment_text(record, "expired_at"),
        address_refused_at=fields.moment_text(record, "address_refused_at"),
    )


def written_bytes(carried: Bytes) -> dict[str, int]:
    """Return bytes both ways as JSON: upload is client to server."""
    return {"upload": carried.uplink, "download": carried.downlink}


def read_bytes(record: Record) -> Bytes:
    """Return bytes both ways."""
    return Bytes(fields.size(record, "upload"), fields.size(record, "download"))


def needed_text(record: Record, name: str) -> str:
    """Return a text that has to be there."""
    found = fields.text(record, name)
    if not found:
        raise Invalid(f"{name} is missing")
    return found


def needed_moment(record: Record, name: str) -> datetime:
    """Return a moment that has to be there."""
    found = fields.moment_text(record, name)
    if found is None:
        raise Invalid(f"{name} is missing")
    return found


def one_of(choices: type[Choice], record: Record, name: str) -> Choice:
    """Return one of a few words; raise Invalid naming them for any other."""
    try:
        return choices(fields.text(record, name))
    except ValueError:
        raise Invalid(f"{name} should be one of {', '.join(choices)}") from None


def _optional_whole(record: Record, name: str) -> int | None:
    return None if record.get(name) is None else fields.whole(record, name)


def _written_moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
