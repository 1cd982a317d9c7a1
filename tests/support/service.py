"""A stand-in for the running service: canned answers on a Unix socket, and a record of what was asked."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any


@dataclass
class Service:
    """What the service answers, by method and path with its query, and what it was asked."""

    answers: dict[str, tuple[int, object]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def will(self, request: str, body: object, status: int = 200) -> None:
        """Answer ``GET /path?query`` with a status and a JSON body, or with bytes."""
        self.answers[request] = (status, body)

    def refuse(self, request: str, status: int, code: str, detail: str, *errors: dict[str, str]) -> None:
        """Answer a request with a problem document."""
        self.will(request, {"status": status, "code": code, "detail": detail, "errors": list(errors)}, status)


@contextmanager
def serving(socket: Path) -> Iterator[Service]:
    """Serve on a Unix socket for the duration."""
    service = Service()
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _Server(str(socket), _handler(service)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
            socket.unlink()


class _Server(socketserver.UnixStreamServer):
    request_queue_size = 16

    def get_request(self) -> tuple[Any, Any]:
        request, _ = super().get_request()
        return request, ("local", 0)


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            request = f"{self.command} {self.path}"
            service.asked.append((request, body))
            status, answer = service.answers.get(request, (404, {"code": "not_found", "detail": f"no {request}"}))
            content = b"" if answer is None else answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the names http.server looks for

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
