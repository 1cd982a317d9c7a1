"""The verbs by which a credential comes into being: plan, reserve, activate, or give up.

Between reserve and activate things are made at the provider, with no transaction open. A reservation keeps others from
connecting the same external account meanwhile, and runs out by itself. Whatever is made is known beforehand by an
errand, written with the reservation; the activation replaces it by the errands that follow. Secret, status and errands
change in one transaction, so that a kill at any moment leaves the credential as it was or as it shall be.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError

from keystead.access.permissions import Permission, requires
from keystead.access.principal import system
from keystead.access.work import Work
from keystead.kit.secret import Secret
from keystead.vault import credentials, errands, limits, scenario
from keystead.vault.credentialvalue import Credential, Status, checked_alias
from keystead.vault.errands import Kind
from keystead.vault.errors import AlreadyConnected, ConnectedElsewhere, ConnectingAlready
from keystead.vault.scenario import Decision, Scenario
from keystead.vault.sealed import CREDENTIAL_SECRET
from keystead.vault.store import credentials as store
from keystead.vault.store import errands as errand_store
from keystead.vault.store import looks as look_store
from keystead.vault.store import zones as zone_store

# Longer than all calls to a provider together may take.
RESERVED_FOR = timedelta(minutes=5)
# What was lost on the way may still arrive at the provider: a sweep that found nothing looks once more after this.
LATE = timedelta(minutes=2)


@dataclass(frozen=True)
class Wish:
    """Which external account is to be connected, under which alias (None: as it is, or the default)."""

    provider: str
    external_id: str
    alias: str | None
    default_alias: str
    may_replace: bool = False

    @property
    def name(self) -> str:
        """Return the alias to use where there was none before, checked."""
        return checked_alias(self.alias or self.default_alias)


@dataclass(frozen=True)
class Reserved:
    """A credential that is being connected: its row, who holds it, and the errand that undoes what may be left."""

    credential_id: int
    reservation: str
    decision: Decision
    wish: Wish
    sweep: int


@dataclass(frozen=True)
class Made:
    """What was made at the provider, to be kept in a credential."""

    secret: Secret[str]
    scope: Mapping[str, Any]
    expires_at: datetime | None = None
    profile: str | None = None


@dataclass(frozen=True)
class Connected:
    """A credential in force, and the errands that follow: each may be carried out at once or by the loop."""

    credential: Credential
    scenario: Scenario
    errands: tuple[int, ...] = ()


@requires(Permission.VAULT_CONNECT)
def plan(work: Work, wish: Wish) -> Decision:
    """Tell what connecting would mean, looking at the caller's own credentials only; raise as ``decide`` does."""
    account_id = work.principal.account_id
    allowance = limits.cloudflare_accounts(work.connection, account_id)
    held = store.held(work.connection, account_id, wish.provider)
    return scenario.decide(held, wish.external_id, allowance, work.now, may_replace=wish.may_replace)


@requires(Permission.VAULT_CONNECT)
def reserve(work: Work, wish: Wish, *, sweep: Mapping[str, Any], bootstrap: Secret[str]) -> Reserved:
    """Reserve an external account and write down what will be made there, before it is made.

    Raises ConnectedElsewhere for one that another account holds, ConnectingAlready while somebody connects it, and what
    ``plan`` raises. ``bootstrap`` is the secret with which what was made could be found and deleted.
    """
    _check_holder(work, wish)
    decision = plan(work, wish)
    reservation = work.ids.hex(16)
    if decision.scenario is Scenario.ROTATE and decision.present is not None:
        credential_id = decision.present.id
    else:
        credential_id = _insert(work, wish)
    store.reserve(work.connection, credential_id, reservation, work.now + RESERVED_FOR)
    errand = errands.put(
        work,
        Kind.SWEEP,
        {**sweep, "reservation": reservation},
        secret=bootstrap,
        after=RESERVED_FOR,
        credential_id=credential_id,
    )
    work.audit("vault.connect.begin", credentials.subject(credential_id), **_facts(wish, decision))
    return Reserved(credential_id, reservation, decision, wish, errand)


@requires(Permission.VAULT_CONNECT)
def activate(
    work: Work, reserved: Reserved, made: Made, *, retire: Mapping[str, Any], bootstrap: Secret[str]
) -> Connected:
    """Seal what was made, put it in force, and write down what follows, all at once.

    Raises ConnectingAlready when the reservation ran out and somebody else has it.
    """
    wish, decision, credential_id = reserved.wish, reserved.decision, reserved.credential_id
    present = decision.present
    kept = present.alias if decision.scenario is Scenario.ROTATE and present is not None else None
    _put_in_force(work, credential_id, reserved.reservation, made, alias=wish.alias or kept or wish.name)
    errand_store.drop(work.connection, reserved.sweep)
    if decision.scenario is Scenario.ROTATE:
        store.remove_dead(work.connection, work.principal.account_id, wish.provider, wish.external_id)
    elif decision.scenario is Scenario.REPLACE and present is not None:
        _replace(work, present)
    following = [errands.put(work, Kind.RETIRE, retire, secret=bootstrap, after=LATE, credential_id=credential_id)]
    if not zone_store.count(work.connection, credential_id):
        following.append(errands.put(work, Kind.SYNC, {}, secret=None, after=LATE, credential_id=credential_id))
    work.audit("vault.connect", credentials.subject(credential_id), **_facts(wish, decision))
    return Connected(credentials.find(work, credential_id), decision.scenario, tuple(following))


