"""The rule of refresh tokens, without a database: each opens its session once, and a copy gives itself away.

A session's tokens are numbered by generations. The newest is exchanged for its successor. One that was replaced moments
ago is answered with the newest again, because tabs of a browser share a cookie and ask at the same moment, and because
an answer can be lost; there is never more than one token to exchange, so a family does not branch. Anything older was
copied: the session ends for whoever has the copy and for its owner, who signs in again.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from keystead.kit import crypto
from keystead.kit.secret import Secret

GRACE = timedelta(seconds=30)
# So many replaced tokens are remembered within that time; no browser refreshes as often.
REPEATED_MAX = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Verdict(Enum):
    """What a refresh token that was made here is worth."""

    EXCHANGE = "exchange"
    REPEAT = "repeat"
    REUSED = "reused"


@dataclass(frozen=True)
class Presented:
    """A refresh token taken apart; nothing of it is believed yet."""

    session_id: str
    generation: int
    proof: str


def token(session_id: str, generation: int, chain_key: Secret[bytes]) -> Secret[str]:
    """Return the refresh token of a generation: whoever has an older one and not the key cannot make it."""
    return Secret(f"{session_id}.{generation}.{_proof(session_id, generation, chain_key)}")


def parse(text: str) -> Presented | None:
    """Take a refresh token apart; None for what has another form."""
    session_id, _, rest = text.partition(".")
    generation, _, proof = rest.partition(".")
    if not (text.isascii() and session_id.isalnum() and generation.isdigit() and len(text) <= 256):
        return None
    return Presented(session_id, int(generation), proof)


def is_genuine(presented: Presented, chain_key: Secret[bytes]) -> bool:
    """Tell whether a token was made here."""
    return hmac.compare_digest(presented.proof, _proof(presented.session_id, presented.generation, chain_key))


def judge(generation: int, *, newest: int, replaced: Sequence[int], now: datetime) -> Verdict:
    """Return what a genuine token of a generation is worth to a session whose newest is another.

    ``replaced`` says when the generations before the newest were replaced, in microseconds since 1970, last one first.
    """
    if generation == newest:
        return Verdict.EXCHANGE
    behind = newest - 1 - generation
    if 0 <= behind < len(replaced) and _is_recent(replaced[behind], now):
        return Verdict.REPEAT
    return Verdict.REUSED


def replaced_now(replaced: Sequence[int], now: datetime) -> list[int]:
    """Return the moments to keep when the newest generation is replaced: those that still matter, and this one."""
    recent = [moment for moment in replaced if _is_recent(moment, now)]
    return [_microseconds(now), *recent][:REPEATED_MAX]


def _is_recent(moment: int, now: datetime) -> bool:
    return _microseconds(now) - moment < GRACE // timedelta(microseconds=1)


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _proof(session_id: str, generation: int, chain_key: Secret[bytes]) -> str:
    return crypto.mac(chain_key, f"refresh\x00{session_id}\x00{generation}".encode())
