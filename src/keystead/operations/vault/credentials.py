"""Operations on credentials: the verbs, and what becomes due by the clock."""

from keystead.access.principal import system
from keystead.kit.loops import repeat
from keystead.kit.secret import Secret
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.vault import credentials
from keystead.vault.credentials import Changes, Opened
from keystead.vault.credentialvalue import Credential
from keystead.vault.errors import CredentialExpired

# Whatever uses or shows a credential knows its end without this; the rows say so within the day.
_LOOK_EVERY_S = 6 * 3600.0


class CredentialOperations:
    """What callers may do with credentials."""

    def __init__(self, transactions: Transactions, *, account_id: int) -> None:
        self._transactions = transactions
        self._system = Call(system(account_id), "expiry")

    async def list_(self, call: Call, provider: str | None) -> list[Credential]:
        """Return the account's credentials, newest first."""
        return await self._transactions.read_many(call, credentials.list_, provider)

    async def find(self, call: Call, credential_id: int) -> Credential:
        """Return a credential."""
        return await self._transactions.read(call, credentials.find, credential_id)

    async def change(self, call: Call, credential_id: int, changes: Changes) -> Credential:
        """Rename, revoke or activate a credential."""
        return (await self._transactions.write(call, credentials.change, credential_id, changes)).value

    async def remove(self, call: Call, credential_id: int) -> None:
        """Delete a credential with its zones."""
        await self._transactions.write(call, credentials.remove, credential_id)

    async def reveal(self, call: Call, credential_id: int, reason: str | None) -> tuple[Credential, Secret[str]]:
        """Return a credential and its secret, once it is on record that somebody asked for it."""
        secret = (await self._transactions.write(call, credentials.reveal, credential_id, reason)).value
        return await self._transactions.read(call, credentials.find, credential_id), secret

    async def use(self, call: Call, credential_id: int, provider: str) -> Opened:
        """Open a credential for a request at its provider; one that has ended is put on record as expired."""
        try:
            return (await self._transactions.write(call, credentials.use, credential_id, provider)).value
        except CredentialExpired:
            ours = Call(system(call.principal.account_id), call.request_id)
            await self._transactions.write(ours, credentials.expire, credential_id)
            raise

    async def expire_due(self) -> int:
        """Put on record which credentials have ended since the last look; return how many."""
        noted = 0
        for account_id, credential_id in await self._transactions.read_many(self._system, credentials.list_due):
            call = Call(system(account_id), self._system.request_id)
            noted += (await self._transactions.write(call, credentials.expire, credential_id)).value
        return noted

    async def run(self) -> None:
        """Look for credentials that have ended until cancelled."""
        await repeat(self.expire_due, _LOOK_EVERY_S, self._transactions.clock, failing="expiries put off")
