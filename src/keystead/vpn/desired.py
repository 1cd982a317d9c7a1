"""Turn rows into Xray's vocabulary: what one core should hold, whole or in part, and what is confirmed of it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection

from keystead.db import turns
from keystead.db.turns import Turn
from keystead.engines.xray.state import XrayDesired, XrayInbound, XrayUser, is_live
from keystead.kit.clock import Clock
from keystead.kit.crypto import KeyRing
from keystead.kit.ids import Ids
from keystead.outbox.events import Event
from keystead.outbox.store import deliveries
from keystead.outbox.store.deliveries import Notice
from keystead.vpn import clientrules, notices
from keystead.vpn.clientrules import ClientVersions
from keystead.vpn.inbound import Inbound
from keystead.vpn.secondpair import SecondPair, tag_behind
from keystead.vpn.store import departed as departed_store
from keystead.vpn.store import formerports as former_store
from keystead.vpn.store import inbounds as inbound_store
from keystead.vpn.store import keys as key_store
from keystead.vpn.store import secondpairs as pair_store
from keystead.vpn.store import stopped as stopped_store
from keystead.vpn.store.keys import UserRow


class XraySource:
    """The desired state of the core of one scope (reconcile.engine.Source).

    ``versions`` is how old clients may be where nothing is in force yet.
    """

    def __init__(
        self,
        scope: str,
        *,
        keys: KeyRing,
        clock: Clock,
        ids: Ids,
        versions: ClientVersions = ClientVersions.COMPATIBLE,
    ) -> None:
        self._scope = scope
        self._keys = keys
        self._clock = clock
        self._ids = ids
        self._versions = versions

    def desired(self, connection: Connection) -> XrayDesired:
        """Read every inbound and every user with its limits."""
        rows = [*key_store.users(connection, self._scope), *former_store.users(connection, self._scope)]
        users = _by_tag(rows)
        inbounds = inbound_store.of_scope(connection, self._scope)
        needed = [inbound for inbound in inbounds if inbound.tag in users or not is_live(inbound.tag)]
        least, pairs = self._least(connection), self._second_pairs(connection, inbounds)
        opened = [self._one(inbound, pairs.get(inbound.second_pair_id or 0), least) for inbound in needed]
        behind = [self._behind(pair, inbounds, least) for pair in pairs.values()]
        return XrayDesired((*opened, *behind), users, limits=_speeds(rows), address_limits=_addresses(rows))

    def desired_part(self, connection: Connection, subjects: Sequence[str]) -> XrayDesired:
        """Read the users of some labels; labels that should not be there are named absent.

        A live inbound is there whole, with every user it is to have.
        """
        rows = self._users_of(connection, subjects)
        absent = frozenset(subjects) - {row.label for row in rows}
        leaving = {label: tags for label in absent if (tags := self._left(connection, label))}
        live = {row.tag for row in rows if is_live(row.tag)} | {tag for tags in leaving.values() for tag in tags}
        if not live:
            new = frozenset(row.label for row in rows if row.is_new)
            return XrayDesired((), _by_tag(rows), absent, _speeds(rows), _addresses(rows), new=new)
        within = [
            *key_store.users_at(connection, self._scope, live),
            *former_store.users_at(connection, self._scope, live),
        ]
        inbounds = inbound_store.at_tags(connection, self._scope, {row.tag for row in within})
        everyone = [*(row for row in rows if not is_live(row.tag)), *within]
        least, pairs = self._least(connection), self._second_pairs(connection, inbounds)
        opened = tuple(self._one(inbound, pairs.get(inbound.second_pair_id or 0), least) for inbound in inbounds)
        limits = _speeds(everyone), _addresses(everyone)
        return XrayDesired(opened, _by_tag(everyone), absent, *limits, leaving)

    def without(self, part: XrayDesired) -> XrayDesired:
        """Return a part in which its labels are absent."""
        return XrayDesired((), {}, frozenset(self.present(part)))

    def present(self, part: XrayDesired) -> Collection[str]:
        """Return the labels a desired state wants in the engine."""
        return {label for of_tag in part.users.values() for label in of_tag}

    def sizes(self, connection: Connection) -> dict[str, int]:
        """Count the users each inbound should hold; a live one counts as 1 when it should be open."""
        counts = key_store.sizes(connection, self._scope)
        for row in former_store.users(connection, self._scope):
            counts[row.tag] = counts.get(row.tag, 0) + 1
        if (served := pair_store.served(connection, self._scope)) is not None:
            counts[tag_behind(served[0])] = served[1]
        return {tag: 1 if is_live(tag) else count for tag, count in counts.items() if count or not is_live(tag)}

    def unconfirmed(self, connection: Connection) -> tuple[list[str], list[str]]:
        """Return the labels whose presence, and those whose absence, is not confirmed."""
        return key_store.unconfirmed(connection, self._scope)

    def explained(self, connection: Connection) -> Collection[str]:
        """Return the labels of keys that a bulk which is not over has stopped."""
        return stopped_store.by_bulks(connection, self._scope)

    def confirm(self, connection: Connection, *, present: Sequence[str], absent: Sequence[str]) -> None:
        """Make issued keys live and bury the revoked ones; what those carried stays with their account.

        A key that was disabled before it was confirmed is a key all the same, although the engine is without it.
        """
        if deliveries.has_wanting(connection):
            self._tell_created(connection, [*present, *absent])
        key_store.make_live(connection, [*present, *absent])
        if absent:
            turns.take(connection, Turn.BOOKING)
            departed_store.keep(connection, absent, self._clock.now())
        emptied = [*inbound_store.of_removed(connection, absent), *former_store.of_removed(connection, absent)]
        key_store.bury(connection, absent)
        inbound_store.drop(connection, emptied)

    def _tell_created(self, connection: Connection, labels: Sequence[str]) -> None:
        """Write the event of each key that becomes live: one that is taken back before has never been created."""
        for key in key_store.issuing(connection, labels):
            notice = Notice(Event.VPN_KEY_CREATED, f"vpn key {key.number}", notices.about(key))
            deliveries.put(connection, key.account_id, notice, at=self._clock.now(), ids=self._ids)

    def _users_of(self, connection: Connection, labels: Sequence[str]) -> list[UserRow]:
        rows = [*key_store.users_of(connection, self._scope, labels)]
        if not former_store.is_any(connection):
            return rows
        return [*rows, *former_store.users_of(connection, self._scope, labels)]

    def _left(self, connection: Connection, label: str) -> list[str]:
        former = (tag for tag in former_store.left(connection, label) if is_live(tag))
        return [*key_store.left(connection, label), *former]

    def _second_pairs(self, connection: Connection, inbounds: Iterable[Inbound]) -> dict[int, SecondPair]:
        ids = {inbound.second_pair_id for inbound in inbounds if inbound.second_pair_id is not None}
        found = (pair_store.find(connection, pair_id) for pair_id in ids)
        return {pair.id: pair for pair in found if pair is not None}

    def _least(self, connection: Connection) -> str:
        """Return the least client version that every inbound is given."""
        return (clientrules.in_force(connection, self._scope) or self._versions).least

    def _one(self, inbound: Inbound, second: SecondPair | None, least: str) -> XrayInbound:
        """Return an inbound as it is opened: with the pair in front, if it has two."""
        front = second if second is not None and second.is_front else inbound
        return XrayInbound(
            tag=inbound.tag,
            listen=inbound.listen,
            port=inbound.port,
            private_key=self._keys.open(front.sealed_private_key, front.place),
            public_key=front.public_key,
            target=inbound.target,
            server_names=inbound.server_names,
            short_ids=inbound.short_ids,
            min_client_version=least,
            behind="" if second is None else second.tag,
        )

    def _behind(self, second: SecondPair, inbounds: Iterable[Inbound], least: str) -> XrayInbound:
        """Return the inbound with the older pair, behind all those that serve both.

        Its names and short ids are those from when the younger was made, and do not follow ports that come and go. A
        pair of another panel has names and short ids of its own, and a site for each name that is none of ours.
        """
        fronts = [inbound for inbound in inbounds if inbound.second_pair_id == second.id]
        kept = [] if second.is_foreign else [one for one in fronts if not is_live(one.tag)]
        older = fronts[0] if second.is_front else second
        return XrayInbound(
            tag=second.tag,
            listen="127.0.0.1",
            port=0,
            private_key=self._keys.open(older.sealed_private_key, older.place),
            public_key=older.public_key,
            target=fronts[0].target,
            server_names=_union(second.server_names, *(one.server_names for one in kept)),
            short_ids=_union(second.short_ids, *(one.short_ids for one in kept)),
            min_client_version=least,
            sites=_sites(second, fronts),
        )


def _sites(second: SecondPair, fronts: Iterable[Inbound]) -> tuple[tuple[str, str], ...]:
    """Return the server names of a pair that have another site than those in front."""
    target = second.target
    if target is None or any(one.target == target for one in fronts):
        return ()
    ours = {name for one in fronts for name in one.server_names}
    return tuple((name, target) for name in second.server_names if name not in ours)


def _by_tag(rows: Iterable[UserRow]) -> dict[str, dict[str, XrayUser]]:
    users: dict[str, dict[str, XrayUser]] = defaultdict(dict)
    for row in rows:
        users[row.tag][row.label] = user = XrayUser(row.label, row.uuid, row.flow)
        if row.second_pair_id is not None:
            users[tag_behind(row.second_pair_id)][row.label] = user
    return dict(users)


def _union(*listed: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in listed for name in names))


def _addresses(rows: Iterable[UserRow]) -> dict[str, int]:
    return {row.label: row.addresses for row in rows if row.addresses is not None}


def _speeds(rows: Iterable[UserRow]) -> dict[str, int]:
    return {row.label: row.pace for row in rows if row.pace is not None}
