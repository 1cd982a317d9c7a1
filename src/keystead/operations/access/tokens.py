"""Operations on tokens: the verb, its commit, and then the door that has to forget."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from keystead.access import tokens
from keystead.access.gate import TokenDoor
from keystead.access.permissions import Permission
from keystead.access.store.tokens import Token
from keystead.access.tokens import NewToken
from keystead.kit.page import Page
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions


@dataclass(frozen=True)
class TokenWish:
    """What a new token shall be; see ``tokens.create``."""

    name: str
    permissions: Iterable[Permission]
    addresses: Iterable[str] = ()
    expires_at: datetime | None = None
    is_confined: bool = False
    is_rate_limited: bool = True
    is_owner: bool = False
    user_id: int | None = None


class TokenOperations:
    """What callers may do with tokens."""

    def __init__(self, transactions: Transactions, gate: TokenDoor) -> None:
        self._transactions = transactions
        self._gate = gate

    async def create(self, call: Call, wish: TokenWish) -> NewToken:
        """Create a token; its secret is in the answer and nowhere else."""
        wanted: dict[str, Any] = {
            "name": wish.name,
            "addresses": wish.addresses,
            "expires_at": wish.expires_at,
            "is_confined": wish.is_confined,
            "user_id": wish.user_id,
        }
        if wish.is_owner:
            wanted["is_rate_limited"] = wish.is_rate_limited
            return (await self._transactions.write(call, tokens.create_owner, **wanted)).value
        wanted["permissions"] = wish.permissions
        verb: Callable[..., NewToken] = tokens.create if wish.is_rate_limited else tokens.create_unlimited
        return (await self._transactions.write(call, verb, **wanted)).value

    async def find(self, call: Call, token_id: int) -> Token:
        """Return a token."""
        return await self._transactions.read(call, tokens.find, token_id)

    async def list_(self, call: Call, page: Page) -> list[Token]:
        """Return a page of tokens."""
        return await self._transactions.read_many(call, tokens.list_, page)

    async def revoke(self, call: Call, token_id: int) -> Token:
        """Revoke a token; it opens nothing when this returns."""
        committed = await self._transactions.write(call, tokens.revoke, token_id)
        self._gate.forget(token_id)
        return committed.value
