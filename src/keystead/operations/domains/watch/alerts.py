"""The job that sends one mail of an alert: again, ever later, until a mail server has taken or refused it.

After about a day it is given up. That ends the job as failed, and the doctor tells of it until a later mail was taken.
"""

from datetime import timedelta

from keystead.jobs.errors import NotYet
from keystead.jobs.store import Job
from keystead.kit.clock import Clock
from keystead.kit.errors import Rejected, Unavailable
from keystead.kit.patience import delay_s
from keystead.kit.secret import Secret
from keystead.operations.access.mails import Mailer


class AlertMails:
    """Send alerts by mail."""

    def __init__(self, mailer: Mailer | None, clock: Clock) -> None:
        self._mailer = mailer
        self._clock = clock

    async def carry_out(self, job: Job) -> None:
        """Send the mail of a job; raise NotYet to have it sent later, and Rejected for one that is given up."""
        if self._mailer is None:
            raise Rejected("no mail server is set; see KEYSTEAD_SMTP_URL")
        try:
            await self._mailer.send(job.request["to"], job.request["subject"], Secret(job.request["text"]))
        except Unavailable as error:
            wait_s = delay_s(job.attempts)
            if wait_s is None:
                raise Rejected(f"given up after {job.attempts} attempts: {error.message}") from error
            raise NotYet(error.message, due_at=self._clock.now() + timedelta(seconds=wait_s)) from error
