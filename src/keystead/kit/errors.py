"""The one tree of errors, with no wire in it.

Subjects, engines and the reconciler raise these or subclasses; each dialect maps them to its wire in one table.

    KeysteadError                 code, message, context
    ├─ Unauthenticated            nobody we know
    │  ├─ Ended                   known once: the credential's end has passed
    │  └─ Throttled               too many failed attempts; retry_after_s
    ├─ Forbidden                  known, but not allowed
    ├─ NotFound                   kind, ident
    ├─ Invalid                    fields
    ├─ QuotaExceeded              limit
    │  └─ RateLimited             so many requests a minute; retry_after_s
    ├─ Conflict
    │  ├─ AlreadyExists
    │  ├─ InUse
    │  └─ NeedsConfirmation       what would be replaced or removed
    ├─ Rejected                   an engine or provider said no; permanent
    ├─ Unsupported                the engine or the machine does not give it here
    ├─ Unavailable                try again; retry_after_s; temporary
    │  ├─ EngineUnavailable       the engine is down, warming or does not answer
    │  └─ StorageBusy             the database is locked or out of reach
    ├─ StorageFailed              the database refused: disk full, read-only, damaged
    ├─ Misconfigured              a setting or the machine has to be changed by a person
    └─ Broken                     our own invariant failed
"""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class KeysteadError(Exception):
    """Say what failed, on which object, and what to do next.

    ``code`` is stable snake_case for machines; ``message`` is for people and free of secrets.
    """

    code = "error"

    def __init__(self, message: str, **context: object) -> None:
        super().__init__(message)
        self.message = message
        self.context = context


class Unauthenticated(KeysteadError):
    """The caller presented no credential, or one we do not know."""

    code = "unauthenticated"


class Ended(Unauthenticated):
    """The caller presented a credential whose end has passed."""

    code = "ended"


class Throttled(Unauthenticated):
    """Too many failed attempts from one place."""

    code = "throttled"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Forbidden(KeysteadError):
    """The caller is known and may not do this."""

    code = "forbidden"


class NotFound(KeysteadError):
    """No object of this kind with this identifier is visible to the caller."""

    code = "not_found"

    def __init__(self, kind: str, ident: object, *, message: str | None = None) -> None:
        super().__init__(message or f"{kind} {ident} not found", kind=kind, ident=str(ident))
        self.kind = kind
        self.ident = str(ident)


class Invalid(KeysteadError):
    """The input breaks a rule; ``fields`` maps each field to what is wrong with it."""

    code = "invalid"

    def __init__(self, message: str, *, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = dict(fields or {})


class QuotaExceeded(KeysteadError):
    """A limit is reached; the message names the limit."""

    code = "quota_exceeded"


class RateLimited(QuotaExceeded):
    """A caller has asked for the same thing too often within a minute."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_s: int = 60) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Conflict(KeysteadError):
    """The request contradicts the present state."""

    code = "conflict"


class AlreadyExists(Conflict):
    """An object with this identity exists."""

    code = "already_exists"


class InUse(Conflict):
    """The object is needed by another one."""

    code = "in_use"


class NeedsConfirmation(Conflict):
    """A person has to confirm what would be replaced or removed."""

    code = "needs_confirmation"


class Rejected(KeysteadError):
    """An engine or provider refused for good; asking again will not help."""

    code = "rejected"


class Unsupported(KeysteadError):
    """This instance cannot do that: its engine or its machine does not give it; asking again will not help."""

    code = "unsupported"


class Unavailable(KeysteadError):
    """Something outside did not answer; asking again may help."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after_s: int = 5, **context: object) -> None:
        super().__init__(message, **context)
        self.retry_after_s = retry_after_s


class EngineUnavailable(Unavailable):
    """An engine is down, warming up or does not answer."""

    code = "engine_unavailable"


class StorageBusy(Unavailable):
    """The database is locked or out of reach for the moment."""

    code = "storage_busy"


class StorageFailed(KeysteadError):
    """The database refused for a reason that waiting will not cure."""

    code = "storage_failed"


class Misconfigured(KeysteadError):
    """A person has to change a setting or the machine; the message says which and how."""

    code = "misconfigured"


class Broken(KeysteadError):
    """An invariant of ours failed; this is a bug."""

    code = "broken"


def most_specific(table: Mapping[type[KeysteadError], T], kind: type[KeysteadError]) -> T:
    """Return a table's row of the most specific class of an error; raise KeyError when it has none."""
    for ancestor in kind.__mro__:
        if ancestor in table:
            return table[ancestor]
    raise KeyError(kind)
