"""The verbs of findings: compare what is known of all domains and credentials of an account, and list what is wrong.

A finding begins when it is first seen and goes by itself when it is cured; ``drift`` says what is one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit.page import Page
from keystead.vault import looks
from keystead.vault.drift import OF_NAME_SERVERS, Change, Deviation, Drift, Seen, compared, deviations
from keystead.vault.errands import Kind
from keystead.vault.store import bulklists as list_store
from keystead.vault.store import contents as content_store
from keystead.vault.store import delegations as delegation_store
from keystead.vault.store import findings as store
from keystead.vault.store import registrations as registration_store
from keystead.vault.store.findings import Finding

# What a finding is about, a domain or a credential; and its kind.
_Key = tuple[int | None, int | None, Drift]


@dataclass(frozen=True)
class Compared:
    """How many findings are new, look different, and are cured."""

    new: int
    changed: int
    cured: int


@requires(Permission.VAULT_READ)
def list_(work: Work, page: Page) -> list[Finding]:
    """Return the account's findings, oldest first."""
    return store.page(work.connection, work.principal.account_id, after=page.after, limit=page.limit)


@requires(Permission.VAULT_USE)
def list_accounts(work: Work) -> list[int]:
    """Return every account that has something to compare."""
    return store.watched_accounts(work.connection)


@requires(Permission.VAULT_USE)
def compare(work: Work) -> Compared:
    """Compare everything that is known of the account's domains and credentials, and write down what has changed."""
    account_id = work.principal.account_id
    store.hold(work.connection, account_id)
    stored = {
        (one.domain_id, one.credential_id, Drift(one.kind)): one for one in store.stored(work.connection, account_id)
    }
    before = {key: Deviation(key[2], one.expected, one.seen) for key, one in stored.items()}
    change = compared(before, _now(work))
    _write(work, change, {key: one.id for key, one in stored.items()})
    _ask_again(work, [key[0] for key in change.new if key[0] is not None and key[2] in OF_NAME_SERVERS])
    done = Compared(len(change.new), len(change.changed), len(change.cured))
    if done != Compared(0, 0, 0):
        work.audit("vault.findings.compare", "domains", new=done.new, changed=done.changed, cured=done.cured)
    return done


def _ask_again(work: Work, domain_ids: list[int]) -> None:
    """Have registrars and DNS asked again about domains: what one said long ago may differ from what is said now."""
    delegation_store.make_due(work.connection, domain_ids)
    for credential_id in registration_store.make_due(work.connection, domain_ids):
        looks.follow(work, credential_id, Kind.NAME_SERVERS)


def _now(work: Work) -> dict[_Key, Deviation]:
    """Return what is wrong now."""
    account_id = work.principal.account_id
    found: dict[_Key, Deviation] = {}
    for row in store.seen(work.connection, account_id):
        seen = Seen(
            is_registered=row["is_registered"],
            registrar=row["registrar"],
            zone=row["zone"],
            dns=row["dns_name_servers"],
            dns_problem=row["dns_problem"],
            zone_status=row["zone_status"],
            zone_missing_since=row["zone_missing_since"],
            registration_missing_since=row["registration_missing_since"],
            records=content_store.difference(row["record_drift"]),
            redirects=content_store.difference(row["redirect_drift"]),
        )
        found.update(((row["id"], None, one.kind), one) for one in deviations(seen))
    found.update(((None, credential_id, one.kind), one) for credential_id, one in _of_credentials(work))
    return found


def _of_credentials(work: Work) -> Iterator[tuple[int, Deviation]]:
    """Yield what is wrong with credentials; one that is refused altogether lacks no permission beside."""
    account_id = work.principal.account_id
    lists = list_store.of_account(work.connection, account_id)
    for one in lists:
        if one.drift is not None:
            yield one.credential_id, Deviation(Drift.BULK_REDIRECTS, one.drift.expected, one.drift.seen)
    all_refused = store.refused(work.connection, account_id)
    lacking = [
        *((ident, "may read records and redirects", why) for ident, why in _unreadable_zones(work)),
        *((one.credential_id, "may read bulk redirects", one.refusal) for one in lists if one.refusal is not None),
        *((ident, name, f"{name} is not granted") for ident, name in store.lacking(work.connection, account_id)),
    ]
    for credential_id in sorted({ident for ident, _, _ in lacking} - all_refused.keys()):
        pairs = [(should, why) for ident, should, why in lacking if ident == credential_id]
        expected, seen = zip(*pairs, strict=True)
        yield credential_id, Deviation(Drift.PERMISSION_MISSING, expected, seen)
    for credential_id, problem in all_refused.items():
        yield credential_id, Deviation(Drift.CREDENTIAL_REFUSED, ("accepted",), (problem or "refused",))


def _unreadable_zones(work: Work) -> Iterable[tuple[int, str]]:
    return content_store.unreadable(work.connection, work.principal.account_id).items()


def _write(work: Work, change: Change[_Key], ids: "dict[_Key, int]") -> None:
    store.remove_all(work.connection, [ids[key] for key in change.cured])
    store.change_all(
        work.connection,
        [
            {"finding": ids[key], "new_expected": list(one.expected), "new_seen": list(one.seen)}
            for key, one in change.changed.items()
        ],
    )
    store.insert_all(
        work.connection,
        [
            {
                "account_id": work.principal.account_id,
                "kind": one.kind.value,
                "domain_id": key[0],
                "credential_id": key[1],
                "expected": list(one.expected),
                "seen": list(one.seen),
                "since": work.now,
            }
            for key, one in change.new.items()
        ],
    )
