"""Errands of the watch over domains: look at a credential's provider, and ask a registrar for name servers bit by bit.

A look verifies the credential and takes over what its provider shows. A provider that is away is looked at again later,
as every errand; one that refuses the credential is written down, and people are told (``vault.alerts``).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from keystead.access.principal import system
from keystead.kit.errors import KeysteadError, StorageBusy, StorageFailed, Unavailable
from keystead.kit.log import get_logger
from keystead.kit.secret import Secret
from keystead.operations.calls import Call
from keystead.operations.domains.contents import ListOperations
from keystead.operations.domains.watch.registrars import OpenRegistrar, WatchedRegistrar
from keystead.operations.providers.cloudflare_errands import CloudflareErrands, token_of
from keystead.operations.transaction import Transactions
from keystead.operations.vault.credentials import CredentialOperations
from keystead.operations.vault.errands import Done, ErrandRunner, Later, Outcome
from keystead.providers.clients import Clients
from keystead.providers.cloudflare import CLOUDFLARE, Cloudflare
from keystead.providers.cloudflare_permissions import READS_ITSELF, lacking, needs_of
from keystead.providers.cloudflare_tokens import ACCOUNT_OWNED
from keystead.providers.errors import ProviderBusy, ProviderRejected, ProviderUnreadable, SecretRefused
from keystead.vault import credentials, looks, registrations
from keystead.vault.credentialvalue import Credential
from keystead.vault.errands import Kind
from keystead.vault.errors import CredentialExpired, CredentialNotFound, CredentialRevoked
from keystead.vault.store.errands import Errand

log = get_logger()

# Looks at a provider with a credential and takes over what it shows; raises SecretRefused for a dead one.
Look = Callable[[Call, int], Awaitable[None]]

# Namecheap allows 20 requests a minute and 700 an hour for each user: people and syncs want some of them too.
ASKED_TOGETHER = 8
ASKED_EVERY = timedelta(seconds=45)
# By then a limit by the minute has room for more than the one page that is read again.
GONE_ON_AFTER = timedelta(seconds=60)
_ACTIVE = "active"
_REQUEST_ID = "domains"


class DomainErrands:
    """What errands of the watch do; ``on_seen`` is told of an account that something may have to be compared of."""

    def __init__(
        self,
        transactions: Transactions,
        runner: ErrandRunner,
        *,
        looks: Mapping[str, Look],
        registrars: Mapping[str, OpenRegistrar],
        every: timedelta,
    ) -> None:
        self._transactions = transactions
        self._looks = looks
        self._registrars = registrars
        self._every = every
        self.on_seen: Callable[[int], None] = lambda _: None
        runner.on(Kind.LOOK, self.look)
        runner.on(Kind.NAME_SERVERS, self.ask_name_servers)

    @property
    def providers(self) -> Sequence[str]:
        """Return the providers that are looked at."""
        return sorted({*self._looks, *self._registrars})

    async def look(self, errand: Errand, _: Secret[str] | None) -> Outcome:
        """Look at a credential's provider."""
        return await self._noting(errand, self._look)

    async def ask_name_servers(self, errand: Errand, _: Secret[str] | None) -> Outcome:
        """Ask a registrar for the name servers of some domains, those first that were not asked about the longest."""
        return await self._noting(errand, self._ask_some)

    async def _noting(self, errand: Errand, carry_out: Callable[[Call, Errand, int], Awaitable[Outcome]]) -> Outcome:
        """Carry out, and write down why the credential could not be used."""
        assert errand.credential_id is not None  # noqa: S101 - these kinds are about a credential
        call = Call(system(errand.account_id), _REQUEST_ID)
        try:
            outcome = await carry_out(call, errand, errand.credential_id)
            if isinstance(outcome, Done):
                self.on_seen(errand.account_id)
            return outcome
        except (CredentialNotFound, CredentialRevoked, CredentialExpired) as over:
            return Done({"problem": over.message})
        except (Unavailable, StorageBusy, StorageFailed):
            raise
        except KeysteadError as error:
            problem, is_refused = error.message, isinstance(error, SecretRefused)
            await self._transactions.write(
                call, looks.note, errand.credential_id, problem=problem, is_refused=is_refused
            )
            self.on_seen(errand.account_id)
            return Done({"problem": problem})

    async def _look(self, call: Call, errand: Errand, credential_id: int) -> Outcome:
        credential = await self._transactions.read(call, credentials.find, credential_id)
        opening = self._registrars.get(credential.provider)
        if opening is None:
            await self._looks[credential.provider](call, credential_id)
        else:
            later = await self._take_over(call, errand, credential_id, await opening(call, credential_id))
            if later is not None:
                return later
            await self._transactions.write(call, looks.follow, credential_id, Kind.NAME_SERVERS)
        await self._transactions.write(call, looks.note, credential_id, problem=None)
        return Done({})

    async def _take_over(
        self, call: Call, errand: Errand, credential_id: int, registrar: WatchedRegistrar
    ) -> Later | None:
        """Take a registrar's list over page by page; return when to go on where the registrar's limit came before.

        It goes on with the page that was read last: what went from the list meanwhile has moved all others up.
        """
        cursor, told = errand.details.get("cursor"), errand.details.get("began")
        began = self._transactions.clock.now() if told is None else datetime.fromisoformat(told)
        if told is None:
            balance = await registrar.balance()
            await self._transactions.write(call, looks.note_balance, credential_id, str(balance))
        last_read = cursor
        while True:
            try:
                page = await registrar.listed(cursor)
            except ProviderBusy as busy:
                after = max(GONE_ON_AFTER, timedelta(seconds=busy.retry_after_s))
                return Later(None, after, {"cursor": last_read, "began": began.isoformat()})
            last_read, cursor = cursor, page.following
            await self._transactions.write(
                call, registrations.record, credential_id, page.items, began=began, is_last=cursor is None
            )
            if cursor is None:
                return None

    async def _ask_some(self, call: Call, _: Errand, credential_id: int) -> Outcome:
        credential = await self._transactions.read(call, credentials.find, credential_id)
        before = self._transactions.clock.now() - self._every
        wanted = await self._transactions.read_many(
            call, registrations.unasked, credential_id, before=before, limit=ASKED_TOGETHER
        )
        if not wanted:
            return Done({})
        registrar = await self._registrars[credential.provider](call, credential_id)
        answers = await _asked(registrar, wanted)
        await self._transactions.write(call, registrations.record_name_servers, credential_id, answers)
        return Later(None, ASKED_EVERY)


