"""Alerts by mail: tried again ever later, given up after about a day, and told by the doctor."""

from datetime import datetime

import pytest

from keystead.jobs import store as jobs
from keystead.jobs.runner import JobRunner
from keystead.jobs.store import Job, NewJob, State
from keystead.kit.errors import KeysteadError, Rejected, Unavailable
from keystead.kit.patience import DELAYS_S
from keystead.kit.secret import Secret
from keystead.operations.domains.watch.alerts import AlertMails
from keystead.operations.instance import checks
from keystead.operations.instance.doctor import Check, Status
from keystead.vault.alerts import MAIL_KIND
from tests.support.work import Workplace

AWAY = Unavailable("the mail server mail.test is out of reach: TimeoutError")


class Post:
    """A mail server, and the job that sends a mail through it."""

    def __init__(self, place: Workplace) -> None:
        self.place = place
        self.problem: KeysteadError | None = None
        self.tried: list[datetime] = []
        self.waits: list[float] = []
        handlers = {MAIL_KIND: AlertMails(self, place.clock).carry_out}
        self.runner = JobRunner(place.database, handlers, clock=place.clock, ids=place.ids, is_alone=True)

    async def send(self, to: str, subject: str, text: Secret[str]) -> None:
        """Take a mail, or not."""
        del to, subject, text
        self.tried.append(self.place.clock.now())
        if self.problem is not None:
            raise self.problem

    async def put(self) -> int:
        """Put a mail in."""
        request = {"to": "anna@example.com", "subject": "s", "text": "t"}
        job = NewJob(self.place.account_id, MAIL_KIND, {}, request, 1)
        return await self.place.database.write(lambda c: jobs.enqueue(c, job, self.place.clock.now()))

    async def go_on(self, number: int) -> Job:
        """Carry a mail on for as long as it is open, each time as soon as it is due."""
        while (job := await self.find(number)).state in {State.WAITING, State.RUNNING}:
            self.waits += [(job.due_at - self.tried[-1]).total_seconds()] if self.tried else []
            self.place.clock.advance(max(0.0, (job.due_at - self.place.clock.now()).total_seconds()))
            claimed = await self.runner.claim()
            assert claimed is not None
            await self.runner.carry_out(claimed)
        return job

    async def find(self, number: int) -> Job:
        """Return how a mail stands."""
        found = await self.place.database.read(lambda c: jobs.find(c, self.place.account_id, MAIL_KIND, number))
        assert found is not None
        return found

    async def examined(self, *, has_mail: bool = True) -> Check:
        """Return what the doctor says."""
        return await checks.alert_mails(self.place.database, has_mail=has_mail)


@pytest.fixture
def post(workplace: Workplace) -> Post:
    return Post(workplace)


async def test_a_server_that_is_away_is_asked_ever_later_and_given_up_after_about_a_day(post: Post) -> None:
    post.problem = AWAY

    ended = await post.go_on(await post.put())

    assert post.waits == list(DELAYS_S)
    assert (ended.state, ended.message) == (State.FAILED, f"given up after 12 attempts: {AWAY.message}")


async def test_the_doctor_tells_of_mails_that_wait_of_one_that_was_given_up_and_no_more_once_one_was_taken(
    post: Post,
) -> None:
    quiet = await post.examined()
    post.problem = AWAY
    number = await post.put()
    claimed = await post.runner.claim()
    assert claimed is not None
    await post.runner.carry_out(claimed)
    waiting = await post.examined()
    await post.go_on(number)
    given_up = await post.examined()
    post.problem = None
    await post.go_on(await post.put())
    cured = await post.examined()

    assert [one.status for one in (quiet, waiting, given_up, cured)] == [
        Status.OK,
        Status.WARN,
        Status.WARN,
        Status.OK,
    ]
    assert waiting.message.startswith("1 wait since ")
    assert AWAY.message in waiting.message
    assert "given up after 12 attempts" in given_up.message
    assert "KEYSTEAD_SMTP_URL" in (given_up.next or "")
    assert (await post.examined(has_mail=False)).message == "none are sent: no mail server is set"


async def test_what_a_server_refuses_is_not_sent_again(post: Post) -> None:
    post.problem = Rejected("the mail server refused the recipient")

    ended = await post.go_on(await post.put())

    assert (ended.state, len(post.tried)) == (State.FAILED, 1)
    assert "the mail server refused the recipient" in (await post.examined()).message
