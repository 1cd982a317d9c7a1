"""Requests to a provider: paced, with a time-out each, and sent again only where a repeat is harmless.

A provider's module says what to send and reads the answer; this one knows nothing of either. Nothing that was sent is
ever in a message: the URL may hold a key, and the headers do.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol
from urllib.parse import urlencode

from keystead.kit.clock import Clock
from keystead.kit.log import get_logger
from keystead.outgoing.client import Problem, Reply, Request
from keystead.providers.errors import ProviderBusy, ProviderUnavailable
from keystead.providers.pace import TOO_MANY, Pace

log = get_logger()

ANSWER_BYTES_MAX = 16 * 1024 * 1024
# The waits before a harmless request is sent again.
AGAIN_AFTER_S = (0.3, 1.0)
# Who waits for an answer waits this long for the provider's limit too; a longer wait is the caller's to decide about.
PATIENCE_S = 5.0
_TRY_AGAIN_STATUSES = {502, 503, 504}
_TRY_AGAIN_PROBLEMS = {Problem.CONNECT, Problem.PROTOCOL}


class Repeat(Enum):
    """Whether a request may be sent a second time when nobody knows what became of the first."""

    HARMLESS = "harmless"
    NEVER = "never"


class Sender(Protocol):
    """Who sends (``outgoing.client``)."""

    async def send(self, request: Request) -> Reply:
        """Send one request and return how it went."""
        ...


@dataclass(frozen=True)
class Ask:
    """A request below a provider's base URL. ``key`` names the credential for the pace and is no secret."""

    method: str
    path: str
    key: str
    repeat: Repeat
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    base_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Answer:
    """A provider's answer: any status but 429."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Transport:
    """Send requests to one provider."""

    def __init__(
        self,
        sender: Sender,
        clock: Clock,
        *,
        title: str,
        base_url: str,
        pace: Pace,
        timeout_s: float,
    ) -> None:
        self.title = title
        self.pace = pace
        self._sender = sender
        self._clock = clock
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s

    async def send(self, ask: Ask) -> Answer:
        """Send and return the answer.

        Raises ProviderBusy at the provider's limit and ProviderUnavailable without an answer, which says whether the
        provider may have acted.
        """
        reply = await self._send_once(ask)
        for wait_s in AGAIN_AFTER_S if ask.repeat is Repeat.HARMLESS else ():
            if not _is_worth_another(reply):
                break
            await self._clock.sleep(wait_s)
            reply = await self._send_once(ask)
        if reply.status is None:
            raise self._unanswered(reply.problem or Problem.PROTOCOL)
        if reply.status == TOO_MANY:
            raise self._busy(self.pace.wait_s(ask.key), TOO_MANY)
        return Answer(reply.status, reply.headers, reply.body)

    async def _send_once(self, ask: Ask) -> Reply:
        # Who waited asks again: of many that waited together only as many may go as the limit has room for.
        while wait_s := self.pace.wait_s(ask.key):
            if wait_s > PATIENCE_S:
                raise self._busy(wait_s)
            await self._clock.sleep(wait_s)
        self.pace.note_sent(ask.key)
        reply = await self._sender.send(self._request(ask))
        if reply.status is not None:
            self.pace.note_answer(ask.key, reply.status, reply.headers, reply.retry_after_s)
        log.debug(
            "asked a provider",
            provider=self.title,
            method=ask.method,
            status=reply.status,
            problem=reply.problem,
            took_ms=reply.duration_ms,
        )
        return reply

    def _request(self, ask: Ask) -> Request:
        base = self._base_url if ask.base_url is None else ask.base_url.rstrip("/")
        query = f"?{urlencode(ask.query)}" if ask.query else ""
        return Request(
            ask.method,
            f"{base}{ask.path}{query}",
            ask.headers,
            ask.body,
            timeout_s=self._timeout_s,
            wanted_bytes_max=ANSWER_BYTES_MAX,
        )

    def _busy(self, wait_s: float, status: int = 0) -> ProviderBusy:
        return ProviderBusy(
            f"{self.title} takes no more requests with this credential for now",
            retry_after_s=max(1, math.ceil(wait_s)),
            status=status,
        )

    def _unanswered(self, problem: Problem) -> ProviderUnavailable:
        return ProviderUnavailable(
            f"{self.title} did not answer: {problem.value}",
            may_have_landed=problem.may_have_arrived,
            is_time=problem is Problem.TIME,
        )


def _is_worth_another(reply: Reply) -> bool:
    return reply.problem in _TRY_AGAIN_PROBLEMS or reply.status in _TRY_AGAIN_STATUSES
