"""The data of events about domains and credentials, and what a mail says of each; nothing secret in either.

Called by the verb of alerts, right before ``work.emit``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from keystead.outbox.events import Event
from keystead.vault.drift import Drift
from keystead.vault.store.findings import Ending, Finding, Watched
from keystead.vault.thresholds import days_until


@dataclass(frozen=True)
class Notice:
    """What people are told of: the event and its data for webhooks, and a sentence for mails."""

    event: Event
    subject: str
    level: int
    data: Mapping[str, object]
    sentence: str

    @property
    def key(self) -> tuple[str, str]:
        """Return of what it is, however urgent."""
        return self.event.value, self.subject


def domain_expiring(ending: Ending, now: datetime, level: int) -> Notice:
    """Return what to say when a domain ends soon, or has ended."""
    days_left = days_until(ending.expires_on, now)
    data = {
        "domain": {"id": ending.id, "name": ending.name},
        "registrar": ending.provider,
        "credential_id": ending.credential_id,
        "expires_on": ending.expires_on,
        "days_left": days_left,
        "threshold_days": level,
        "renews_itself": ending.renews_itself,
    }
    renewal = "renews itself" if ending.renews_itself else "does not renew itself"
    sentence = f"{ending.name} {_ends(days_left)} on {ending.expires_on} at {ending.provider}; it {renewal}"
    return Notice(Event.DOMAIN_EXPIRING, f"domain {ending.id}", level, data, sentence)


def drifted(finding: Finding) -> Notice:
    """Return what to say of a finding with a domain or with a credential."""
    told = {"kind": finding.kind, "expected": finding.expected, "seen": finding.seen, "since": finding.since}
    if finding.domain_id is None:
        credential = {"id": finding.credential_id, "provider": finding.provider, "alias": finding.credential}
        data = {"credential": credential, **told}
        if finding.kind == Drift.BULK_REDIRECTS:
            sentence = (
                f"{finding.kind} at {finding.provider}, credential {finding.credential}: {', '.join(finding.seen)}"
            )
            subject = f"credential {finding.credential_id} {finding.kind}"
            return Notice(Event.CREDENTIAL_DRIFTED, subject, 0, data, sentence)
        subject, said = f"credential {finding.credential_id}", "is refused by"
        if finding.kind == Drift.PERMISSION_MISSING:
            subject, said = f"{subject} permission", "lacks a permission at"
        sentence = f"credential {finding.credential} {said} {finding.provider}: {', '.join(finding.seen)}"
        return Notice(Event.CREDENTIAL_REFUSED, subject, 0, data, sentence)
    data = {"domain": {"id": finding.domain_id, "name": finding.domain}, **told}
    sentence = f"{finding.domain}: {finding.kind}: {', '.join(finding.seen)} instead of {', '.join(finding.expected)}"
    return Notice(Event.DOMAIN_DRIFTED, f"domain {finding.domain_id} {finding.kind}", 0, data, sentence)


def credential_expiring(one: Watched, expires_at: datetime, now: datetime, level: int) -> Notice:
    """Return what to say when a credential ends soon, or has ended."""
    days_left = days_until(expires_at, now)
    data = {
        "credential": _credential(one),
        "expires_at": expires_at,
        "days_left": days_left,
        "threshold_days": level,
    }
    sentence = f"credential {one.alias} for {one.provider} {_ends(days_left)} on {expires_at:%Y-%m-%d}; connect again"
    return Notice(Event.CREDENTIAL_EXPIRING, f"credential {one.id}", level, data, sentence)


def balance_low(one: Watched, balance_min: str) -> Notice:
    """Return what to say when there is little money left at a registrar."""
    data = {
        "credential": _credential(one),
        "balance": one.balance,
        "threshold": balance_min,
    }
    sentence = f"{one.alias} at {one.provider} has {one.balance} to spend, less than {balance_min}"
    return Notice(Event.CREDENTIAL_BALANCE_LOW, f"credential {one.id}", 0, data, sentence)


def _credential(one: Watched) -> dict[str, object]:
    return {"id": one.id, "provider": one.provider, "alias": one.alias}


def _ends(days_left: int) -> str:
    if days_left <= 0:
        return "ended"
    return "ends tomorrow," if days_left == 1 else f"ends in {days_left} days,"
