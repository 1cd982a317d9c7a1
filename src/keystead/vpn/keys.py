"""The verbs of VPN keys: issue, find, list, link, rename, enable, disable, reissue, revoke, and their undoing.

A key that was committed but is not yet known to be in the engine is invisible on every wire; so is one being removed.
Engines are told by the reconciler after the commit; nothing here waits for one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.engines.xray.state import masked
from keystead.kit.errors import Invalid
from keystead.kit.page import Page
from keystead.outbox.events import Event
from keystead.vpn import holding, notices, ports
from keystead.vpn.accounting import Bytes
from keystead.vpn.errors import KeyNotFound, NoValidTarget
from keystead.vpn.inbound import Inbound
from keystead.vpn.keyvalue import KeyIdent, KeyState, KeyStatus, VpnKey, label_of
from keystead.vpn.lookup import IsApplied, IsGone, is_allowed, is_visible, locate, locate_for_change
from keystead.vpn.placement import Firmness, Placement
from keystead.vpn.plans import Wish, placed, terms_of, wished_plan
from keystead.vpn.ports import PortPool
from keystead.vpn.store import inbounds as inbound_store
from keystead.vpn.store import keys as key_store
from keystead.vpn.store import terms as term_store
from keystead.vpn.store import traffic as traffic_store
from keystead.vpn.termvalue import begin
from keystead.vpn.values import ClientProfile

T = TypeVar("T")

# How many keys of a long list are held at once.
_PART = 500

NAME_LENGTH_MAX = 255


@dataclass(frozen=True)
class KeyPage:
    """Keys of one page, how many there are in all, and the number after which the next page begins."""

    keys: list[VpnKey]
    total: int
    next: int | None = None


@dataclass(frozen=True)
class Reissue:
    """A key with its new UUID, and what it had before, for the undoing."""

    key: VpnKey
    before: VpnKey


@dataclass(frozen=True)
class Enabling:
    """An enabled key, and whether it was enabled before."""

    key: VpnKey
    was_enabled: bool


@requires(Permission.VPN_KEYS_ISSUE)
def issue(
    work: Work,
    *,
    name: str | None,
    placement: Placement,
    pool: PortPool,
    firmness: Firmness = Firmness.CHOSEN,
    wish: Wish | None = None,
    target_problem: str | None = None,
) -> VpnKey:
    """Issue a key.

    ``firmness`` says what ``placement`` is worth beside a plan's. ``target_problem`` is what the examination of the
    REALITY target last found, None when it passed. Raises Invalid for a bad name or plan, NoValidTarget while no client
    could connect, PortsExhausted when the pool has no port left.
    """
    checked_name = checked(name)
    plan = None if wish is None else wished_plan(work.connection, work.principal.account_id, wish)
    terms = None if wish is None else terms_of(plan, wish, work.now)
    placement = placed(plan, placement, firmness)
    shared = inbound_store.for_placement(work.connection, Placement.SHARED)
    if shared is None or target_problem is not None:
        raise NoValidTarget(target_problem or "no REALITY target has passed its examination yet; see keystead doctor")
    inbound = shared if placement is Placement.SHARED else ports.open_port(work, shared, pool)
    values = new_values(work, checked_name, inbound)
    values["label"] = f"new-{values['uuid']}"
    number = key_store.add_key(work.connection, values)
    values |= {"label": label_of(number, 1), "state": KeyState.ISSUING}
    key_store.set_label(work.connection, number, label_of(number, 1))
    traffic_store.start(work.connection, number, label_of(number, 1), work.now)
    del values["masked_uuid"]
    values |= {"placement": placement, "scope": inbound.scope, "port": inbound.port}
    key = VpnKey(number=number, **values)  # type: ignore[arg-type]  # one row
    sold = {} if wish is None else wish.facts()
    work.audit("vpn.key.issue", _subject(key), name=checked_name, placement=placement.value, **sold)
    work.mark(key.scope, key.label)
    if terms is not None:
        term_store.add(work.connection, number, begin(terms, Bytes(), work.now), work.marks[-1].generation)
    return key


@requires(Permission.VPN_KEYS_READ)
def find(work: Work, *, ident: KeyIdent, is_applied: IsApplied) -> VpnKey:
    """Return a visible key of the caller's account; raise KeyNotFound."""
    return locate(work.connection, work.principal, ident, is_applied)


