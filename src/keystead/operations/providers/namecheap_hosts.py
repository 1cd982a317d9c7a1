"""Operations on the DNS hosts of a domain at Namecheap: read them, and put others in their place.

Namecheap knows no change of one host: whoever sets hosts sets all of them. They are replaced only while they are those
that the caller has looked at, one change of a domain after the other, so that nobody's change is lost with them.
"""

from keystead.operations.calls import Call
from keystead.operations.providers.namecheap import NamecheapOperations
from keystead.operations.transaction import Transactions
from keystead.operations.vault.alone import Alone
from keystead.operations.vault.changes import ChangeRecords
from keystead.providers import registrable
from keystead.providers.namecheap import NAMECHEAP, Hosts, Namecheap
from keystead.vault import credentials
from keystead.vault.errors import HostsChanged
from keystead.vault.intents import Change
from keystead.vault.leases import PLACE_LENGTH_MAX


class HostOperations:
    """What callers may do with the DNS hosts of a domain."""

    def __init__(self, transactions: Transactions, namecheap: NamecheapOperations, apart: Alone) -> None:
        self._records = ChangeRecords(transactions)
        self._namecheap = namecheap
        self._apart = apart

    async def list_(self, call: Call, credential_id: int, domain: str) -> Hosts:
        """Return all DNS hosts of a domain."""
        return await (await self._namecheap.opened(call, credential_id)).hosts(domain)

    async def replace(self, call: Call, credential_id: int, domain: str, wanted: Hosts, *, version: str) -> Hosts:
        """Put these in the place of all DNS hosts of a domain; raise HostsChanged where they are others by now."""
        client = await self._namecheap.opened(call, credential_id)
        async with self._apart.at(call, _place(domain)):
            await self._compare_and_set(call, client, credential_id, domain, wanted, version)
        return wanted

    async def _compare_and_set(
        self, call: Call, client: Namecheap, credential_id: int, domain: str, wanted: Hosts, version: str
    ) -> None:
        present = await client.hosts(domain)
        if present.version != version:
            raise HostsChanged(f"the hosts of {domain} have changed meanwhile; read them again, and set them anew")
        change, subject = Change.HOSTS_REPLACE, credentials.subject(credential_id)
        facts = {"domain": domain, "before": len(present.items), "after": len(wanted.items)}
        async with self._records.changing(call, change, subject, **facts):
            await client.set_hosts(domain, wanted)
        await self._records.done(call, change, subject, **facts)


def _place(domain: str) -> str:
    """Return where changes of a domain's hosts are kept apart, however it is written."""
    name = ".".join(registrable.split(domain))
    # A name that is cut waits for another that begins like it, at worst.
    return f"{NAMECHEAP.id} hosts {name}"[:PLACE_LENGTH_MAX]