def looking_at_cloudflare(
    transactions: Transactions,
    clients: Clients,
    use: CredentialOperations,
    chores: CloudflareErrands,
    lists: ListOperations,
) -> Look:
    """Return how Cloudflare is looked at: the token is verified, and zones and bulk redirects are read."""

    async def look(call: Call, credential_id: int) -> None:
        opened = await use.use(call, credential_id, CLOUDFLARE.id)
        found = opened.credential
        owner = str(found.scope.get("cf_token_owner", ACCOUNT_OWNED))
        client = clients.cloudflare(token_of(opened))
        verified = await client.verify_as(found.external_id, owner)
        if verified.status != _ACTIVE:
            raise SecretRefused(f"Cloudflare says that the token is {verified.status}", text=verified.status)
        if verified.expires_on is not None:
            await transactions.write(call, credentials.note_end, credential_id, verified.expires_on)
        await _note_permissions(call, transactions, client, found)
        await chores.read_zones(call, credential_id)
        with suppress(ProviderRejected):  # written down; most tokens never could read bulk redirects
            await lists.look(call, credential_id)

    return look


async def _note_permissions(call: Call, transactions: Transactions, client: Cloudflare, credential: Credential) -> None:
    """Compare what a token may with what it was made for, where Cloudflare lets it read that of itself.

    Of a token that was connected before its profile was kept, or is a user's, nothing is known.
    """
    token_id, needs = credential.scope.get("cf_token_id"), needs_of(credential.profile)
    if not token_id or not needs or credential.scope.get("cf_token_owner", ACCOUNT_OWNED) != ACCOUNT_OWNED:
        return
    lost: Sequence[str] | None = None
    try:
        held = await client.policies(credential.external_id, str(token_id))
        catalogue = await client.permission_groups(credential.external_id)
        lost = lacking(credential.external_id, catalogue, needs, held)
    except SecretRefused:
        pass
    except (ProviderRejected, ProviderUnreadable) as error:
        log.warning("permissions of a token not read", credential=credential.id, reason=error.message)
        return
    await transactions.write(call, looks.note_lacking, credential.id, lost, telling=READS_ITSELF.name)


async def _asked(registrar: WatchedRegistrar, wanted: Sequence[tuple[int, str]]) -> dict[int, Sequence[str] | None]:
    """Return the name servers of domains; None where the registrar does not tell them, nothing once it is away.

    Raises what it refuses for good, a credential that is not taken, and a registrar that is away from the beginning.
    """
    answers: dict[int, Sequence[str] | None] = {}
    for domain_id, name in wanted:
        try:
            answers[domain_id] = await registrar.name_servers(name)
        except SecretRefused:
            raise
        except Unavailable:
            if not answers:
                raise
            break
        except KeysteadError:
            answers[domain_id] = None
    return answers