@requires(Permission.VPN_KEYS_READ)
def list_(
    work: Work, *, placement: Placement | None, page: Page, is_applied: IsApplied, status: KeyStatus | None = None
) -> KeyPage:
    """Return visible keys by number, all or those of a status, and how many there are in all."""
    account, confined = work.principal.account_id, work.principal.confined_to_token
    found = key_store.page(
        work.connection,
        account,
        issued_by=confined,
        placement=placement,
        after=page.after,
        limit=page.limit,
        status=status,
    )
    shown = [key for key in found if is_visible(key, is_applied)]
    following = found[-1].number if len(found) == page.limit else None
    if page.after == 0 and following is None:
        return KeyPage(shown, len(shown))
    counted = key_store.count(work.connection, account, issued_by=confined, placement=placement, status=status)
    return KeyPage(shown, counted - (len(found) - len(shown)), following)


@requires(Permission.VPN_KEYS_READ)
def list_made(
    work: Work, *, placement: Placement | None, is_applied: IsApplied, made: Callable[[Sequence[VpnKey]], T]
) -> list[T]:
    """Return what is made of all visible keys, by number and some hundreds at a time.

    Ten thousand keys are ten megabytes as long as somebody holds them all, and a sixth of that as text.
    """
    account, confined = work.principal.account_id, work.principal.confined_to_token
    parts = key_store.parts(work.connection, account, issued_by=confined, placement=placement, size=_PART)
    return [made([key for key in part if is_visible(key, is_applied)]) for part in parts]


@requires(Permission.VPN_LINKS_READ)
def profile(work: Work, *, ident: KeyIdent, public_host: str, is_applied: IsApplied) -> tuple[VpnKey, ClientProfile]:
    """Return a key with everything a client program needs to use it."""
    key = locate(work.connection, work.principal, ident, is_applied)
    return key, profile_of(work.connection, key, public_host)


def profile_of(connection: Connection, key: VpnKey, public_host: str) -> ClientProfile:
    """Return what a client program needs to use a key that was already found."""
    return profile_at(key, inbound_store.find(connection, key.inbound_id), public_host)


def profile_at(key: VpnKey, inbound: Inbound, public_host: str) -> ClientProfile:
    """Return what a client program needs to use a key at its inbound."""
    return ClientProfile(
        host=public_host,
        port=inbound.port,
        uuid=key.uuid,
        flow=key.flow,
        public_key=inbound.public_key,
        short_id=key.short_id,
        server_name=key.server_name,
        name=key.name,
    )


@requires(Permission.VPN_KEYS_CHANGE)
def rename(work: Work, *, ident: KeyIdent, name: str | None, is_applied: IsApplied) -> VpnKey:
    """Give a key another name."""
    key = locate_for_change(work.connection, work.principal, ident, is_applied)
    key_store.set_name(work.connection, key.number, checked(name))
    work.audit("vpn.key.rename", _subject(key), name=name)
    return locate(work.connection, work.principal, ident, is_applied)


@requires(Permission.VPN_KEYS_CHANGE)
def enable(work: Work, *, ident: KeyIdent, is_applied: IsApplied) -> Enabling:
    """Let a disabled key connect again; raise KeyStopped for one that its terms stop."""
    before = locate_for_change(work.connection, work.principal, ident, is_applied)
    holding.check_can_start(before, term_store.find(work.connection, before.number))
    return Enabling(_set_enabled(work, before, is_enabled=True), before.is_enabled)


@requires(Permission.VPN_KEYS_CHANGE)
def undo_enable(work: Work, *, key: VpnKey) -> None:
    """Disable a key again whose engine did not take it, unless it is gone meanwhile."""
    current = key_store.find_for_change(work.connection, key.account_id, KeyIdent("", key.number, None))
    if current is not None and current.label == key.label:
        _set_enabled(work, current, is_enabled=False)


@requires(Permission.VPN_KEYS_CHANGE)
def disable(work: Work, *, ident: KeyIdent, is_applied: IsApplied) -> VpnKey:
    """Refuse new connections of a key and keep it listed."""
    return _set_enabled(work, locate_for_change(work.connection, work.principal, ident, is_applied), is_enabled=False)


@requires(Permission.VPN_KEYS_CHANGE)
def reissue(work: Work, *, ident: KeyIdent, is_applied: IsApplied) -> Reissue:
    """Give a key a new UUID: its old link stops working, its number, name and traffic stay."""
    before = locate_for_change(work.connection, work.principal, ident, is_applied)
    vless_uuid = str(work.ids.uuid())
    # Counted, and not taken from the present label: an undone reissue has used up a revision too.
    label = label_of(before.number, traffic_store.count_labels(work.connection, before.number) + 1)
    traffic_store.start(work.connection, before.number, label, work.now)
    _set_credential(work, before, vless_uuid, label)
    work.audit("vpn.key.reissue", _subject(before))
    after = key_store.find(work.connection, before.account_id, KeyIdent("", before.number, None))
    assert after is not None  # noqa: S101 - it was found a line ago, in this transaction
    return Reissue(after, before)


