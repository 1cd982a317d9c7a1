"""Connecting a Cloudflare account: a ladder from a bootstrap token to a working token in the vault.

    plan      what connecting means for what is held here; nothing is asked outside
    verify    the bootstrap token, at Cloudflare
    reserve   a row, and an errand that knows what will be made: committed before it is made
    make      permissions are looked up, the working token is made, once, and verified
    activate  secret, status and the errands that follow, in one transaction
    retire    the former token and the bootstrap token are deleted, by errand
    sync      zones are read, by errand

Below activate a failure leaves the credential as it was, and the errand sweeps what may be there; from activate on the
new token works, and errands finish what is left. That holds for a kill between or within any two rungs, too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from keystead.kit.errors import KeysteadError, StorageBusy, StorageFailed
from keystead.kit.log import get_logger
from keystead.kit.secret import Secret
from keystead.operations.calls import Call
from keystead.operations.providers.cloudflare_errands import CloudflareErrands, Left
from keystead.operations.transaction import Transactions
from keystead.operations.vault.errands import Done, ErrandRunner
from keystead.providers.clients import Clients
from keystead.providers.cloudflare import CLOUDFLARE, Cloudflare
from keystead.providers.cloudflare_answers import MAY_NOT_GIVE, NewToken, Verified
from keystead.providers.cloudflare_permissions import PROFILES, READS_ITSELF, Profile, policies, resolve
from keystead.providers.cloudflare_tokens import USER_OWNED, TokenWish
from keystead.providers.errors import ProviderRejected, ProviderUnavailable, SecretRefused
from keystead.vault import connecting, credentials
from keystead.vault.connecting import Connected, Made, Reserved, Wish
from keystead.vault.credentialvalue import Credential
from keystead.vault.errors import (
    BootstrapEnded,
    BootstrapInactive,
    BootstrapRefused,
    ConnectingAlready,
    NotKept,
    PermissionsMissing,
    WorkingTokenRefused,
)
from keystead.vault.scenario import Scenario
from keystead.vault.zones import Synced

log = get_logger()

# The document names its tokens so (integrations, section 2.1).
DEFAULT_ALIAS = "301st-%Y%m%d-%H%M%S"
LASTS = timedelta(days=5 * 365)
# A new token may not be known everywhere at once.
KNOWN_AFTER_S = (0.3, 1.0, 2.0)
ACTIVE = "active"


@dataclass(frozen=True)
class Application:
    """What a caller wants connected."""

    cf_account_id: str
    bootstrap: Secret[str]
    alias: str | None = None
    may_replace: bool = False


@dataclass(frozen=True)
class Result:
    """How connecting went: the credential, what was synced (None: nothing had to be), and what is left over."""

    credential: Credential
    is_rotation: bool
    synced: Synced | None
    sync_problem: str | None
    left: tuple[Left, ...]


@dataclass(frozen=True)
class _Climb:
    """What all rungs know: who calls, what is wanted, the client with the bootstrap token, and what will be made."""

    call: Call
    application: Application
    client: Cloudflare
    verified: Verified
    profile: Profile
    token_name: str
    not_before: datetime
    expires_on: datetime

    @property
    def sweep(self) -> dict[str, Any]:
        """Return what the errand has to know to find the token: no two attempts agree in all of it."""
        return {
            "external_id": self.application.cf_account_id,
            "owner": self.verified.owner,
            "token_name": self.token_name,
            "not_before": self.not_before.isoformat(),
            "expires_on": self.expires_on.isoformat(),
        }


class CloudflareOperations:
    """Connect Cloudflare accounts."""

    def __init__(
        self, transactions: Transactions, clients: Clients, runner: ErrandRunner, chores: CloudflareErrands
    ) -> None:
        self._transactions = transactions
        self._clients = clients
        self._runner = runner
        self._chores = chores

    async def connect(self, call: Call, application: Application, profile: Profile = Profile.DOCUMENTED) -> Result:
        """Connect an account, rotate its token or replace another account; raise what kept it from that."""
        now = self._transactions.clock.now()
        wish = Wish(
            CLOUDFLARE.id,
            application.cf_account_id,
            application.alias,
            now.strftime(DEFAULT_ALIAS),
            application.may_replace,
        )
        await self._transactions.read(call, connecting.plan, wish)
        client = self._clients.cloudflare(application.bootstrap)
        verified = await _verified(client, application.cf_account_id, now)
        begins = now.replace(microsecond=0)
        climb = _Climb(call, application, client, verified, profile, wish.name, begins, self._end(begins))
        bootstrap = application.bootstrap
        reserving = await self._transactions.write(
            call, connecting.reserve, wish, sweep=climb.sweep, bootstrap=bootstrap
        )
        reserved = reserving.value
        made = await self._made(climb, reserved)
        connected = await self._activated(climb, reserved, made)
        return await self._finished(climb, reserved, connected)

    async def rotate(
        self, call: Call, credential_id: int, bootstrap: Secret[str], profile: Profile = Profile.DOCUMENTED
    ) -> Result:
        """Give a connected account a new working token, as connecting it again does.

        Raises CredentialNotFound, also for another provider's, and CredentialRevoked and CredentialExpired.
        """
        found = await self._transactions.read(call, credentials.rotatable, credential_id, CLOUDFLARE.id)
        return await self.connect(call, Application(found.external_id, bootstrap), profile)

    def _end(self, begins: datetime) -> datetime:
        """Return when a token shall end: years on, in a second of that day that no other attempt will have."""
        return begins + LASTS + timedelta(seconds=int(self._chores.ids.hex(4), 16) % 86_400)

    async def _made(self, climb: _Climb, reserved: Reserved) -> NewToken:
        """Make the working token and see it work; give the reservation back when either fails."""
        try:
            wanted = await self._wanted(climb)
        except KeysteadError as error:
            await self._give_up(climb, reserved, error, is_anything_left=False)
            raise
        try:
            made = await climb.client.create_token(climb.application.cf_account_id, wanted, climb.verified.owner)
        except KeysteadError as error:
            await self._give_up(climb, reserved, error, is_anything_left=_may_be_there(error))
            if isinstance(error, ProviderRejected) and error.number == MAY_NOT_GIVE:
                raise PermissionsMissing("the bootstrap token may not give every permission") from error
            raise
        try:
            await self._seen_working(climb, made)
        except KeysteadError as error:
            await self._give_up(climb, reserved, error, is_anything_left=True)
            raise
        return made

    async def _wanted(self, climb: _Climb) -> TokenWish:
        account_id = climb.application.cf_account_id
        catalogue = await climb.client.permission_groups(account_id, climb.verified.owner)
        optional = () if climb.verified.owner == USER_OWNED else (READS_ITSELF,)
        resolved = resolve(catalogue, PROFILES[climb.profile], optional=optional)
        if resolved.missing:
            raise PermissionsMissing(
                f"the bootstrap token may not give: {', '.join(resolved.missing)}", missing=resolved.missing
            )
        return TokenWish(climb.token_name, policies(account_id, resolved), climb.not_before, climb.expires_on)

    async def _seen_working(self, climb: _Climb, made: NewToken) -> None:
        """Return when Cloudflare takes the new token; raise WorkingTokenRefused when it does not in a while."""
        client = self._clients.cloudflare(made.value)
        for wait_s in (*KNOWN_AFTER_S, None):
            try:
                found = await client.verify_as(climb.application.cf_account_id, climb.verified.owner)
                if found.status == ACTIVE:
                    return
            except ProviderRejected:
                pass
            if wait_s is not None:
                await self._transactions.clock.sleep(wait_s)
        raise WorkingTokenRefused("Cloudflare does not take the token it has made; it is deleted again, try again")

    async def _activated(self, climb: _Climb, reserved: Reserved, made: NewToken) -> Connected:
        scope = {
            "cf_token_id": made.id,
            "cf_token_name": climb.token_name,
            "cf_account_name": await _account_name(climb),
        } | ({"cf_token_owner": USER_OWNED} if climb.verified.owner == USER_OWNED else {})
        kept = Made(Secret(json.dumps({"token": made.value.reveal()})), scope, climb.expires_on, climb.profile.value)
        retire = _retire(climb, reserved)
        bootstrap = climb.application.bootstrap
        try:
            committed = await self._transactions.write(
                climb.call, connecting.activate, reserved, kept, retire=retire, bootstrap=bootstrap
            )
        except (StorageFailed, StorageBusy, ConnectingAlready) as error:
            await self._not_kept(climb, reserved, error)
            raise NotKept(
                f"the working token {made.id} could not be kept: {error.message}",
                token_id=made.id,
                external_id=climb.application.cf_account_id,
            ) from error
        return committed.value

    async def _not_kept(self, climb: _Climb, reserved: Reserved, error: KeysteadError) -> None:
        """Sweep what could not be kept: by the errand, which is there exactly if the activation is not."""
        try:
            if isinstance(error, ConnectingAlready):
                bootstrap = climb.application.bootstrap
                sweeping = await self._transactions.write(
                    climb.call, connecting.sweep_anew, reserved, sweep=climb.sweep, bootstrap=bootstrap
                )
                await self._runner.carry_out(sweeping.value)
                return
            await self._give_up(climb, reserved, error, is_anything_left=True)
        except KeysteadError as failure:
            log.error("what may be left at a provider is swept later", reason=failure.message)

    async def _give_up(
        self, climb: _Climb, reserved: Reserved, error: KeysteadError, *, is_anything_left: bool
    ) -> None:
        """Give the reservation back, and sweep at once what may be left; the loop does it where that fails."""
        await self._transactions.write(
            climb.call, connecting.give_up, reserved, reason=error.code, is_anything_left=is_anything_left
        )
        if is_anything_left:
            await self._runner.carry_out(reserved.sweep)

    async def _finished(self, climb: _Climb, reserved: Reserved, connected: Connected) -> Result:
        """Carry out what follows once, now; what fails is left to the loop and told."""
        outcomes = [await self._runner.carry_out(errand_id) for errand_id in connected.errands]
        left = self._chores.left_by(outcomes[0], _retire(climb, reserved))
        if connected.scenario is Scenario.REPLACE:
            left = (*left, Left.TOKEN_ELSEWHERE)
        synced, problem = None, None
        for outcome in outcomes[1:]:
            if isinstance(outcome, Done) and isinstance(outcome.value, Synced):
                synced = outcome.value
            else:
                problem = getattr(outcome, "problem", None) or "it is under way"
        return Result(connected.credential, connected.scenario is Scenario.ROTATE, synced, problem, left)


def _retire(climb: _Climb, reserved: Reserved) -> Mapping[str, Any]:
    """Return the tokens that are superfluous from now on, the bootstrap token last: it deletes the others."""
    tokens = [{"id": climb.verified.id, "owner": climb.verified.owner, "what": Left.BOOTSTRAP.value}]
    present = reserved.decision.present
    if reserved.decision.scenario is Scenario.ROTATE and present is not None and present.scope.get("cf_token_id"):
        owner = present.scope.get("cf_token_owner", "account")
        tokens.insert(0, {"id": present.scope["cf_token_id"], "owner": owner, "what": Left.FORMER.value})
    return {"external_id": climb.application.cf_account_id, "tokens": tokens}


async def _verified(client: Cloudflare, cf_account_id: str, now: datetime) -> Verified:
    """Return what Cloudflare says of the bootstrap token; raise unless it can be used."""
    try:
        found = await client.verify(cf_account_id)
    except ProviderRejected as refusal:
        if isinstance(refusal, SecretRefused) or refusal.number == MAY_NOT_GIVE:
            raise BootstrapRefused(refusal.message, number=refusal.number, text=refusal.text) from refusal
        raise
    if found.status != ACTIVE:
        raise BootstrapInactive(f"Cloudflare says that the bootstrap token is {found.status}", status=found.status)
    if found.expires_on is not None and found.expires_on <= now:
        raise BootstrapEnded(f"the bootstrap token ended at {found.expires_on:%Y-%m-%d %H:%M} UTC")
    return found


async def _account_name(climb: _Climb) -> str | None:
    """Return the account's name, as a nicety: without it the account is connected all the same."""
    try:
        return await climb.client.account_name(climb.application.cf_account_id)
    except (ProviderRejected, ProviderUnavailable):
        return None


def _may_be_there(error: KeysteadError) -> bool:
    """Tell whether a token may have been made although the answer says or shows something else."""
    if isinstance(error, ProviderUnavailable):
        return error.may_have_landed
    return not isinstance(error, ProviderRejected)
