"""A port of its own for a key: which one it gets, and the inbound that is opened there.

Ports are handed out upwards, so that one that was given back rests as long as there are others: an app of its former
holder may still knock there. The database keeps them unique; the machine is asked whether anybody else listens there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, islice

from sqlalchemy import Connection

from keystead.access.work import Work
from keystead.db import turns
from keystead.db.turns import Turn
from keystead.engines.xray.state import LIVE_TAG_PREFIX
from keystead.kit.secret import Secret
from keystead.vpn.errors import PortsExhausted
from keystead.vpn.inbound import Inbound
from keystead.vpn.placement import Placement
from keystead.vpn.secondpair import Stage
from keystead.vpn.store import inbounds as inbound_store
from keystead.vpn.store import secondpairs as pair_store

# How many ports above the highest one in use, and how many at random, are tried before all of them are looked through.
_NEXT_TRIES = 4
_RANDOM_TRIES = 8

# Tells whether a program other than ours would be in the way at an address and port.
IsFree = Callable[[str, int], bool]


@dataclass(frozen=True)
class PortPool:
    """The ports that keys may have for their own, both ends included, and the size of the short ids they get."""

    first: int
    last: int
    short_id_bytes: int
    is_free: IsFree

    @property
    def size(self) -> int:
        """Return how many ports there are."""
        return self.last - self.first + 1


def open_port(
    work: Work,
    like: Inbound,
    pool: PortPool,
    *,
    names: tuple[str, ...] | None = None,
    short_ids: tuple[str, ...] | None = None,
) -> Inbound:
    """Make an inbound with a port of its own that is otherwise like another one; raise PortsExhausted.

    Unless they are given it has a short id of its own, and one of the other's server names at random: those are warm.
    Its key pair is the one that links carry, or are about to.
    """
    connection = work.connection
    turns.take(connection, Turn.PORTS)
    port = _free_port(work, like, pool)
    pair = _pair(work, like)
    made = replace(
        like,
        tag=tag_of(port),
        placement=Placement.OWN_PORT,
        port=port,
        server_names=names or (like.server_names[int(work.ids.hex(4), 16) % len(like.server_names)],),
        short_ids=short_ids or (work.ids.hex(pool.short_id_bytes),),
        public_key=pair.public_key,
        pair_made_at=pair.made_at,
        second_pair_id=None,
    )
    made = replace(made, id=inbound_store.add(connection, made, work.now))
    sealed = work.keys.seal(pair.private_key, made.place)
    inbound_store.set_private_key(connection, made.id, sealed)
    return replace(made, sealed_private_key=sealed)


def tag_of(port: int) -> str:
    """Return the tag of the inbound at a port that a key has for its own."""
    return f"{LIVE_TAG_PREFIX}{port}"


@dataclass(frozen=True)
class _Pair:
    private_key: Secret[str]
    public_key: str
    made_at: datetime | None


def _pair(work: Work, like: Inbound) -> _Pair:
    """Return the pair that links of a new port carry: it needs no other one, since there are no links yet.

    While links are about to turn to another pair that is the one: a port is opened with it at once.
    """
    if like.second_pair_id is not None:
        coming = pair_store.find(work.connection, like.second_pair_id)
        if coming is not None and coming.stage is Stage.COMING:
            return _Pair(work.keys.open(coming.sealed_private_key, coming.place), coming.public_key, coming.made_at)
    return _Pair(work.keys.open(like.sealed_private_key, like.place), like.public_key, like.pair_made_at)


def _free_port(work: Work, like: Inbound, pool: PortPool) -> int:
    connection, scope = work.connection, like.scope
    for port in _candidates(work, scope, pool):
        if not inbound_store.is_taken(connection, scope, port) and pool.is_free(like.listen, port):
            return port
    used = inbound_store.count_ports(connection, scope, pool.first, pool.last)
    is_full = used >= pool.size
    raise PortsExhausted(f"Maximum number of keys ({pool.size}) reached" if is_full else "No available ports")


def _candidates(work: Work, scope: str, pool: PortPool) -> Iterator[int]:
    highest = inbound_store.highest_port(work.connection, scope, pool.first, pool.last)
    upwards = range(pool.first if highest is None else highest + 1, pool.last + 1)
    chosen = (pool.first + int(work.ids.hex(4), 16) % pool.size for _ in range(_RANDOM_TRIES))
    return chain(islice(upwards, _NEXT_TRIES), chosen, _all_free(work.connection, scope, pool))


def _all_free(connection: Connection, scope: str, pool: PortPool) -> Iterator[int]:
    used = inbound_store.ports(connection, scope, pool.first, pool.last)
    yield from (port for port in range(pool.first, pool.last + 1) if port not in used)
