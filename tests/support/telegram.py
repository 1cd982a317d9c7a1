"""A stand-in for Telegram's Bot API: hands queued messages to a polling bot and keeps what it replies.

It knows the four methods a polling bot of python-telegram-bot 22 calls (core.telegram.org/bots/api); every other one is
answered with ``true``. ``REDIRECT`` points such a bot here without a change in its program.
"""

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

TOKEN = "1234567:stand-in"
_BOT = {"id": 1234567, "is_bot": True, "first_name": "Bot", "username": "stand_in_bot"}
_USER = {"id": 42, "is_bot": False, "first_name": "Anna", "username": "anna"}
_CHAT = {"id": 42, "type": "private", "first_name": "Anna"}
_POLL_S = 0.5

# Run before a bot's program: every application it builds then speaks to {url}.
REDIRECT = """
from telegram.ext import ApplicationBuilder
def _redirected(builder, _make=ApplicationBuilder.__init__):
    _make(builder)
    builder.base_url({url!r})
ApplicationBuilder.__init__ = _redirected
"""


class Telegram:
    """What goes between the people and the bot."""

    def __init__(self) -> None:
        self.url = ""
        self._to_bot: queue.Queue[dict[str, Any]] = queue.Queue()
        self._from_bot: queue.Queue[dict[str, str]] = queue.Queue()
        self._count = 0

    def say(self, text: str) -> None:
        """Send a message to the bot."""
        self._count += 1
        command = text.split()[0]
        self._to_bot.put({"update_id": self._count, "message": self._message(text, _USER, len(command))})

    def reply(self, within_s: float = 30.0) -> dict[str, str]:
        """Wait for the parameters of the bot's next ``sendMessage``."""
        return self._from_bot.get(timeout=within_s)

    def answer(self, method: str, parameters: dict[str, str]) -> Any:
        """Return the result of a method of the Bot API."""
        if method == "getMe":
            return _BOT
        if method == "getUpdates":
            return self._updates()
        if method == "sendMessage":
            self._from_bot.put(parameters)
            return self._message(parameters["text"], _BOT, 0)
        return True

    def _updates(self) -> list[dict[str, Any]]:
        try:
            return [self._to_bot.get(timeout=_POLL_S)]
        except queue.Empty:
            return []

    def _message(self, text: str, sender: dict[str, Any], command_length: int) -> dict[str, Any]:
        entities = [{"type": "bot_command", "offset": 0, "length": command_length}] if command_length else []
        return {
            "message_id": self._count,
            "date": int(time.time()),
            "chat": _CHAT,
            "from": sender,
            "text": text,
            "entities": entities,
        }


@contextmanager
def telegram() -> Iterator[Telegram]:
    """Run the stand-in on a loopback port."""
    made = Telegram()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            parameters = {name: values[0] for name, values in parse_qs(content).items()}
            result = made.answer(self.path.rpartition("/")[2], parameters)
            body = json.dumps({"ok": True, "result": result}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made.url = f"http://127.0.0.1:{server.server_port}/bot"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
