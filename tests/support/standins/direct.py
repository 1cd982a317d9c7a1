"""A sender that hands requests to stand-ins without a network: for tests of what happens between many requests."""

from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

from keystead.outgoing.client import Problem, Reply, Request
from tests.support.standins.server import Came, StandIn


class DirectSender:
    """Send to the stand-in that has the host of a URL; ``before`` and ``after`` are called around each request."""

    def __init__(self, standins: dict[str, StandIn]) -> None:
        self._standins = standins
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    async def send(self, request: Request) -> Reply:
        self.before()
        parts = urlsplit(request.url)
        headers = {name.lower(): value for name, value in request.headers.items()}
        came = Came(request.method, parts.path, dict(parse_qsl(parts.query)), headers, request.body)
        told = self._standins[parts.hostname or ""].handle(came)
        self.after()
        if told is None:
            return Reply(None, Problem.PROTOCOL)
        answered = {name.lower(): value for name, value in told.headers.items()}
        retry = answered.get("retry-after")
        return Reply(told.status, None, int(retry) if retry else None, 1, answered, told.body)
