"""What an engine writes, made fit to be kept: nobody's address, destination, name or key reaches a file.

Called by the supervisor for every line of its child's output. Destinations and client addresses are nobody's
business, and a program that refuses its configuration may quote a key from it. Rather too much is blacked out than
too little: what has to survive is what went wrong, not to whom.

Forms of lines: Xray-core v26.7.28, common/log/access.go ("from … accepted …") and the errors of Go's net package.
"""

import ipaddress
import re
from collections import deque
from collections.abc import Callable

from keystead.keeper.logfile import LogFile

BLACKED_OUT = "…"
_LINE_MAX = 2000
_LAST_LINES = 20

_ACCESS = re.compile(r"\bfrom \S+ (accepted|rejected)\b")
# Go source positions and Xray's own packages stay readable: they are what a report of a crash consists of.
_KEPT = re.compile(r"github\.com/xtls/|.*\.go(:\d+)?$")
_PLAIN = [
    re.compile(r"\b(?:tcp|udp|unix)6?:(?!\s)\S+", re.IGNORECASE),
    re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE),
    re.compile(r"(?<=email: )\S+"),
    re.compile(r"(?<=lookup )\S+"),
    re.compile(r"[\w.+-]+@[\w.-]+"),
    re.compile(r"\[[0-9a-f:.]*:[0-9a-f:.]*(?:%\w+)?\](?::\d+)?", re.IGNORECASE),
    re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?"),
    re.compile(r"(?<![\w/-])[\w-]{40,}(?![\w/-])"),
]
_BARE_IPV6 = re.compile(r"[0-9a-f]*:[0-9a-f:]*:[0-9a-f:.]*(?:%\w+)?", re.IGNORECASE)
_NAME = re.compile(r"(?:[^\W_][\w-]*\.)+[^\W\d]\w+\.?(?:/\S*|:\d+)?|\b[^\W\d][\w-]*:\d{1,5}\b")


def scrub(line: str) -> str | None:
    """Return the line without addresses, names and keys; None for a line that must not be kept at all."""
    if _ACCESS.search(line):
        return None
    kept = line[:_LINE_MAX]
    for pattern in _PLAIN:
        kept = pattern.sub(BLACKED_OUT, kept)
    kept = _BARE_IPV6.sub(_without_ipv6, kept)
    return _NAME.sub(_without_name, kept)


def _without_ipv6(match: re.Match[str]) -> str:
    text = match.group()
    try:
        ipaddress.IPv6Address(text.rstrip(":."))
    except ValueError:
        return text  # a time of day, for one
    return BLACKED_OUT


def _without_name(match: re.Match[str]) -> str:
    text = match.group()
    return text if _KEPT.match(text) else BLACKED_OUT


class Output:
    """Take raw bytes as they come; keep scrubbed lines in a bounded file and the last few in memory."""

    def __init__(self, file: LogFile, on_line: Callable[[bytes], bool] = lambda _: False) -> None:
        """``on_line`` is offered every line first, and keeps it from being looked at further by saying True."""
        self._file = file
        self._on_line = on_line
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._rest = b""

    @property
    def last_lines(self) -> tuple[str, ...]:
        """Return the last scrubbed lines, oldest first."""
        return tuple(self._last)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; what follows the last line end waits for more, within bounds."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for raw in lines:
            self._keep(raw)
        if len(self._rest) > _LINE_MAX:
            self.finish()

    def finish(self) -> None:
        """Take what is left as a line: the program ended, or its line does not."""
        rest, self._rest = self._rest, b""
        if rest:
            self._keep(rest)

    def _keep(self, raw: bytes) -> None:
        if self._on_line(raw):
            return
        line = scrub(raw.decode(errors="replace").rstrip())
        if line:
            self._last.append(line)
            self._file.append(line)
