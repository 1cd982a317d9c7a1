"""The devices that poll a key's subscription, and the limit of them that was sold with it.

A program names its device with a header that anybody can make up, so the limit holds the honest: a link that was copied
out of an app works on any device. Of the id nothing is kept but a hash under the subscription's own token, which is
sealed; a device that was not seen for some days is forgotten. Polls come from the subscription wire, without a
credential but the token.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit.errors import NotFound
from keystead.kit.secret import Secret
from keystead.outbox.events import Event
from keystead.vpn import notices
from keystead.vpn.keyvalue import KeyIdent, VpnKey
from keystead.vpn.lookup import IsApplied, locate, locate_for_change
from keystead.vpn.store import devices as store
from keystead.vpn.store import terms as term_store
from keystead.vpn.store.devices import Device, Seen

# How often a device is noted as seen, and a refusal is told.
ONCE_IN = timedelta(days=1)


@dataclass(frozen=True)
class Presented:
    """What a program says of the device it runs on."""

    hwid: Secret[str]
    system: str
    model: str


class Refusal(StrEnum):
    """Why a device may not fetch a subscription: as many as were sold are known, or it does not say which it is."""

    FULL = "full"
    UNNAMED = "unnamed"


@dataclass(frozen=True)
class DeviceCheck:
    """How a device stands with a key: how many may be, how many are, and what follows.

    ``is_settled`` says that nothing is to be written.
    """

    limit: int
    used: int
    refusal: Refusal | None
    is_settled: bool


@dataclass(frozen=True)
class KeyDevices:
    """A key's devices that count, with the limit of them; None for a key that may have any number."""

    key: VpnKey
    limit: int | None
    devices: list[Device]


def seen(presented: Presented, token: str, at: datetime) -> Seen:
    """Return a device as it is stored: its id hashed under the token, which is a secret of many random bits."""
    hashed = hmac.new(token.encode(), presented.hwid.reveal().encode(), hashlib.sha256).hexdigest()
    return Seen(hashed, presented.system, presented.model, at)


def look(
    connection: Connection, number: int, device: Seen | None, *, limit: int, now: datetime, kept: timedelta
) -> DeviceCheck:
    """Tell how a device stands with a key that has a limit."""
    since = now - kept
    known_at = None if device is None else store.known_at(connection, number, device.fingerprint, since)
    used = store.count(connection, number, since)
    if known_at is not None:
        return DeviceCheck(limit, used, None, is_settled=_is_recent(known_at, now))
    if device is not None and used < limit:
        return DeviceCheck(limit, used, None, is_settled=False)
    refusal = Refusal.UNNAMED if device is None else Refusal.FULL
    return DeviceCheck(limit, used, refusal, is_settled=_is_recent(store.refused_at(connection, number), now))


@requires(Permission.VPN_LINKS_READ)
def admit(work: Work, *, key: VpnKey, device: Seen | None, kept: timedelta) -> DeviceCheck | None:
    """Let a device fetch a key's subscription or refuse it, and remember which; None when no limit holds any more.

    A refusal is told once a day for a key, however many there are. Raises NotFound when the subscription is gone.
    """
    if not store.lock(work.connection, key.number):
        raise NotFound("subscription", "of this address")
    held = term_store.find(work.connection, key.number)
    if held is None or held.terms.device_limit is None:
        return None
    limit = held.terms.device_limit
    found = look(work.connection, key.number, device, limit=limit, now=work.now, kept=kept)
    if found.is_settled:
        return found
    if found.refusal is not None:
        _tell_refused(work, key, device, found)
        return found
    if device is not None:
        _remember(work, key, device, kept)
    return look(work.connection, key.number, device, limit=limit, now=work.now, kept=kept)


@requires(Permission.VPN_KEYS_READ)
def list_(work: Work, *, ident: KeyIdent, is_applied: IsApplied, kept: timedelta) -> KeyDevices:
    """Return the devices that fetched a key's subscription and count towards its limit."""
    key = locate(work.connection, work.principal, ident, is_applied)
    held = term_store.find(work.connection, key.number)
    limit = None if held is None else held.terms.device_limit
    return KeyDevices(key, limit, store.of_key(work.connection, key.number, work.now - kept))


@requires(Permission.VPN_KEYS_CHANGE)
def forget(work: Work, *, ident: KeyIdent, is_applied: IsApplied, device_id: int | None = None) -> int:
    """Forget one device of a key, or all, and return how many; another may take the place of each.

    A device that was forgotten takes one again when it polls and there is one. Raises NotFound for one that is not
    there.
    """
    key = locate_for_change(work.connection, work.principal, ident, is_applied)
    gone = store.remove(work.connection, key.number, device_id)
    if device_id is not None and not gone:
        raise NotFound("device", str(device_id))
    work.audit("vpn.device.forget", f"vpn key {key.number}", device=device_id, devices=gone)
    return gone


def _remember(work: Work, key: VpnKey, device: Seen, kept: timedelta) -> None:
    if store.known_at(work.connection, key.number, device.fingerprint, work.now - kept) is not None:
        store.note(work.connection, key.number, device)
        return
    store.expire(work.connection, key.number, work.now - kept)
    store.add(work.connection, key.number, device)
    work.audit("vpn.device.add", f"vpn key {key.number}", system=device.system, model=device.model)


def _tell_refused(work: Work, key: VpnKey, device: Seen | None, found: DeviceCheck) -> None:
    store.note_refused(work.connection, key.number, work.now)
    system, model = ("", "") if device is None else (device.system, device.model)
    facts = {"reason": str(found.refusal), "device_limit": found.limit, "system": system, "model": model}
    work.audit("vpn.device.refuse", f"vpn key {key.number}", **facts)
    told = notices.device_refused(
        key, reason="unnamed" if device is None else "full", device_limit=found.limit, system=system, model=model
    )
    work.emit(Event.VPN_KEY_DEVICE_REFUSED, f"vpn key {key.number}", told)


def _is_recent(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and now - moment < ONCE_IN
