"""A blocking HTTP connection that costs next to nothing, so that what is measured is the server."""

import json
import socket
import time
from typing import Any


class Refused(Exception):
    """An answer other than 2xx."""


class Wire:
    """One keep-alive connection to a loopback port."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.token = token

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[float, bytes]:
        """Send a request; return the seconds until its answer was complete, and the body. Raises Refused."""
        request = request_bytes(method, path, body, self.token)
        begun = time.perf_counter()
        self._socket.sendall(request)
        head, answer = self._answer()
        took_s = time.perf_counter() - begun
        if not head.startswith(b"HTTP/1.1 2"):
            raise Refused(f"{method} {path}: {head.splitlines()[0].decode()} {answer[:300].decode()}")
        return took_s, answer

    def ask_json(self, method: str, path: str, body: object = None) -> Any:
        """Send a request and return the JSON of its answer."""
        return json.loads(self.ask(method, path, b"" if body is None else json.dumps(body).encode())[1])

    def _answer(self) -> tuple[bytes, bytes]:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        size = content_length(head)
        parts = [body]
        left = size - len(body)
        while left > 0:
            parts.append(self._more())
            left -= len(parts[-1])
        return head, b"".join(parts)

    def _more(self) -> bytes:
        part = self._socket.recv(1 << 18)
        if not part:
            raise Refused("the server closed the connection")
        return part


def request_bytes(method: str, path: str, body: bytes = b"", token: str | None = None) -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def content_length(head: bytes) -> int:
    """Return the length of the body that a head announces."""
    lower = head.lower()
    at = lower.find(b"content-length:")
    return 0 if at < 0 else int(lower[at + 15 :].split(b"\r", 1)[0])
