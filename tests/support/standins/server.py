"""What stand-ins share: a server on loopback in threads, and what can go wrong on the way to it and back."""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


class Fate(Enum):
    """What becomes of a request."""

    # It is carried out, and its answer never arrives.
    LOSE_ANSWER = "lose answer"
    # It never arrives.
    LOSE_REQUEST = "lose request"
    # It is answered with a status instead of being carried out.
    REFUSE = "refuse"
    # It is carried out, and answered with a status that does not say so.
    ACT_AND_FAIL = "act and fail"
    # It waits until the test lets it go on.
    HOLD = "hold"


@dataclass
class Fault:
    """A fate for the next requests of a method whose path ends with a text."""

    method: str
    ending: str
    fate: Fate
    times: int = 1
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"<html>upstream</html>"
    go_on: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Came:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Told:
    """An answer."""

    status: int
    body: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class StandIn:
    """Answers requests one at a time, and remembers them and every exception of its own."""

    def __init__(self) -> None:
        self.port = 0
        self.came: list[Came] = []
        self.faults: list[Fault] = []
        self.broken: list[BaseException] = []
        self._lock = threading.RLock()

    def answer(self, came: Came) -> Told:
        raise NotImplementedError

    def check(self, came: Came) -> None:
        """Raise where a request is none that the API's documents have, whatever becomes of it."""

    def check_refusal(self, came: Came, told: Told) -> None:
        """Raise where an answer that a test has written is none that the API's documents have."""

    def fault(self, method: str, ending: str, fate: Fate, **more: Any) -> Fault:
        """Give the next requests a fate."""
        made = Fault(method, ending, fate, **more)
        with self._lock:
            self.faults.append(made)
        return made

    def asked(self, method: str, ending: str) -> list[Came]:
        """Return the requests of a method whose path ends with a text."""
        with self._lock:
            return [came for came in self.came if came.method == method and came.path.endswith(ending)]

    def handle(self, came: Came) -> Told | None:
        """Return the answer to a request, or None when it gets none."""
        self.check(came)
        with self._lock:
            self.came.append(came)
            fault = self._fault_for(came)
        if fault is not None and fault.fate is Fate.HOLD:
            fault.go_on.wait(30)
            fault = None
        with self._lock:
            return self._fated(came, fault)

    def _fated(self, came: Came, fault: Fault | None) -> Told | None:
        if fault is not None and fault.fate is Fate.LOSE_REQUEST:
            return None
        failed = None if fault is None else Told(fault.status, fault.body, "text/html", fault.headers)
        if failed is not None and fault is not None and fault.fate in {Fate.REFUSE, Fate.ACT_AND_FAIL}:
            self.check_refusal(came, failed)
        if fault is not None and fault.fate is Fate.REFUSE:
            return failed
        told = self.answer(came)
        if fault is None:
            return told
        return failed if fault.fate is Fate.ACT_AND_FAIL else None

    def _fault_for(self, came: Came) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.method == came.method and came.path.endswith(fault.ending):
                fault.times -= 1
                return fault
        return None


@contextmanager
def serving(standin: StandIn, tls: ssl.SSLContext | None = None) -> Iterator[None]:
    """Serve a stand-in for the duration, over TLS with a context; what broke in it fails the test."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.RequestHandlerClass = _handler(standin)
    server.daemon_threads = True
    standin.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        for fault in standin.faults:
            fault.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()
    if standin.broken:
        raise standin.broken[0]


def _handler(standin: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            came = Came(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
            try:
                told = standin.handle(came)
            except BaseException as error:
                standin.broken.append(error)
                told = None
            self.close_connection = True
            if told is None:
                return
            with suppress(OSError):  # whoever asked is gone: killed, or out of patience
                self._tell(told)

        def _tell(self, told: Told) -> None:
            self.send_response(told.status)
            for name, value in {**told.headers, "content-type": told.media_type, "connection": "close"}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler._serve)
    return Handler
