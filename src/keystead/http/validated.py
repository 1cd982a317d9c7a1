"""A dialect whose parameters and bodies FastAPI reads and checks, as an application.

Made by dialects, which bring endpoints and exception handlers; ``lenient`` is for wires that read bodies themselves.
"""

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import FastAPI

from keystead.http import pages, routing
from keystead.http.pages import Specification
from keystead.http.routing import ValidatedEndpoints
from keystead.http.specified import Specified


class ValidatedApp(FastAPI):
    """The application of these endpoints. Its document and its pages are below ``prefix``, behind ``base``."""

    def __init__(
        self,
        endpoints: Iterable[ValidatedEndpoints],
        *,
        title: str,
        version: str,
        description: str,
        prefix: str,
        base: str = "",
        specifications: Iterable[Specification] = (),
        complete: Callable[[dict[str, Any]], dict[str, Any]] = lambda document: document,
    ) -> None:
        openapi_url = f"{prefix}/openapi.json"
        super().__init__(
            title=title,
            version=version,
            description=description,
            openapi_url=None,  # it would make the document on the loop
            servers=pages.servers(base),
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            strict_content_type=False,
            telemetry={"tracing": False, "metrics": False, "logs": False},
        )
        self._complete = complete
        # Not include_router: it makes each route a second time.
        self.router.routes.append(Specified(self.openapi).route(openapi_url))
        self.router.routes += [route for table in endpoints for route in table.routes]
        self.router.routes += pages.routes(
            self.title, prefix=prefix, openapi_url=base + openapi_url, specifications=tuple(specifications)
        )

    def openapi(self) -> dict[str, Any]:
        """Make the OpenAPI document."""
        about = {"title": self.title, "version": self.version, "description": self.description}
        return self._complete(routing.document(self.routes, **about, servers=self.servers))
