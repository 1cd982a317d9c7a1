"""A dialect that is made when its first request comes: what nobody uses takes no memory and no time of a start."""

import asyncio
from collections.abc import Callable

from keystead.http.doors import App, Receive, Scope, Send


class Deferred:
    """An ASGI application in place of the one that ``make`` returns, which is called once, in a thread."""

    def __init__(self, make: Callable[[], App]) -> None:
        self._make = make
        self._made: App | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the first ones wait until the application is there."""
        if self._made is None:
            async with self._making:
                if self._made is None:
                    self._made = await asyncio.to_thread(self._make)
        await self._made(scope, receive, send)
