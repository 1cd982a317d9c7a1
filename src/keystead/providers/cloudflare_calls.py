"""How Cloudflare is asked with one token: reads may be repeated, and what changes something is sent once.

``cloudflare_tokens``, ``cloudflare_zones`` and ``cloudflare_records`` say what to ask; ``cloudflare`` is all of them.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import orjson

from keystead.kit.secret import Secret
from keystead.providers import cloudflare_answers as answers
from keystead.providers.cloudflare_answers import Json
from keystead.providers.errors import NotThere, ProviderRejected, ProviderUnavailable
from keystead.providers.transport import Answer, Ask, Repeat, Transport

T = TypeVar("T")

# What the OpenAPI document allows at most.
PAGE_SIZE = 50
_PAGES_MAX = 10_000
_JSON = "application/json"


class Calls:
    """Ask with one token."""

    def __init__(self, transport: Transport, token: Secret[str]) -> None:
        self._transport = transport
        self._token = token
        self._key = hashlib.sha256(token.reveal().encode()).hexdigest()[:16]

    async def _get(self, path: str) -> Any:
        return answers.result(await self._send(self._ask("GET", path, Repeat.HARMLESS)), has_effect=False)

    async def _get_text(self, path: str) -> str:
        """Return an answer that is no envelope; a refusal of it is one all the same."""
        return answers.text(await self._send(self._ask("GET", path, Repeat.HARMLESS)))

    async def _change(self, method: str, path: str, body: Json | None) -> Any:
        answer = await self._send(self._ask(method, path, Repeat.NEVER, body=body))
        return answers.result(answer, has_effect=True)

    async def _made(self, make: Awaitable[T], find: Callable[[], Awaitable[T | None]]) -> T:
        """Return what was made; without an answer, what is found in its place, and else raise why there was none."""
        try:
            return await make
        except ProviderUnavailable as failure:
            if not failure.may_have_landed:
                raise
            try:
                found = await find()
            except (ProviderUnavailable, ProviderRejected):
                raise failure from None
            if found is None:
                raise
            return found

    async def _set(self, method: str, path: str, body: Json) -> Any:
        """Make something be as it is told, which it may be told twice."""
        answer = await self._send(self._ask(method, path, Repeat.HARMLESS, body=body))
        return answers.result(answer, has_effect=True)

    async def _delete(self, path: str) -> bool:
        answer = await self._send(self._ask("DELETE", path, Repeat.HARMLESS))
        try:
            answers.result(answer, has_effect=True)
        except NotThere:
            return False
        return True

    async def _page(self, path: str, query: Mapping[str, str]) -> answers.Page:
        return answers.page(await self._send(self._ask("GET", path, Repeat.HARMLESS, query=query)))

    async def _all(
        self, path: str, query: Mapping[str, str], read: Callable[[Any], T], *, size: int = PAGE_SIZE
    ) -> list[T]:
        """Return everything of a list; its last page is the one the answer names, else the first that is not full."""
        found: list[T] = []
        for number in range(1, _PAGES_MAX):
            page = await self._page(path, {**query, "page": str(number), "per_page": str(size)})
            found += [read(item) for item in page.items]
            is_last = page.size < size if page.pages is None else number >= page.pages
            if is_last or not page.items:
                break
        return found

    async def _send(self, ask: Ask) -> Answer:
        return await self._transport.send(ask)

    def _ask(
        self,
        method: str,
        path: str,
        repeat: Repeat,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
    ) -> Ask:
        raw = b"" if body is None else orjson.dumps(body)
        return self._ask_raw(method, path, repeat, query=query, raw=raw, media_type=None if body is None else _JSON)

    def _ask_raw(
        self,
        method: str,
        path: str,
        repeat: Repeat,
        *,
        query: Mapping[str, str] | None = None,
        raw: bytes = b"",
        media_type: str | None,
    ) -> Ask:
        headers = {"authorization": f"Bearer {self._token.reveal()}", "accept": _JSON}
        if media_type is not None:
            headers["content-type"] = media_type
        return Ask(method, path, key=self._key, repeat=repeat, query=query or {}, headers=headers, body=raw)
