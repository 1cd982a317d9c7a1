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
from keystead.vpn.store import departed as departed_store
from keystead.vpn.store import formerports as former_store
from keystead.vpn.store import inbounds as inbound_store
from keystead.vpn.store import keys as key_store
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
        return XrayDesired(
            self._opened(connection, needed), users, limits=_speeds(rows), address_limits=_addresses(rows)
        )

    def desired_part(self, connection: Connection, subjects: Sequence[str]) -> XrayDesired:
        """Read the users of some labels; labels that should not be there are named absent.

        A live inbound is there whole, with every user it is to have.
        """
        rows = self._users_of(connection, subjects)
        absent = frozenset(subjects) - {row.label for row in rows}
        leaving = {label: tags for label in absent if (tags := self._left(connection, label))}
        live = {row.tag for row in rows if is_live(row.tag)} | {tag for tags in leaving.values() for tag in tags}
        if not live:
            return XrayDesired((), _by_tag(rows), absent, _speeds(rows), _addresses(rows))
        within = [
            *key_store.users_at(connection, self._scope, live),
            *former_store.users_at(connection, self._scope, live),
        ]
        inbounds = inbound_store.at_tags(connection, self._scope, {row.tag for row in within})
        everyone = [*(row for row in rows if not is_live(row.tag)), *within]
        limits = _speeds(everyone), _addresses(everyone)
        return XrayDesired(self._opened(connection, inbounds), _by_tag(everyone), absent, *limits, leaving)

    def present(self, part: XrayDesired) -> Collection[str]:
        """Return the labels a desired state wants in the engine."""
        return {label for of_tag in part.users.values() for label in of_tag}

    def sizes(self, connection: Connection) -> dict[str, int]:
        """Count the users each inbound should hold; a live one counts as 1 when it should be open."""
        counts = key_store.sizes(connection, self._scope)
        counts |= {row.tag: 1 for row in former_store.users(connection, self._scope)}
        return {tag: 1 if is_live(tag) else count for tag, count in counts.items() if count or not is_live(tag)}

    def unconfirmed(self, connection: Connection) -> tuple[list[str], list[str]]:
        """Return the labels whose presence, and those whose absence, is not confirmed."""
        return key_store.unconfirmed(connection, self._scope)

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
        own = [row.label for row in rows if is_live(row.tag)]
        return [*rows, *former_store.users_of(connection, self._scope, own)]

    def _left(self, connection: Connection, label: str) -> list[str]:
        here = key_store.left(connection, label)
        return [*here, *former_store.left(connection, label)] if here else []

    def _opened(self, connection: Connection, inbounds: Iterable[Inbound]) -> tuple[XrayInbound, ...]:
        versions = clientrules.in_force(connection, self._scope) or self._versions
        return tuple(
            XrayInbound(
                tag=inbound.tag,
                listen=inbound.listen,
                port=inbound.port,
                private_key=self._keys.open(inbound.sealed_private_key, inbound.place),
                public_key=inbound.public_key,
                target=inbound.target,
                server_names=inbound.server_names,
                short_ids=inbound.short_ids,
                min_client_version=versions.least,
            )
            for inbound in inbounds
        )


def _by_tag(rows: Iterable[UserRow]) -> dict[str, dict[str, XrayUser]]:
    users: dict[str, dict[str, XrayUser]] = defaultdict(dict)
    for tag, label, vless_uuid, flow, *_ in rows:
        users[tag][label] = XrayUser(label, vless_uuid, flow)
    return dict(users)


def _addresses(rows: Iterable[UserRow]) -> dict[str, int]:
    return {row.label: row.addresses for row in rows if row.addresses is not None}


def _speeds(rows: Iterable[UserRow]) -> dict[str, int]:
    return {row.label: row.pace for row in rows if row.pace is not None}
