"""Operations at providers that are connected by a secret alone: connect, tell whether the secret is good, act with it.

They work from a provider's declaration (``providers.connectable``) and know none of them by name. The provider is asked
with no transaction open; what it said is kept in one of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from keystead.kit.crypto import mac
from keystead.kit.errors import NotFound
from keystead.kit.secret import Secret
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.operations.vault.credentials import CredentialOperations
from keystead.providers.clients import Clients
from keystead.providers.connectable import Connectable, RemoteAccount, Secrets, Verifying
from keystead.providers.errors import AddressRefused, ProviderRejected, SecretRefused
from keystead.providers.registry import CONNECTABLES
from keystead.vault import connecting, credentials
from keystead.vault.connecting import Made, Wish
from keystead.vault.credentialvalue import Credential, Status, checked_alias
from keystead.vault.errors import CredentialNotFound

C = TypeVar("C", bound=Verifying)

REFUSED = "refused"
_MARK_LENGTH = 32


@dataclass(frozen=True)
class Joined:
    """A credential that was connected, and what its provider said besides."""

    credential: Credential
    told: Mapping[str, Any]


@dataclass(frozen=True)
class Standing:
    """How a credential stands: its status, or ``refused``, with the refusal; what the provider said of the account."""

    credential: Credential
    status: str
    told: Mapping[str, Any] = field(default_factory=dict)
    refusal: ProviderRejected | None = None


class ProviderOperations:
    """What callers may do at any provider that is connected by a secret alone."""

    def __init__(
        self, transactions: Transactions, clients: Clients, use: CredentialOperations, *, marking_key: Secret[bytes]
    ) -> None:
        self._transactions = transactions
        self._clients = clients
        self._use = use
        self._marking_key = marking_key

    async def list_(self, call: Call) -> list[Connectable[Any]]:
        """Return every provider that is connected by a secret alone."""
        await self._transactions.check(call, credentials.list_)
        return list(CONNECTABLES.values())

    async def named(self, call: Call, provider: str) -> Connectable[Any]:
        """Return a provider by its id; raise NotFound for one that is not connected by a secret alone."""
        await self._transactions.check(call, credentials.use)
        if provider not in CONNECTABLES:
            problem = f"provider {provider} is none of {', '.join(CONNECTABLES)}, which a secret alone connects"
            raise NotFound("provider", provider, message=problem)
        return CONNECTABLES[provider]

    async def connect(
        self, call: Call, what: Connectable[Verifying], given: Mapping[str, object], *, alias: str | None
    ) -> Joined:
        """Keep a secret once its provider has taken it.

        Raises FieldMissing and SecretRefused, AlreadyConnected for an external account that the caller holds, and
        ConnectedElsewhere only to who has a secret that works.
        """
        await self._transactions.check(call, connecting.add)
        secrets = what.read(given)
        if alias is not None:
            checked_alias(alias)
        account = await self._clients.of(what, secrets).verify()
        kept = _written(secrets)
        external_id = account.external_id or self._mark(what.id, kept)
        wish = Wish(what.id, external_id, alias, f"{what.id}-{account.name or _short(external_id)}")
        made = Made(Secret(kept), account.scope, account.expires_at)
        added = await self._transactions.write(call, connecting.add, wish, made)
        return Joined(added.value.credential, account.told)

    async def status(self, call: Call, what: Connectable[Verifying], credential_id: int) -> Standing:
        """Ask the provider now whether a secret is good, and put on record what it says.

        One that is revoked or has ended is not asked about. Raises ProviderUnavailable when nobody can tell.
        """
        await self._transactions.check(call, credentials.use)
        found = await self._transactions.read(call, credentials.find, credential_id)
        if found.provider != what.id:
            raise CredentialNotFound(credential_id)
        status = found.status_at(self._transactions.clock.now())
        if status is not Status.ACTIVE:
            return Standing(found, status.value)
        client = await self.opened(call, what, credential_id)
        try:
            account: RemoteAccount = await client.verify()
        except (SecretRefused, AddressRefused) as refusal:
            return Standing(await self._noted(call, credential_id, refusal.code), REFUSED, refusal=refusal)
        return Standing(await self._noted(call, credential_id, None), status.value, account.told)

    async def opened(self, call: Call, what: Connectable[C], credential_id: int) -> C:
        """Return a client with a credential's secret; raise as ``credentials.use`` does."""
        opened = await self._use.use(call, credential_id, what.id)
        kept: dict[str, str] = orjson.loads(opened.secret.reveal())
        return self._clients.of(what, {name: Secret(value) for name, value in kept.items()})

    async def _noted(self, call: Call, credential_id: int, problem: str | None) -> Credential:
        return (await self._transactions.write(call, credentials.note_check, credential_id, problem)).value

    def _mark(self, provider: str, kept: str) -> str:
        """Return what stands for an account that has no name: nobody without the key can tell the secret from it."""
        content = "\x1f".join((provider, kept)).encode()
        return f"key:{mac(self._marking_key, content)[:_MARK_LENGTH]}"


def _written(secrets: Secrets) -> str:
    values = {name: secret.reveal() for name, secret in secrets.items()}
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS).decode()


def _short(external_id: str) -> str:
    """Return what of an external account's name goes into an alias."""
    return external_id.removeprefix("key:")[:8] if external_id.startswith("key:") else external_id
