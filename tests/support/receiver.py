"""A real HTTP server that receives webhooks on loopback: it keeps what came, and answers as a test tells it."""

import re
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"


@dataclass(frozen=True)
class Received:
    """One request as it came, and the server name of its TLS handshake."""

    path: str
    headers: dict[str, str]
    body: bytes
    sni: str | None

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Receiver:
    """What came, and the statuses to answer with: one after the other, then 204."""

    port: int
    received: list[Received] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    sni: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def until(self, count: int, *, within_s: float = 15.0) -> list[Received]:
        """Wait until so many requests came and return them."""
        ends = time.monotonic() + within_s
        while len(self.received) < count:
            assert time.monotonic() < ends, [request.json for request in self.received]
            time.sleep(0.02)
        return list(self.received)


@contextmanager
def receiving(*, certificate: tuple[Path, Path] | None = None) -> Iterator[Receiver]:
    """Receive for the duration, over TLS with a certificate and its key."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.daemon_threads = True
    receiver = Receiver(server.server_address[1])
    server.RequestHandlerClass = _handler(receiver)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        context.sni_callback = lambda _socket, name, _context: setattr(receiver, "sni", name)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def is_genuine(secret: str, request: Received, *, now: float | None = None) -> bool:
    """Check a signature with the very example that our page gives to receivers."""
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    space: dict[str, Any] = {}
    exec(code[1], space)
    if now is not None:
        space["time"] = type("Stopped", (), {"time": staticmethod(lambda: now)})
    return bool(space["is_genuine"](secret, request.headers, request.body))


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, body, receiver.sni))
            time.sleep(receiver.delay_s)
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
