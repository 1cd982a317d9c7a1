"""Operations on the DNS hosts of a domain at Namecheap: read them, and put others in their place.

Namecheap knows no change of one host: whoever sets hosts sets all of them. They are replaced only while they are those
that the caller has looked at, so that nobody's change in between is lost with them.
"""

from keystead.operations.calls import Call
from keystead.operations.providers.namecheap import NamecheapOperations
from keystead.operations.transaction import Transactions
from keystead.operations.vault.changes import ChangeRecords
from keystead.providers.namecheap import Hosts
from keystead.vault import credentials
from keystead.vault.errors import HostsChanged
from keystead.vault.intents import Change


class HostOperations:
    """What callers may do with the DNS hosts of a domain."""

    def __init__(self, transactions: Transactions, namecheap: NamecheapOperations) -> None:
        self._records = ChangeRecords(transactions)
        self._namecheap = namecheap

    async def list_(self, call: Call, credential_id: int, domain: str) -> Hosts:
        """Return all DNS hosts of a domain."""
        return await (await self._namecheap.opened(call, credential_id)).hosts(domain)

    async def replace(self, call: Call, credential_id: int, domain: str, wanted: Hosts, *, version: str) -> Hosts:
        """Put these in the place of all DNS hosts of a domain; raise HostsChanged where they are others by now."""
        client = await self._namecheap.opened(call, credential_id)
        present = await client.hosts(domain)
        if present.version != version:
            raise HostsChanged(f"the hosts of {domain} have changed meanwhile; read them again, and set them anew")
        change, subject = Change.HOSTS_REPLACE, credentials.subject(credential_id)
        facts = {"domain": domain, "before": len(present.items), "after": len(wanted.items)}
        async with self._records.changing(call, change, subject, **facts):
            await client.set_hosts(domain, wanted)
        await self._records.done(call, change, subject, **facts)
        return wanted