@requires(Permission.VPN_KEYS_CHANGE)
def undo_reissue(work: Work, *, done: Reissue) -> None:
    """Return to the UUID from before a reissue that the engine did not take."""
    current = key_store.find_for_change(work.connection, done.key.account_id, KeyIdent("", done.key.number, None))
    if current is None or current.uuid != done.key.uuid:
        return
    _set_credential(work, current, done.before.uuid, done.before.label)
    work.audit("vpn.key.reissue.undo", _subject(current))


@requires(Permission.VPN_KEYS_REVOKE)
def revoke(work: Work, *, ident: KeyIdent, is_applied: IsApplied, is_gone: IsGone) -> VpnKey:
    """Revoke a key; one that is still being removed is found again, so that a repeated call can wait for it."""
    key = key_store.find_for_change(work.connection, work.principal.account_id, ident)
    if key is None or not is_allowed(work.principal, key):
        raise KeyNotFound(ident.text)
    if is_gone(key.label) if key.state is KeyState.REMOVING else not is_visible(key, is_applied):
        raise KeyNotFound(ident.text)
    if key.state is not KeyState.REMOVING:
        key_store.set_state(work.connection, key.number, KeyState.REMOVING)
        work.audit("vpn.key.revoke", _subject(key), name=key.name)
        work.emit(Event.VPN_KEY_REVOKED, _subject(key), notices.about(key))
    work.mark(key.scope, key.label)
    return key


@requires(Permission.VPN_KEYS_ISSUE)
def undo_issue(work: Work, *, key: VpnKey, reason: str) -> None:
    """Take back a key whose engine did not confirm it; a tombstone stays until the engine is seen without it."""
    current = key_store.find_for_change(work.connection, key.account_id, KeyIdent("", key.number, None))
    if current is not None and current.state is KeyState.LIVE:  # it was confirmed meanwhile, and said to be created
        work.emit(Event.VPN_KEY_REVOKED, _subject(key), notices.about(current))
    key_store.set_state(work.connection, key.number, KeyState.REMOVING)
    work.audit("vpn.key.issue.undo", _subject(key), reason=reason)
    work.mark(key.scope, key.label)


@requires(Permission.VPN_KEYS_CHANGE)
def ask_comparison(work: Work) -> None:
    """Let the caller have the engine compared with the database now; nothing is changed here."""


def new_values(work: Work, name: str | None, inbound: Inbound) -> dict[str, object]:
    """Return the row of a new key at an inbound, without number and label."""
    vless_uuid = str(work.ids.uuid())
    return {
        "public_id": str(work.ids.uuid()),
        "account_id": work.principal.account_id,
        "inbound_id": inbound.id,
        "issued_by": work.principal.token_id,
        "name": name,
        "uuid": vless_uuid,
        "masked_uuid": masked(vless_uuid),
        "flow": inbound.flow,
        "short_id": inbound.short_ids[0],
        "server_name": inbound.server_names[0],
        "is_active": True,
        "is_enabled": True,
        "state": KeyState.ISSUING.value,
        "created_at": work.now,
    }


def checked(name: str | None) -> str | None:
    """Return a name that a key can have; raise Invalid for another."""
    if name is not None and len(name) > NAME_LENGTH_MAX:
        raise Invalid("the name is too long", fields={"name": f"at most {NAME_LENGTH_MAX} characters"})
    if name is not None and "\0" in name:
        raise Invalid("the name holds a zero character", fields={"name": "no zero characters"})
    return name


def _set_enabled(work: Work, key: VpnKey, *, is_enabled: bool) -> VpnKey:
    is_news = key.is_enabled is not is_enabled
    if is_news:
        holding.set_active(work.connection, key, term_store.find(work.connection, key.number), is_enabled=is_enabled)
        work.audit("vpn.key.enable" if is_enabled else "vpn.key.disable", _subject(key))
    work.mark(key.scope, key.label)
    found = key_store.find(work.connection, key.account_id, KeyIdent("", key.number, None))
    assert found is not None  # noqa: S101 - it was found a line ago, in this transaction
    if is_news:
        event = Event.VPN_KEY_ENABLED if is_enabled else Event.VPN_KEY_DISABLED
        work.emit(event, _subject(key), notices.about(found))
    return found


def _set_credential(work: Work, key: VpnKey, vless_uuid: str, label: str) -> None:
    key_store.set_credential(work.connection, key.number, uuid=vless_uuid, masked_uuid=masked(vless_uuid), label=label)
    work.mark(key.scope, key.label)
    work.mark(key.scope, label)
    term_store.touch(work.connection, key.number, work.marks[-1].generation)


def _subject(key: VpnKey) -> str:
    return f"vpn key {key.number}"
