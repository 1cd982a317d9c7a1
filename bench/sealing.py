"""Sealing and opening a secret against the bare cipher: both draw a nonce, both bind the place, nothing is stored."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.figures import Budget, Row, Turn, at_least, take_turns
from bench.scale import Scale
from keystead.kit.crypto import KeyRing, Place, key_name, new_key
from keystead.kit.secret import Secret

_NONCE_BYTES = 12
_TOGETHER = 2_000
# A provider's token, and a service account's JSON with its private key: of that, turning bytes into text and back is
# what takes longest, and no budget is about it.
_CASES: dict[str, tuple[int, Budget | None]] = {"53 bytes": (53, at_least(0.3)), "2,300 bytes": (2_300, None)}


async def measure(directory: Path, scale: Scale) -> list[Row]:
    """Seal and open many times in turns with the bare cipher."""
    del directory
    rows: list[Row] = []
    for case, (size, budget) in _CASES.items():
        turns = _turns("x" * size)
        measured = await take_turns(scale.rounds, {name: _timed(once) for name, once in turns.items()})
        for what in ("seal", "open"):
            # The shortest turns: nothing but the processor is measured, and what disturbs only adds.
            ours, bare = measured[what], measured[f"bare {what}"]
            note = f"{min(ours) / _TOGETHER * 1e6:.2f} over {min(bare) / _TOGETHER * 1e6:.2f} µs"
            rows.append(Row(f"{what}, of bare AES-GCM", case, min(bare) / min(ours), budget, note=note))
    return rows


def _turns(text: str) -> dict[str, Callable[[], object]]:
    """Return what is done once by each contender, over the same key, place and plain text."""
    key = new_key()
    ring, cipher = KeyRing({key_name(key): key}, newest=key_name(key)), AESGCM(key.reveal())
    place, secret, plain = Place("credentials", "7", "secret"), Secret(text), text.encode()
    bound = place.associated_data
    sealed, nonce = ring.seal(secret, place), os.urandom(_NONCE_BYTES)
    encrypted = cipher.encrypt(nonce, plain, bound)
    return {
        "seal": lambda: ring.seal(secret, place),
        "bare seal": lambda: cipher.encrypt(os.urandom(_NONCE_BYTES), plain, bound),
        "open": lambda: ring.open(sealed, place),
        "bare open": lambda: cipher.decrypt(nonce, encrypted, bound),
    }


def _timed(once: Callable[[], object]) -> Turn:
    async def turn() -> float:
        begun = time.perf_counter()
        for _ in range(_TOGETHER):
            once()
        return time.perf_counter() - begun

    return turn
