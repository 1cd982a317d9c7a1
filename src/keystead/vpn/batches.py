"""Issue many keys in one transaction: what ``keys.issue`` does, in a fraction of the time a key.

Numbers are given out ahead, so that each row is written once; rows of a kind go in one statement; one generation marks
all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.db import numbers
from keystead.vpn import ports
from keystead.vpn.accounting import NOTHING
from keystead.vpn.errors import NoValidTarget, PortsExhausted
from keystead.vpn.inbound import Inbound
from keystead.vpn.keys import checked, new_values
from keystead.vpn.keyvalue import label_of
from keystead.vpn.models import KEYS
from keystead.vpn.placement import Placement
from keystead.vpn.ports import PortPool
from keystead.vpn.store import batches as batch_store
from keystead.vpn.store import inbounds as inbound_store
from keystead.vpn.store import terms as term_store
from keystead.vpn.store import traffic as traffic_store
from keystead.vpn.termvalue import Terms, begin


@dataclass(frozen=True)
class Batch:
    """Keys to be issued alike: their names, where they sit, and the terms they get of a plan."""

    names: Sequence[str | None]
    placement: Placement
    terms: Terms | None = None


class Issued(NamedTuple):
    """A key that was issued in a batch."""

    number: int
    label: str


@requires(Permission.VPN_KEYS_ISSUE)
def issue(work: Work, *, batch: Batch, pool: PortPool, target_problem: str | None = None) -> list[Issued]:
    """Issue keys; fewer than there are names when the pool runs out of ports.

    Raises Invalid for a bad name, NoValidTarget while no client could connect.
    """
    names = [checked(name) for name in batch.names]
    shared = inbound_store.for_placement(work.connection, Placement.SHARED)
    if shared is None or target_problem is not None:
        raise NoValidTarget(target_problem or "no REALITY target has passed its examination yet; see keystead doctor")
    inbounds = _inbounds(work, shared, batch, pool)
    made = [new_values(work, name, inbound) for name, inbound in zip(names, inbounds, strict=False)]
    if not made:
        return []
    given = numbers.reserve(work.connection, KEYS, len(made))
    issued = [Issued(number, label_of(number, 1)) for number in given]
    rows = [(*one, *values.values()) for one, values in zip(issued, made, strict=True)]
    batch_store.add_keys(work.connection, ("number", "label", *made[0]), rows)
    carried = [(one.number, one.label, NOTHING, NOTHING) for one in issued]
    traffic_store.start_many(work.connection, carried, work.now)
    plan = {} if batch.terms is None else {"plan": batch.terms.plan}
    facts = [{"name": values["name"], "placement": batch.placement.value, **plan} for values in made]
    subjects = (f"vpn key {one.number}" for one in issued)
    work.audit_many("vpn.key.issue", zip(subjects, facts, strict=True))
    generation = work.mark_all(shared.scope, (one.label for one in issued))
    if batch.terms is not None:
        held = begin(batch.terms, NOTHING, work.now)
        term_store.add_many(work.connection, [(one.number, held) for one in issued], generation)
    return issued


def _inbounds(work: Work, shared: Inbound, batch: Batch, pool: PortPool) -> list[Inbound]:
    if batch.placement is Placement.SHARED:
        return [shared] * len(batch.names)
    opened: list[Inbound] = []
    try:
        for _ in batch.names:
            opened.append(ports.open_port(work, shared, pool))
    except PortsExhausted:
        pass
    return opened
