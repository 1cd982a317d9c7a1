"""Works for verbs under test: a principal, a manual clock and counted identifiers over one connection."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from keystead.access.principal import Principal, operator
from keystead.access.work import Work
from keystead.db.session import Database
from keystead.kit.crypto import KeyRing
from keystead.kit.secret import Secret
from tests.support.clock import ManualClock
from tests.support.ids import CountingIds

P = ParamSpec("P")
R = TypeVar("R")

TEST_KEY = Secret(bytes(range(32)))


@dataclass
class Workplace:
    """Everything a test needs to run verbs one after another, each in a transaction of its own."""

    database: Database
    account_id: int
    clock: ManualClock = field(default_factory=ManualClock)
    ids: CountingIds = field(default_factory=CountingIds)
    keys: KeyRing = field(default_factory=lambda: KeyRing({"test": TEST_KEY}, newest="test"))
    principal: Principal | None = None
    request_id: str = "req-1"

    def work(self, connection: Connection, *, principal: Principal | None = None) -> Work:
        """Return a work over a connection; the operator's, unless a principal is given."""
        return Work(
            connection=connection,
            principal=principal or self.principal or operator(self.account_id),
            clock=self.clock,
            ids=self.ids,
            keys=self.keys,
            request_id=self.request_id,
        )

    async def do(self, verb: Callable[Concatenate[Work, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a verb as the operator in a transaction of its own."""
        return await self.database.write(lambda connection: verb(self.work(connection), *args, **kwargs))

    async def do_as(
        self, principal: Principal, verb: Callable[Concatenate[Work, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run a verb as somebody in a transaction of its own."""
        return await self.database.write(
            lambda connection: verb(self.work(connection, principal=principal), *args, **kwargs)
        )
