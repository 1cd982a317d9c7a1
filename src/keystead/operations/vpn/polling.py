"""A poll of a subscription: find what the token opens, hold its devices to their limit, note the family that asked.

For the subscription wire, whose callers have no credential but the token. A poll reads once; it writes when a device is
new, and once a day for a device and for a family.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from keystead.access import principal
from keystead.db.session import Connection, Database
from keystead.kit.errors import KeysteadError
from keystead.kit.log import get_logger
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.vpn import clients, compatibility, devices, subscriptions
from keystead.vpn.clientrules import ClientVersions
from keystead.vpn.clients import Requirements
from keystead.vpn.devices import Presented
from keystead.vpn.families import Family
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.store.devices import Seen
from keystead.vpn.subscriptions import Subscribed

log = get_logger()


@dataclass(frozen=True)
class Poll:
    """Who asks: the family of the program and what it says of its device.

    A person who looks at the page is no program: ``family`` is None, and no device is counted.
    """

    token: str = field(repr=False)
    family: Family | None = None
    device: Presented | None = None


@dataclass(frozen=True)
class Polled:
    """What a token opens, how the device stands where there is a limit, and the families that cannot connect now."""

    found: Subscribed
    check: devices.DeviceCheck | None
    refused: frozenset[Family]


@dataclass(frozen=True)
class Serving:
    """What serves customers: the public host, and the core of a scope with the settings that decide who connects."""

    public_host: str
    scope: str
    wanted: ClientVersions
    device_days: int


@dataclass(frozen=True)
class _Looked:
    found: Subscribed
    check: devices.DeviceCheck | None
    is_family_noted: bool
    requirements: Requirements


class Polling:
    """Answer polls; ``core_version`` tells what the core says its version is."""

    def __init__(
        self, transactions: Transactions, database: Database, serving: Serving, core_version: Callable[[], str]
    ) -> None:
        self._transactions = transactions
        self._database = database
        self._serving = serving
        self._core_version = core_version
        self._kept = timedelta(days=serving.device_days)

    async def poll(self, asked: Poll) -> Polled:
        """Return what a poll is answered with; raise NotFound for a token that is none, or no longer."""
        now = self._transactions.clock.now()
        device = None if asked.device is None else devices.seen(asked.device, asked.token, now)
        looked = await self._database.read(lambda connection: self._look(connection, asked, device, now))
        check = looked.check
        if asked.family is not None:
            if not looked.is_family_noted:
                await self._note(looked.found.key, asked.family, now)
            if check is not None and not check.is_settled:
                check = await self._admit(looked.found.key, device)
        server = looked.requirements.server
        return Polled(looked.found, check, compatibility.refused(server))

    def _look(self, connection: Connection, asked: Poll, device: Seen | None, now: datetime) -> _Looked:
        found = subscriptions.find_by_token(
            connection,
            asked.token,
            public_host=self._serving.public_host,
            is_applied=self._transactions.is_applied,
        )
        number, limit, check = found.key.number, found.device_limit, None
        if limit is not None:
            check = devices.look(connection, number, device, limit=limit, now=now, kept=self._kept)
        is_noted = asked.family is None or clients.is_noted(connection, number, asked.family, now)
        rule = clients.requirements(connection, found.key.scope, self._core_version(), self._serving.wanted)
        return _Looked(found, check, is_noted, rule)

    async def _admit(self, key: VpnKey, device: Seen | None) -> devices.DeviceCheck | None:
        call = Call(principal.system(key.account_id), "subscription")
        return (await self._transactions.write(call, devices.admit, key=key, device=device, kept=self._kept)).value

    async def _note(self, key: VpnKey, family: Family, now: datetime) -> None:
        """Note the family; a customer's profile does not wait for what is only counted."""
        try:
            await self._database.write(lambda connection: clients.note(connection, key.number, family, now))
        except KeysteadError as error:
            log.warning("a client family is not noted", family=family.value, reason=error.message)
