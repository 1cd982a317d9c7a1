"""An account's VPN side leaves an instance: who may take it along, and what it is, read key by key.

``record`` and ``record_with_secrets`` put on record, and allow, what is then read out of a snapshot of the database by
the other functions. What becomes of it is not told here: ``importing/writing.py`` makes a document of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from keystead.access import facts
from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit.age import Lock
from keystead.kit.crypto import KeyRing
from keystead.kit.secret import Secret
from keystead.vpn.accounting import Bytes
from keystead.vpn.founding import PUBLIC_HOST
from keystead.vpn.inbound import Inbound
from keystead.vpn.portable import PortableInbound, PortableKey, PortablePlan
from keystead.vpn.sealed import SUBSCRIPTION_TOKEN
from keystead.vpn.store import exports as store
from keystead.vpn.store import plans as plan_store
from keystead.vpn.store import terms as term_store
from keystead.vpn.store.exports import CarriedRow, KeyRow
from keystead.vpn.termvalue import Held


@dataclass(frozen=True)
class Extent:
    """What an export reads: the account; ``ring`` opens secrets, and without it they are left out."""

    account_id: int
    ring: KeyRing | None


@requires(Permission.EXPORT_MAKE)
def record(work: Work) -> Extent:
    """Put on record that an export without secrets is made, and return what it may read."""
    work.audit("system.export.make", "export", secrets="left out")
    return Extent(work.principal.account_id, None)


@requires(Permission.EXPORT_SECRETS)
def record_with_secrets(work: Work, lock: Lock) -> Extent:
    """Put on record that an export with private keys, UUIDs and subscriptions' tokens is made."""
    work.audit("system.export.make", "export", secrets="sealed", encrypted_for=lock.described)
    return Extent(work.principal.account_id, work.keys)


def public_host_of(connection: Connection) -> str:
    """Return the name or address in the links of all keys."""
    return str(facts.get(connection, PUBLIC_HOST) or "")


def count(connection: Connection, extent: Extent) -> int:
    """Return how many keys there are to read."""
    return store.count(connection, extent.account_id)


def inbounds_of(connection: Connection, extent: Extent) -> tuple[PortableInbound, ...]:
    """Return the inbounds that the keys are served on."""
    found = store.inbounds(connection, extent.account_id)
    return tuple(_inbound(inbound, extent.ring) for inbound in found)


def plans_of(connection: Connection, extent: Extent) -> tuple[PortablePlan, ...]:
    """Return the plans of the account."""
    plans = plan_store.all_(connection, extent.account_id)
    return tuple(PortablePlan(plan.name, plan.starts, plan.terms, plan.placement) for plan in plans)


def keys_of(connection: Connection, extent: Extent) -> Iterator[PortableKey]:
    """Yield the keys by number, a few hundred in memory at a time."""
    for rows in store.keys(connection, extent.account_id):
        first, last = rows[0].number, rows[-1].number
        carried = store.carried(connection, first, last)
        held = term_store.of_keys(connection, first, last)
        for row in rows:
            yield _key(row, carried[row.number], held.get(row.number), extent.ring)


def _inbound(inbound: Inbound, ring: KeyRing | None) -> PortableInbound:
    return PortableInbound(
        tag=inbound.tag,
        placement=inbound.placement,
        listen=inbound.listen,
        port=inbound.port,
        private_key=None if ring is None else ring.open(inbound.sealed_private_key, inbound.place),
        public_key=inbound.public_key,
        target=inbound.target,
        server_names=inbound.server_names,
        short_ids=inbound.short_ids,
        flow=inbound.flow,
    )


def _key(row: KeyRow, carried: CarriedRow, held: Held | None, ring: KeyRing | None) -> PortableKey:
    token = None
    if ring is not None and row.sealed_token is not None:
        token = ring.open(row.sealed_token, SUBSCRIPTION_TOKEN.place(row.number))
    shown = carried.lifetime - carried.forgiven
    return PortableKey(
        public_id=row.public_id,
        number=row.number,
        name=row.name,
        uuid=None if ring is None else Secret(row.uuid),
        inbound=row.tag,
        flow=row.flow,
        short_id=row.short_id,
        server_name=row.server_name,
        is_enabled=row.is_enabled,
        created_at=row.created_at,
        lifetime=carried.lifetime,
        # A reset forgives what was shown, which may be ahead of what is booked.
        shown=Bytes(max(0, shown.uplink), max(0, shown.downlink)),
        held=held,
        subscription_token=token,
    )
