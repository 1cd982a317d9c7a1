"""Signatures of webhooks after the Standard Webhooks specification (version 1.0, github.com/standard-webhooks).

A secret reads ``whsec_<base64 of 32 bytes>``. What is signed is ``<id>.<timestamp>.<body>`` with HMAC-SHA256 under
those bytes; the header holds ``v1,<base64>`` for each secret in force, the newest first, set apart by spaces.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from keystead.kit.ids import Ids
from keystead.kit.secret import Secret

SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix, not a secret
_SECRET_SIZE_BYTES = 32


def new_secret(ids: Ids) -> Secret[str]:
    """Return a new secret of 256 random bits."""
    return Secret(SECRET_PREFIX + base64.b64encode(bytes.fromhex(ids.hex(_SECRET_SIZE_BYTES))).decode())


def signature(secret: Secret[str], event_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of one secret; ``timestamp`` is that of the attempt, in seconds since 1970."""
    key = base64.b64decode(secret.reveal().removeprefix(SECRET_PREFIX))
    signed = f"{event_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"


def headers(secrets: Sequence[Secret[str]], event_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of one attempt."""
    timestamp = int(at.timestamp())
    return {
        "content-type": "application/json",
        "user-agent": "Keystead-Webhooks/1",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, event_id, timestamp, body) for secret in secrets),
    }
