"""What can go wrong with a job beyond the common tree."""

from keystead.kit.errors import Conflict


class JobLost(Conflict):
    """A job is no longer this worker's: it was cancelled, or its lease ran out and somebody else has it."""

    code = "job_lost"
