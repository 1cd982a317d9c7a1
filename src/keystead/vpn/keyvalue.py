"""The VpnKey as a value, the ways to name one, and the two rules about its identity in Xray."""

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from keystead.vpn.placement import Placement

NUMBER_MAX = 2**63 - 1
_LABEL = re.compile(r"k(\d{1,18})-\d+")


class KeyState(StrEnum):
    """Where a key is on its way: issuing (not yet known to be in the engine), live, removing (a tombstone)."""

    ISSUING = "issuing"
    LIVE = "live"
    REMOVING = "removing"


class KeyStatus(StrEnum):
    """Whether a key connects, and what stops it: somebody's hand, its end, or its quota, in this order."""

    ACTIVE = "active"
    DISABLED = "disabled"
    EXPIRED = "expired"
    CUT = "cut"


class VpnKey(NamedTuple):
    """Permission to use the VPN.

    As frozen as the dataclasses that other values are, and made six times as fast: lists are of thousands.
    ``is_active`` says whether it connects, ``is_enabled`` whether nobody disabled it by hand.
    """

    number: int
    public_id: str
    account_id: int
    inbound_id: int
    issued_by: int | None
    name: str | None
    uuid: str
    label: str
    flow: str
    short_id: str
    server_name: str
    is_active: bool
    is_enabled: bool
    state: KeyState
    created_at: datetime
    placement: Placement
    scope: str
    port: int
    last_seen_at: datetime | None = None


@dataclass(frozen=True)
class KeyIdent:
    """A key as a caller names it: by number, or by a UUID that is its own id or its VLESS id."""

    text: str
    number: int | None
    uuid: str | None


def parse_ident(text: str) -> KeyIdent:
    """Read a caller's identifier; one that can name no key has neither number nor UUID."""
    if text.isascii() and text.isdigit():
        number = int(text) if len(text) <= 19 else 0
        return KeyIdent(text, number if 0 < number <= NUMBER_MAX else None, None)
    try:
        return KeyIdent(text, None, str(uuid.UUID(text)) if len(text) == 36 else None)
    except ValueError:
        return KeyIdent(text, None, None)


def key_of(label: str) -> str:
    """Return what all labels of a key begin with."""
    return label.rpartition("-")[0]


def label_of(number: int, revision: int) -> str:
    """Return a key's name in Xray; the revision rises with every new UUID, so that a label is never used twice."""
    return f"k{number}-{revision}"


def labels_of(label: str) -> list[str]:
    """Return every label a key has had up to this one: a re-issued key may still be connected under an earlier one."""
    number, _, revision = label.removeprefix("k").partition("-")
    return [label_of(int(number), earlier) for earlier in range(1, int(revision) + 1)]


def number_of(label: str) -> int | None:
    """Return the number of the key a label names; None for a name that is no label of ours."""
    found = _LABEL.fullmatch(label)
    return int(found[1]) if found else None
