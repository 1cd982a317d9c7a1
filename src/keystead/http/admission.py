"""From a presented credential to a Call: the one way in for every dialect, without the database when it can be.

A token that was good a moment ago needs no look-up (access/gate.py), nor does a person's access token
(access/signin/door.py); another costs one point read.
"""

from functools import partial

from keystead.access import accounts, audit, principal
from keystead.access.gate import TokenDoor
from keystead.access.signin import accesstokens
from keystead.access.signin.door import SessionDoor
from keystead.db.session import Connection, Database
from keystead.kit.clock import Clock
from keystead.kit.errors import Forbidden, Unauthenticated
from keystead.kit.log import get_logger
from keystead.operations.calls import Call, RequestFacts

log = get_logger()


class Admission:
    """Authenticate requests."""

    def __init__(
        self, gate: TokenDoor, people: SessionDoor, database: Database, clock: Clock, *, default_account_id: int
    ) -> None:
        self._gate = gate
        self._people = people
        self._database = database
        self._clock = clock
        self._default_account_id = default_account_id

    async def by_token(self, presented: str | None, facts: RequestFacts) -> Call:
        """Return the call of a token's or an access token's bearer; raise Unauthenticated, Throttled or Forbidden."""
        if not presented:
            raise Unauthenticated("no credential was presented")
        try:
            if accesstokens.is_one(presented):
                return await self._by_access_token(presented, facts)
            remembered = self._gate.recall(presented, address=facts.address)
            if remembered is not None:
                return Call(remembered, facts.request_id)
            admitted = await self._database.read(
                lambda connection: self._gate.admit(connection, presented, address=facts.address)
            )
        except Unauthenticated as refusal:
            log.warning("credential refused", address=facts.address, reason=refusal.code)
            raise
        except Forbidden as denial:
            record = partial(self._record, denial=denial, facts=facts)
            await self._database.write(record)
            raise
        return Call(admitted, facts.request_id)

    async def _by_access_token(self, presented: str, facts: RequestFacts) -> Call:
        visit = facts.visit
        principal = self._people.recall(presented, visit)
        if principal is None:
            principal = await self._database.read(lambda connection: self._people.admit(connection, presented, visit))
        return Call(principal, facts.request_id)

    def _record(self, connection: Connection, denial: Forbidden, facts: RequestFacts) -> None:
        """Audit that a known token was used from where it may not be."""
        audit.record_denial(
            connection,
            account_id=int(str(denial.context.get("account_id", self._default_account_id))),
            actor=str(denial.context.get("actor", "unknown")),
            request_id=facts.request_id,
            at=self._clock.now(),
            verb="access.admit",
            subject=f"address {facts.address}",
            reason=denial.message,
        )

    async def as_operator(self, facts: RequestFacts, account: str | None = None) -> Call:
        """Return the call of whoever may open the local socket: the data directory's owner or root.

        The operator works in the house account, or in the one whose name or number is given; raise NotFound.
        """
        if not facts.is_local:
            raise Unauthenticated("only the local socket speaks for the operator")
        account_id = self._default_account_id
        if account is not None:
            account_id = await self._database.read(lambda connection: accounts.id_of(connection, account))
        return Call(principal.operator(account_id), facts.request_id)
