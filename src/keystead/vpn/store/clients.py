"""Queries of the families of programs that poll subscriptions."""

from datetime import datetime
from functools import cache

from sqlalchemy import Connection, bindparam, delete, func, select

from keystead.db.prepared import Prepared
from keystead.db.upserts import insert_into
from keystead.vpn.keyvalue import KeyState
from keystead.vpn.models import CLIENTS, INBOUNDS, KEYS
from keystead.vpn.store.keys import CONFINED

C = CLIENTS.c

_LAST = Prepared(select(C.last_at).where(C.key_number == bindparam("number"), C.family == bindparam("family")))
_OF_KEY = Prepared(select(C.family, C.last_at).where(C.key_number == bindparam("number")).order_by(C.family))
_LATELY = (
    select(C.family, func.count())
    .join_from(CLIENTS, KEYS, C.key_number == KEYS.c.number)
    .where(C.last_at >= bindparam("since"), KEYS.c.state != KeyState.REMOVING.value)
    .group_by(C.family)
)
_OF_SCOPE = Prepared(
    _LATELY.join(INBOUNDS, KEYS.c.inbound_id == INBOUNDS.c.id).where(INBOUNDS.c.scope == bindparam("scope"))
)
_OF_ACCOUNT = Prepared(_LATELY.where(KEYS.c.account_id == bindparam("account_id"), CONFINED))
_PRUNE = delete(CLIENTS).where(C.last_at < bindparam("before"))


@cache
def _note(dialect: str) -> Prepared:
    # A key that was deleted since the poll has no row to note anything with.
    polled = select(KEYS.c.number, bindparam("family", type_=C.family.type), bindparam("at", type_=C.last_at.type))
    made = insert_into(CLIENTS, dialect)
    noted = made.from_select(["key_number", "family", "last_at"], polled.where(KEYS.c.number == bindparam("number")))
    latest = {"last_at": made.excluded.last_at}
    return Prepared(noted.on_conflict_do_update(index_elements=["key_number", "family"], set_=latest))


def last_at(connection: Connection, number: int, family: str) -> datetime | None:
    """Return when a family last polled a key's subscription, as noted."""
    found: datetime | None = _LAST.scalar(connection, {"number": number, "family": family})
    return found


def note(connection: Connection, number: int, family: str, at: datetime) -> None:
    """Note that a family polled a key's subscription."""
    _note(connection.dialect.name).run(connection, {"number": number, "family": family, "at": at})


def of_key(connection: Connection, number: int) -> dict[str, datetime]:
    """Return the families that polled a key's subscription, with when last."""
    return dict(_OF_KEY.rows(connection, {"number": number}))


def customers(connection: Connection, scope: str, since: datetime) -> dict[str, int]:
    """Return for each family how many keys of a scope it polled for since then."""
    return dict(_OF_SCOPE.rows(connection, {"scope": scope, "since": since}))


def customers_of(connection: Connection, account_id: int, issued_by: int | None, since: datetime) -> dict[str, int]:
    """Return for each family how many keys of an account, or those that one token issued, it polled for since then."""
    values = {"account_id": account_id, "issued_by": issued_by, "since": since}
    return dict(_OF_ACCOUNT.rows(connection, values))


def prune(connection: Connection, before: datetime) -> None:
    """Forget what was noted last before then."""
    connection.execute(_PRUNE, {"before": before})
