"""Operations at Namecheap: connect a user, open one, and the way requests leave by."""

import json

from keystead.kit.secret import Secret
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.operations.vault.credentials import CredentialOperations
from keystead.providers.clients import Clients
from keystead.providers.errors import NoWay
from keystead.providers.namecheap import NAMECHEAP, Login, Namecheap
from keystead.vault import connecting, relays
from keystead.vault.connecting import Made, Wish
from keystead.vault.credentials import Opened
from keystead.vault.credentialvalue import Credential, checked_alias
from keystead.vault.relays import ShownWay, Way

# The default alias has the name in it, after a word of ours.
USERNAME_LENGTH_MAX = 100


class NamecheapOperations:
    """What callers may do at Namecheap."""

    def __init__(self, transactions: Transactions, clients: Clients, use: CredentialOperations) -> None:
        self._transactions = transactions
        self._clients = clients
        self._use = use

    async def connect(
        self, call: Call, *, username: str, api_key: Secret[str], alias: str | None
    ) -> tuple[Credential, str]:
        """Keep a user's key once Namecheap has taken it; return the credential and the user's balance.

        Raises AlreadyConnected before anything is asked, and ConnectedElsewhere only to who has a key that works.
        """
        wish = Wish(NAMECHEAP.id, username.lower(), alias, f"namecheap-{username}")
        checked_alias(alias or wish.default_alias)
        await self._transactions.read(call, connecting.check_new, wish)
        client = self._client(await self._way(call, None), username, api_key)
        balance = await client.balance()
        kept = json.dumps({"api_key": api_key.reveal(), "username": username})
        made = Made(Secret(kept), {"username": username})
        committed = await self._transactions.write(call, connecting.add, wish, made)
        return committed.value.credential, balance

    async def addresses(self, call: Call) -> list[str]:
        """Return the addresses that Namecheap sees requests come from; none while no way is set."""
        way = await self._transactions.read(call, relays.find, NAMECHEAP.id)
        return [] if way is None else [way.ip]

    async def set_way(self, call: Call, way: Way, credential_id: int | None = None) -> ShownWay:
        """Set how requests leave, for the installation or for one credential."""
        verb = relays.set_
        return (await self._transactions.write(call, verb, NAMECHEAP.id, way, credential_id=credential_id)).value

    async def remove_way(self, call: Call, credential_id: int | None = None) -> None:
        """Forget how requests leave."""
        await self._transactions.write(call, relays.remove, NAMECHEAP.id, credential_id=credential_id)

    async def find_way(self, call: Call, credential_id: int | None = None) -> ShownWay | None:
        """Return how requests leave, without the password."""
        return await self._transactions.read(call, relays.find, NAMECHEAP.id, credential_id=credential_id)

    async def opened(self, call: Call, credential_id: int) -> Namecheap:
        """Return a client with a credential's key, by the way that is set for it; raise NoWay without one."""
        opened: Opened = await self._use.use(call, credential_id, NAMECHEAP.id)
        secret = json.loads(opened.secret.reveal())
        way = await self._way(call, credential_id)
        return self._client(way, str(secret["username"]), Secret(str(secret["api_key"])))

    async def _way(self, call: Call, credential_id: int | None) -> Way:
        way = await self._transactions.read(call, relays.way_for, NAMECHEAP.id, credential_id)
        if way is None:
            raise NoWay("no way to Namecheap is set; run: keystead provider relay set namecheap")
        return way

    def _client(self, way: Way, username: str, api_key: Secret[str]) -> Namecheap:
        return self._clients.namecheap(Login(username, api_key, way.ip, way.url, way.auth))
