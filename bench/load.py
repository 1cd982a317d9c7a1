"""The load generator: a process of its own that keeps connections busy and counts what comes back.

Run as ``python -m bench.load``; reads one job a line from standard input, answers one result a line. It answers a
response with the next request at once and parses only what it must, about ten times as fast as the servers it loads.
"""

import asyncio
import base64
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench.figures import p99
from bench.wire import content_length

PROJECT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Result:
    """How much was answered, and how fast."""

    per_second: float
    median_s: float
    p99_s: float
    refused: int


class _Connection(asyncio.Protocol):
    """One connection that is always waiting for an answer."""

    def __init__(self, request: bytes, took_s: list[float]) -> None:
        self._request = request
        self._took_s = took_s
        self._received = b""
        self._wanted = 0
        self._sent_at = 0.0
        self.is_running = True
        self.refused = 0
        self.transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._send()

    def _send(self) -> None:
        self._received, self._wanted = b"", 0
        self._sent_at = time.perf_counter()
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._wanted:
            head, ends, _ = self._received.partition(b"\r\n\r\n")
            if not ends:
                return
            self._wanted = len(head) + 4 + content_length(head)
        if len(self._received) < self._wanted:
            return
        if not self.is_running:
            return
        self._took_s.append(time.perf_counter() - self._sent_at)
        self.refused += not self._received.startswith(b"HTTP/1.1 2")
        self._send()


async def generate(port: int, connections: int, seconds: float, request: bytes) -> Result:
    """Load a port for a while."""
    took_s: list[float] = []
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    pairs = [
        await loop.create_connection(lambda: _Connection(request, took_s), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    for _, connection in pairs:
        connection.is_running = False
    elapsed = time.perf_counter() - begun
    for transport, _ in pairs:
        transport.abort()
    ordered = sorted(took_s) or [elapsed]
    refused = sum(connection.refused for _, connection in pairs)
    return Result(len(took_s) / elapsed, ordered[len(ordered) // 2], p99(ordered), refused)


class LoadGenerator:
    """The process, from the outside."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> "LoadGenerator":
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.load"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=PROJECT,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()
        await self._process.wait()

    async def load(self, port: int, connections: int, seconds: float, request: bytes) -> Result:
        """Load a port for a while; raise RuntimeError when anything but 2xx came back."""
        assert self._process.stdin
        assert self._process.stdout
        encoded = base64.b64encode(request).decode()
        job = {"port": port, "connections": connections, "seconds": seconds, "request": encoded}
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        result = Result(**json.loads(await self._process.stdout.readline()))
        if result.refused:
            raise RuntimeError(f"{request.splitlines()[0].decode()}: {result}")
        return result


def main() -> None:
    """Serve jobs until standard input ends."""
    for line in sys.stdin:
        job = json.loads(line)
        job["request"] = base64.b64decode(job["request"])
        print(json.dumps(vars(uvloop.run(generate(**job)))), flush=True)


if __name__ == "__main__":
    main()
