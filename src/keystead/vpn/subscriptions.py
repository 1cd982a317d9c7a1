"""The address a customer's app polls: opened, shown again, revoked and replaced; found by its token alone.

The token is unguessable and separate from the VLESS UUID. It is hashed to be found and sealed to be shown again, since
a seller sends the same address twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit.crypto import fingerprint
from keystead.kit.errors import NotFound
from keystead.kit.secret import Secret
from keystead.vpn import holding
from keystead.vpn.keys import profile_of
from keystead.vpn.keyvalue import KeyIdent, VpnKey
from keystead.vpn.lookup import IsApplied, is_visible, locate_for_change
from keystead.vpn.sealed import SUBSCRIPTION_TOKEN
from keystead.vpn.store import devices as device_store
from keystead.vpn.store import keys as key_store
from keystead.vpn.store import subscriptions as subscription_store
from keystead.vpn.store import terms as term_store
from keystead.vpn.termvalue import Held
from keystead.vpn.traffic import visible_of
from keystead.vpn.values import ClientProfile, Usage

TOKEN_KIND = "sub"  # noqa: S105 - a prefix, not a secret


@dataclass(frozen=True)
class Subscribed:
    """What the holder of a subscription's token may see; a key with a quota shows what it used of the present one.

    ``device_limit`` is how many devices may fetch it, None for any number.
    """

    key: VpnKey
    profile: ClientProfile
    usage: Usage
    device_limit: int | None = None


@requires(Permission.VPN_LINKS_READ)
def token(work: Work, *, ident: KeyIdent, is_applied: IsApplied) -> Secret[str]:
    """Return the token of a key's subscription; the first call opens it."""
    key = locate_for_change(work.connection, work.principal, ident, is_applied)
    sealed = subscription_store.sealed_token(work.connection, key.number)
    return _open(work, key) if sealed is None else work.keys.open(sealed, SUBSCRIPTION_TOKEN.place(key.number))


@requires(Permission.VPN_LINKS_READ)
def open_many(work: Work, *, numbers: Sequence[int]) -> None:
    """Open the subscriptions of keys that were just made."""
    made = [(number, Secret(work.ids.token(TOKEN_KIND))) for number in numbers]
    rows = [
        (number, fingerprint(token.reveal()), work.keys.seal(token, SUBSCRIPTION_TOKEN.place(number)))
        for number, token in made
    ]
    subscription_store.add_many(work.connection, rows, work.now)
    work.audit_many("vpn.subscription.open", ((f"vpn key {number}", {}) for number in numbers))


@requires(Permission.VPN_KEYS_CHANGE)
def replace(work: Work, *, ident: KeyIdent, is_applied: IsApplied) -> Secret[str]:
    """Give a key's subscription another token; the old address stops at once, the key goes on.

    Its devices are forgotten: each of them has to be given the new address, and is known again when it comes.
    """
    key = locate_for_change(work.connection, work.principal, ident, is_applied)
    _close(work, key)
    return _open(work, key)


@requires(Permission.VPN_KEYS_CHANGE)
def revoke(work: Work, *, ident: KeyIdent, is_applied: IsApplied) -> None:
    """Close a key's subscription; the key goes on."""
    key = locate_for_change(work.connection, work.principal, ident, is_applied)
    _close(work, key)
    work.audit("vpn.subscription.revoke", f"vpn key {key.number}")


def find_by_token(connection: Connection, presented: str, *, public_host: str, is_applied: IsApplied) -> Subscribed:
    """Return what a token's holder may see; raise NotFound for any token that is none (or no longer)."""
    found = subscription_store.find_key(connection, fingerprint(presented))
    key = None if found is None else key_store.find(connection, found[1], KeyIdent("", found[0], None))
    if key is None or not is_visible(key, is_applied):
        raise NotFound("subscription", "of this address")
    held = term_store.find(connection, key.number)
    limit = None if held is None else held.terms.device_limit
    return Subscribed(key, profile_of(connection, key, public_host), _usage(connection, key, held), limit)


def _usage(connection: Connection, key: VpnKey, held: Held | None) -> Usage:
    """Return bytes, quota and end for a customer's program; one that waits for its first use has no end yet."""
    visible = visible_of(connection, key.number)
    if held is None:
        return Usage(visible.uplink, visible.downlink)
    used = visible if held.allowance is None else held.used(holding.lifetime(connection, key, None))
    return Usage(used.uplink, used.downlink, held.allowance, held.terms.expires_at)


def _close(work: Work, key: VpnKey) -> None:
    subscription_store.remove(work.connection, key.number)
    device_store.remove(work.connection, key.number)


def _open(work: Work, key: VpnKey) -> Secret[str]:
    made = Secret(work.ids.token(TOKEN_KIND))
    sealed = work.keys.seal(made, SUBSCRIPTION_TOKEN.place(key.number))
    subscription_store.add(work.connection, key.number, fingerprint(made.reveal()), sealed, work.now)
    work.audit("vpn.subscription.open", f"vpn key {key.number}")
    return made
