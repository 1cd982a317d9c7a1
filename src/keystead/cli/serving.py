"""``keystead serve`` and ``keystead migrate``: the commands that work in this process.

A plain ``serve`` does without this (``app.py``).
"""

from typing import Annotated

import typer

from keystead.cli.output import say, say_json
from keystead.cli.where import AsJson, DataDir, where


def serve(
    context: typer.Context,
    data_dir: DataDir = None,
    host: Annotated[str | None, typer.Option(help="Address the API listens on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port the API listens on.")] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="End the VPN engine with this command.")] = False,
) -> None:
    """Serve the API until interrupted; the VPN engine goes on without it, unless run with --foreground."""
    from keystead.cli import running

    given = {"data_dir": data_dir or where(context).data_dir, "host": host, "port": port}
    running.run({name: value for name, value in given.items() if value is not None}, is_foreground=foreground)


def migrate(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the database's schema up to date and exit; serve does so by itself."""
    from keystead.db import migrate as migration
    from keystead.kit.files import exclusive_lock, private_directory

    settings = where(context).settings()
    lock = private_directory(settings.data_dir) / "keystead.lock"
    with exclusive_lock(lock, held_by="Keystead"):
        applied = migration.upgrade(settings.sqlalchemy_url)
    if as_json:
        say_json({"applied": applied})
    else:
        say(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")
