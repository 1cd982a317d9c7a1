"""``keystead domain …``: domains of the account, and what is done to many of them at once."""

import typer

from keystead.cli import moves

app = typer.Typer(no_args_is_help=True, help="Domains: moved to zones, many at once.")
app.add_typer(moves.app, name="move")
