"""Tokens for a running instance, made beside it in its own database, as an operator would make them."""

from collections.abc import Iterable

from keystead.access import accounts
from keystead.access import tokens as verbs
from keystead.access.permissions import VPN_PERMISSIONS, Permission
from keystead.db.session import open_database
from keystead.kit.clock import SystemClock
from keystead.kit.ids import RandomIds
from tests.support.keystead import Keystead
from tests.support.work import Workplace


async def issue(
    instance: Keystead,
    name: str,
    *,
    permissions: Iterable[Permission] = VPN_PERMISSIONS,
    addresses: Iterable[str] = (),
    is_confined: bool = False,
) -> str:
    """Return the secret of a new token of the default account."""
    url = instance.environment.get("KEYSTEAD_DATABASE_URL") or f"sqlite:///{instance.data_dir / 'keystead.db'}"
    database = open_database(url)
    try:
        clock = SystemClock()
        account_id = await database.write(lambda connection: accounts.ensure_default(connection, clock.now()))
        workplace = Workplace(database, account_id, clock, ids=RandomIds())
        made = await workplace.do(
            verbs.create, name=name, permissions=permissions, addresses=addresses, is_confined=is_confined
        )
        return made.secret.reveal()
    finally:
        database.close()
