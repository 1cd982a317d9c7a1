"""The verb of alerts: tell an account's people, by webhook and by mail, what needs them; each thing once.

What was told is a row until it is cured (``thresholds``). Mails are jobs, put in the same transaction: a mail server
that is away delays them, and loses none.
"""

from datetime import timedelta

from keystead.access.permissions import Permission, requires
from keystead.access.store import users as users_store
from keystead.access.work import Work
from keystead.jobs import store as jobs
from keystead.jobs.store import NewJob
from keystead.kit.page import Page
from keystead.vault import findings, notices
from keystead.vault.notices import Notice
from keystead.vault.store import findings as store
from keystead.vault.thresholds import Rules, days_until, is_low, level, news

MAIL_KIND = "vault.alerts.mail"
OWNER = "owner"
_LINES_MAX = 200
_FINDINGS_TOGETHER = 1000


@requires(Permission.VAULT_USE)
def tell(work: Work, rules: Rules, *, has_mail: bool) -> int:
    """Tell what is news of everything that needs somebody now, forget what is cured; return how much was told."""
    account_id = work.principal.account_id
    store.hold(work.connection, account_id)
    due = {one.key: one for one in _due(work, rules)}
    change = news(store.told(work.connection, account_id), {key: one.level for key, one in due.items()})
    told = [due[key] for key in change.told]
    store.forget(work.connection, account_id, [*change.forgotten, *change.noted, *change.told])
    store.note_told(work.connection, account_id, {**change.noted, **change.told}, work.now)
    for one in told:
        work.emit(one.event, one.subject, one.data)
    if told and has_mail:
        _put_mails(work, told)
    if told or change.forgotten:
        work.audit("vault.alerts.tell", "domains", told=len(told), cured=len(change.forgotten))
    return len(told)


def _due(work: Work, rules: Rules) -> list[Notice]:
    """Return everything that needs somebody now, whether it was told or not."""
    connection, account_id, now = work.connection, work.principal.account_id, work.now
    last_day = (now + timedelta(days=max(rules.days, default=0))).date()
    found = []
    for ending in store.ending(connection, account_id, last_day):
        reached = level(days_until(ending.expires_on, now), rules.days)
        if reached is not None:
            found.append(notices.domain_expiring(ending, now, reached))
    for one in store.credentials(connection, account_id):
        reached = None if one.expires_at is None else level(days_until(one.expires_at, now), rules.days)
        if one.expires_at is not None and reached is not None:
            found.append(notices.credential_expiring(one, one.expires_at, now, reached))
        if is_low(one.balance, rules.balance_min):
            found.append(notices.balance_low(one, str(rules.balance_min)))
    lasting = [one for one in _findings(work) if now - one.since >= rules.drift_lasts]
    return [*found, *map(notices.drifted, lasting)]


def _findings(work: Work) -> "list[store.Finding]":
    found: list[store.Finding] = []
    page = Page(_FINDINGS_TOGETHER)
    while part := findings.list_(work, page):
        found += part
        page = Page(_FINDINGS_TOGETHER, part[-1].id)
    return found


def _put_mails(work: Work, told: list[Notice]) -> None:
    """Put a job for a mail to each of the account's owners who has an address."""
    lines = [f"- {one.sentence}" for one in told[:_LINES_MAX]]
    if len(told) > _LINES_MAX:
        lines.append(f"- and {len(told) - _LINES_MAX} more: keystead domain drift, keystead domain list")
    things = "1 thing needs" if len(told) == 1 else f"{len(told)} things need"
    text = "\n".join([f"{things} somebody:", "", *lines, "", "Each is said once, until it is cured.", ""])
    request = {"subject": f"Keystead: {things} attention", "text": text}
    account_id = work.principal.account_id
    for login in users_store.logins_with_role(work.connection, account_id, OWNER):
        if "@" in login:
            caller = work.principal.as_data()
            jobs.enqueue(work.connection, NewJob(account_id, MAIL_KIND, caller, {"to": login, **request}, 1), work.now)
