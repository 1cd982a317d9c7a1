"""The OpenAPI document of a dialect as it is sent: made in a thread when somebody first asks, and kept as bytes.

Making one takes seconds where there are many endpoints, everybody may ask, and the loop serves others meanwhile. Used
by the applications of ``lenient`` and ``validated``.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Specified:
    """What is sent of the document that ``make`` returns, which is called once."""

    def __init__(self, make: Callable[[], dict[str, Any]]) -> None:
        self._make = make
        self._made: bytes | None = None
        self._making = asyncio.Lock()

    def route(self, path: str) -> Route:
        """Return the route at which it is read."""
        return Route(path, self._show, include_in_schema=False)

    async def _show(self, request: Request) -> Response:
        if self._made is None:
            async with self._making:
                if self._made is None:
                    self._made = await asyncio.to_thread(self._dumped)
        return Response(self._made, media_type="application/json")

    def _dumped(self) -> bytes:
        return orjson.dumps(self._make())
