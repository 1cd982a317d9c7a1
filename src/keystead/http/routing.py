"""Routes that are documented by FastAPI and called without it.

A handler of ours takes the request and the parameters of its path and returns a Response; what FastAPI would do in
between (solving dependencies, validating, exit stacks) has nothing to do, and costs as much as a read by key. Used by
dialects as the ``route_class`` of their router.
"""

import inspect
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import Receive, Scope, Send


class DirectRoute(APIRoute):
    """Call the handler at once, unless it wants more than the request and the parameters of the path."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        wanted = set(inspect.signature(self.endpoint).parameters)
        self._is_direct = inspect.iscoroutinefunction(self.endpoint) and wanted == {"request", *self.param_convertors}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that matched."""
        if not self._is_direct or scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        response = await self.endpoint(Request(scope, receive, send), **scope["path_params"])
        await response(scope, receive, send)
