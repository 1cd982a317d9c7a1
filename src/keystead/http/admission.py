"""From a presented credential to a Call: the one way in for every dialect, without the database when it can be.

A token that was good a moment ago needs no look-up (access/gate.py); another costs one point read.
"""

from keystead.access import principal
from keystead.access.gate import TokenDoor
from keystead.db.session import Database
from keystead.http.calls import Call, RequestFacts
from keystead.kit.errors import Unauthenticated


class Admission:
    """Authenticate requests."""

    def __init__(self, gate: TokenDoor, database: Database, *, default_account_id: int) -> None:
        self._gate = gate
        self._database = database
        self._default_account_id = default_account_id

    async def by_token(self, presented: str | None, facts: RequestFacts) -> Call:
        """Return the call of a token's bearer; raise Unauthenticated, Throttled or Forbidden."""
        if not presented:
            raise Unauthenticated("no credential was presented")
        remembered = self._gate.recall(presented, address=facts.address)
        if remembered is not None:
            return Call(remembered, facts.request_id)
        admitted = await self._database.read(
            lambda connection: self._gate.admit(connection, presented, address=facts.address)
        )
        return Call(admitted, facts.request_id)

    def as_operator(self, facts: RequestFacts) -> Call:
        """Return the call of whoever may open the local socket: the data directory's owner or root."""
        if not facts.is_local:
            raise Unauthenticated("only the local socket speaks for the operator")
        return Call(principal.operator(self._default_account_id), facts.request_id)
