"""What can go wrong with a job beyond the common tree."""

from datetime import datetime

from keystead.kit.errors import Conflict, Unavailable


class JobLost(Conflict):
    """A job is no longer this worker's: it was cancelled, or its lease ran out and somebody else has it."""

    code = "job_lost"


class NotYet(Unavailable):
    """Nothing of a job can be done before a moment, or for a while; raised by its handler, and no failure."""

    code = "not_yet"

    def __init__(self, message: str, *, due_at: datetime | None = None) -> None:
        super().__init__(message)
        self.due_at = due_at
