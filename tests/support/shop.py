"""A VPN shop for verbs under test: a scope, a shared inbound, and verbs with the engine's word already given."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from keystead.access.principal import Principal
from keystead.access.work import Work
from keystead.engines.xray import keys as xray_keys
from keystead.engines.xray.state import Counters, Reading
from keystead.reconcile import store as scopes
from keystead.vpn import founding, keys
from keystead.vpn.desired import XraySource
from keystead.vpn.founding import KeyPair, Wish
from keystead.vpn.keyvalue import VpnKey, parse_ident
from keystead.vpn.placement import Placement
from keystead.vpn.ports import PortPool
from tests.support.work import Workplace

SCOPE = "xray/main"
WISH = Wish("127.0.0.1", 8443, 443, "site.test:443", ("site.test",), "7bb45050", is_short_id_default=True)
POOL = PortPool(10001, 10100, short_id_bytes=8, is_free=lambda _host, _port: True)


def new_pair() -> KeyPair:
    """Return a fresh key pair."""
    pair = xray_keys.generate()
    return KeyPair(pair.private_key, pair.public_key)


@dataclass
class Shop:
    """A workplace whose account can issue keys.

    ``applied`` and ``gone`` hold the labels the engine is said to hold and to lack.
    """

    workplace: Workplace
    applied: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)

    @property
    def source(self) -> XraySource:
        place = self.workplace
        return XraySource(SCOPE, keys=place.keys, clock=place.clock, ids=place.ids)

    def is_applied(self, label: str) -> bool:
        return label in self.applied

    async def open(self) -> "Shop":
        """Make the scope and the shared inbound."""

        def unit(work: Work) -> None:
            scopes.register(work.connection, SCOPE)
            founding.found_shared_inbound(work, SCOPE, WISH, "site.test:443", ("site.test",), new_pair())

        await self.workplace.do(unit)
        return self

    async def issue(
        self,
        name: str | None = None,
        *,
        principal: Principal | None = None,
        placement: Placement = Placement.SHARED,
        pool: PortPool = POOL,
    ) -> VpnKey:
        """Issue a key and let the engine confirm it."""
        arguments: dict[str, Any] = {"name": name, "placement": placement, "pool": pool}
        if principal is None:
            key = await self.workplace.do(keys.issue, **arguments)
        else:
            key = await self.workplace.do_as(principal, keys.issue, **arguments)
        await self.confirm(present=[key.label])
        return key

    async def confirm(self, *, present: list[str] | None = None, absent: list[str] | None = None) -> None:
        """Say that the engine holds or lacks labels."""
        await self.workplace.database.write(
            lambda connection: self.source.confirm(connection, present=present or [], absent=absent or [])
        )

    async def revoke(self, key: VpnKey | str) -> VpnKey:
        """Revoke a key; the engine says nothing yet."""
        return await self.do(keys.revoke, key, is_gone=self.gone.__contains__)  # type: ignore[no-any-return]

    async def do(self, verb: Callable[..., Any], key: VpnKey | str, **arguments: Any) -> Any:
        """Run a verb about a key, named by its number or by any identifier."""
        ident = parse_ident(str(key.number) if isinstance(key, VpnKey) else key)
        return await self.workplace.do(verb, ident=ident, is_applied=self.is_applied, **arguments)


def reading(process: str, **counters: tuple[int, int]) -> Reading:
    """Return a reading; labels are written with an underscore: ``k1_1=(up, down)``."""
    return Reading(process, {label.replace("_", "-"): Counters(*both) for label, both in counters.items()})
