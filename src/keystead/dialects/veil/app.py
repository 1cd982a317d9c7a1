"""The veil dialect as an ASGI application: its endpoints, its error bodies, its documentation pages."""

import orjson
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.exceptions import HTTPException
from starlette.responses import Response

from keystead.dialects.veil import errors, present
from keystead.dialects.veil.routes import Services, router
from keystead.http.calls import facts_of
from keystead.kit.errors import KeysteadError

ASSETS = "/docs/assets"


def create_app(services: Services) -> FastAPI:
    """Return the dialect's application."""
    app = FastAPI(
        title="Veil Xray API",
        version=present.API_VERSION,
        description="VPN keys on a shared port. Every 200 is usable now.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.include_router(router(services), tags=["Keys"])
    app.add_exception_handler(KeysteadError, _on_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    _add_pages(app)
    _declare_credentials(app)
    return app


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KeysteadError)  # noqa: S101 - registered for this class only
    endpoint = request.scope.get("endpoint")
    return errors.response_of(error, getattr(endpoint, "__name__", ""), facts_of(request.scope).request_id)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    body = orjson.dumps({"detail": error.detail})
    return Response(body, error.status_code, dict(error.headers or {}), errors.JSON)


def _add_pages(app: FastAPI) -> None:
    @app.get("/docs", include_in_schema=False)
    async def swagger() -> Response:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{ASSETS}/favicon-32x32.png",
        )

    @app.get("/redoc", include_in_schema=False)
    async def redoc() -> Response:
        return get_redoc_html(
            openapi_url="/openapi.json",
            title=app.title,
            redoc_js_url=f"{ASSETS}/redoc.standalone.js",
            redoc_favicon_url=f"{ASSETS}/favicon-32x32.png",
            with_google_fonts=False,
        )


def _declare_credentials(app: FastAPI) -> None:
    """Add the two ways to authenticate to the specification, so that its page offers a login."""
    schema = app.openapi()
    schema.setdefault("components", {})["securitySchemes"] = {
        "Bearer": {"type": "http", "scheme": "bearer"},
        "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
