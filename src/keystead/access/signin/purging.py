"""What signing in leaves behind, deleted when nobody needs it any more. Called by the upkeep of access."""

from datetime import datetime

from sqlalchemy import Connection

from keystead.access.signin.sessions import KEPT
from keystead.access.signin.signingkeys import ACCESS_LIFE
from keystead.access.store import attempts, links, sessions


def purge(connection: Connection, now: datetime) -> int:
    """Delete old sessions, links, windows of attempts and signing keys; return how many rows."""
    return (
        sessions.purge(connection, now - KEPT)
        + links.purge(connection, now - KEPT)
        + attempts.purge(connection, now)
        + sessions.purge_signing_keys(connection, now - ACCESS_LIFE)
    )
