"""Files that documentation pages need, served by us so that a page loads nothing from outside."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

PREFIX = "/docs/assets"
_DIRECTORY = Path(__file__).parent / "assets"


def assets_app() -> Starlette:
    """Return the application that serves them below ``PREFIX``."""
    return Starlette(routes=[Mount(PREFIX, StaticFiles(directory=_DIRECTORY))])
