"""The job that sends one mail of an alert: it is sent again until a mail server has taken or refused it."""

from keystead.jobs.store import Job
from keystead.kit.errors import Rejected
from keystead.kit.secret import Secret
from keystead.operations.access.mails import Mailer


class AlertMails:
    """Send alerts by mail."""

    def __init__(self, mailer: Mailer | None) -> None:
        self._mailer = mailer

    async def carry_out(self, job: Job) -> None:
        """Send the mail of a job; raise Rejected where mail is not set up any more."""
        if self._mailer is None:
            raise Rejected("no mail server is set; see KEYSTEAD_SMTP_URL")
        await self._mailer.send(job.request["to"], job.request["subject"], Secret(job.request["text"]))