@requires(Permission.VAULT_CONNECT)
def give_up(work: Work, reserved: Reserved, *, reason: str, is_anything_left: bool) -> None:
    """Give a reservation back; the sweep stays, and is due now, where something may be left at the provider."""
    store.release(work.connection, reserved.credential_id, reserved.reservation)
    if is_anything_left:
        errand_store.make_due(work.connection, reserved.sweep, work.now)
    else:
        errand_store.drop(work.connection, reserved.sweep)
    work.audit("vault.connect.give_up", credentials.subject(reserved.credential_id), reason=reason)


@requires(Permission.VAULT_CONNECT)
def release(work: Work, credential_id: int, reservation: str) -> None:
    """Give back what a cut connection had reserved; nothing happens when it is somebody else's by now."""
    store.release(work.connection, credential_id, reservation)
    work.audit("vault.connect.release", credentials.subject(credential_id))


@requires(Permission.VAULT_CONNECT)
def add(work: Work, wish: Wish, made: Made) -> Connected:
    """Keep a secret that needs nothing made at the provider; raise AlreadyConnected or ConnectedElsewhere."""
    _living_holder(work, wish)
    check_new(work, wish)
    credential_id = _insert(work, wish)
    reservation = work.ids.hex(16)
    store.reserve(work.connection, credential_id, reservation, work.now)
    _put_in_force(work, credential_id, reservation, made, alias=wish.name)
    decision = Decision(Scenario.CREATE)
    work.audit("vault.connect", credentials.subject(credential_id), **_facts(wish, decision))
    return Connected(credentials.find(work, credential_id), decision.scenario)


@requires(Permission.VAULT_CONNECT)
def check_new(work: Work, wish: Wish) -> None:
    """Raise AlreadyConnected when the account holds this external account; nothing is told of other accounts'."""
    found = store.holder(work.connection, wish.provider, wish.external_id)
    is_mine = found is not None and found[0].account_id == work.principal.account_id
    if found is not None and is_mine and found[0].status_at(work.now) is not Status.EXPIRED:
        raise AlreadyConnected(
            f"{wish.provider} account {wish.external_id} is connected by credential {found[0].id}",
            credential_id=found[0].id,
        )


@requires(Permission.VAULT_CONNECT)
def sweep_anew(work: Work, reserved: Reserved, *, sweep: Mapping[str, Any], bootstrap: Secret[str]) -> int:
    """Write down once more what may be left, when the first errand about it was carried out too early."""
    details = {**sweep, "reservation": reserved.reservation}
    credential_id = reserved.credential_id
    after = timedelta(0)
    return errands.put(work, Kind.SWEEP, details, secret=bootstrap, after=after, credential_id=credential_id)


def _insert(work: Work, wish: Wish) -> int:
    values = {
        "account_id": work.principal.account_id,
        "provider": wish.provider,
        "alias": wish.name,
        "external_id": wish.external_id,
        "created_at": work.now,
    }
    try:
        return store.insert_pending(work.connection, values)
    except IntegrityError as error:
        raise _elsewhere(wish) from error


def _check_holder(work: Work, wish: Wish) -> None:
    """Raise unless nobody else holds or connects the external account; what ran out is cleared away."""
    found = _living_holder(work, wish)
    if found is None:
        return
    present, reserved_until = found
    if reserved_until is not None and reserved_until > work.now:
        raise ConnectingAlready("this account is being connected at this moment; try again shortly")
    if present.status is Status.PENDING:
        store.remove(work.connection, present.id)
    elif present.account_id != work.principal.account_id:
        raise _elsewhere(wish)


def _living_holder(work: Work, wish: Wish) -> tuple[Credential, datetime | None] | None:
    """Return who holds the external account, after one whose end has passed was marked so."""
    found = store.holder(work.connection, wish.provider, wish.external_id)
    if found is not None and store.expire(work.connection, found[0].id, work.now):
        theirs = replace(work, principal=system(found[0].account_id))
        theirs.audit("vault.credential.expire", credentials.subject(found[0].id))
        return None
    return found


def _put_in_force(work: Work, credential_id: int, reservation: str, made: Made, *, alias: str) -> None:
    values = {
        "new_alias": alias,
        "new_scope": dict(made.scope),
        "new_secret": work.keys.seal(made.secret, CREDENTIAL_SECRET.place(credential_id)),
        "new_expires_at": made.expires_at,
        "new_profile": made.profile,
    }
    if not store.activate(work.connection, credential_id, reservation, values):
        raise ConnectingAlready("connecting took too long, and somebody else connects this account by now; try again")
    look_store.forget_lacking(work.connection, credential_id, work.now)


def _replace(work: Work, present: Credential) -> None:
    zones, domains = zone_store.remove_of(work.connection, present.id)
    store.remove(work.connection, present.id)
    facts: dict[str, object] = {"external_id": present.external_id, "zones": zones, "domains": domains}
    # Nobody here can delete a token in another account of the provider.
    facts |= {"left_at_provider": present.scope.get("cf_token_id")}
    work.audit("vault.credential.replace", credentials.subject(present.id), **facts)


def _elsewhere(wish: Wish) -> ConnectedElsewhere:
    return ConnectedElsewhere(
        f"{wish.provider} account {wish.external_id} is connected in another account",
        provider=wish.provider,
        external_id=wish.external_id,
    )


def _facts(wish: Wish, decision: Decision) -> dict[str, object]:
    return {"provider": wish.provider, "external_id": wish.external_id, "scenario": decision.scenario.value}
