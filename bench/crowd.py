"""A crowd of VPN connections without the cost of ten thousand tunnels: real sockets, and the lines a core writes.

Run by Keystead in place of its core (``python -m bench.crowd core …``): the real core runs as a child and does all a
core does, and beside it this process listens at the same port of another loopback address, takes whoever comes, writes
the access line the core would write, and sends to a fifth of them every second. The keeper sees one core with many
connections. ``python -m bench.crowd visitors`` is the other end.

What is left out: what the core itself does for a connection, which is the same with or without Keystead.
"""

import itertools
import json
import os
import random
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

HOST = "127.0.0.2"
_PAYLOAD = bytes(1000)
_TICK_S = 0.05
_MOVING_PER_S = 0.2


def core(xray: str, arguments: list[str]) -> None:
    """Be the core: the real one, with a crowd beside it."""
    if arguments[:1] != ["run"]:
        os.execv(xray, [xray, *arguments])
    config = sys.stdin.buffer.read()
    with os.fdopen(os.memfd_create("configuration"), "w+b") as file:
        file.write(config)
        file.seek(0)
        child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", xray, *arguments], stdin=file)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(child.terminate()))
    inbound = next(one for one in json.loads(config)["inbounds"] if one["tag"] == "shared")
    labels = [client["email"] for client in inbound["settings"]["clients"]]
    _receive(int(inbound["port"]), [label for label in labels if not label.startswith("keystead-")])
    child.wait()


def _receive(port: int, labels: list[str]) -> None:
    """Take everybody who comes, say so, and send a little to some of them at every tick."""
    listener = socket.create_server((HOST, port), backlog=4096)
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    guests: dict[int, socket.socket] = {}
    next_s = time.monotonic()
    while True:
        for descriptor, _ in poll.poll(max(next_s - time.monotonic(), 0)):
            if descriptor != listener.fileno():
                poll.unregister(descriptor)
                guests.pop(descriptor).close()
                continue
            with suppress(BlockingIOError):
                while True:
                    guest, (host, peer) = listener.accept()
                    guest.setblocking(False)
                    guests[guest.fileno()] = guest
                    poll.register(guest, select.EPOLLIN | select.EPOLLRDHUP)
                    _say(host, peer, random.choice(labels))
        if time.monotonic() >= next_s:
            next_s += _TICK_S
            for descriptor in random.sample(list(guests), int(len(guests) * _MOVING_PER_S * _TICK_S)):
                with suppress(OSError):
                    guests[descriptor].send(_PAYLOAD)


def _say(host: str, peer: int, label: str) -> None:
    # The form of Xray-core v26.7.28, common/log/access.go.
    where = f"from {host}:{peer} accepted tcp:example.org:443 [shared -> direct]"
    os.write(1, f"2026/03/01 12:00:00.000000 {where} email: {label}\n".encode())


def visitors(port: int, count: int, per_s: int) -> None:
    """Hold so many connections, and replace the oldest ones at this rate; say so once all are there."""
    sources = itertools.cycle(f"127.3.{number // 200}.{number % 200 + 1}" for number in range(1000))
    poll = select.epoll()
    held: dict[int, socket.socket] = {}
    ages: deque[int] = deque()

    def come() -> None:
        guest = socket.create_connection((HOST, port), source_address=(next(sources), 0), timeout=10)
        # Gone without a trace, or twenty thousand closed ones would use up the ports of one source.
        guest.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        guest.setblocking(False)
        held[guest.fileno()] = guest
        ages.append(guest.fileno())
        poll.register(guest, select.EPOLLIN)

    def read() -> None:
        for descriptor, _ in poll.poll(0):
            with suppress(OSError):
                held[descriptor].recv(65_536)

    while len(held) < count:
        come()
        if len(held) % 100 == 0:
            read()
    print("there", flush=True)
    begun_s, came = time.monotonic(), 0
    while True:
        while came < (time.monotonic() - begun_s) * per_s:
            oldest = ages.popleft()
            poll.unregister(oldest)
            held.pop(oldest).close()
            come()
            came += 1
        read()
        time.sleep(0.02)


def script(path: Path, xray: Path) -> Path:
    """Write the program that Keystead is told is its core."""
    root = Path(__file__).parents[1]
    path.write_text(f"#!/bin/sh\nPYTHONPATH='{root}' exec '{sys.executable}' -m bench.crowd core '{xray}' \"$@\"\n")
    path.chmod(0o755)
    return path


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if sys.argv[1] == "core":
        core(sys.argv[2], sys.argv[3:])
    else:
        visitors(*map(int, sys.argv[2:]))
