"""The ``keystead`` command: every subcommand hangs here; an error is one clear line and an exit code.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage (Typer's own), 3 misconfigured, 4 not reachable, 5 not found.
"""

import sys

import typer
from rich.console import Console

from keystead.cli import serving
from keystead.kit.errors import KeysteadError, Misconfigured, NotFound, Unavailable

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode=None)
app.command("serve")(serving.serve)
app.command("migrate")(serving.migrate)


@app.callback()
def keystead() -> None:
    """Keystead: the keys you hand out and the keys you hold, in one place."""


def main() -> None:
    """Run the command line."""
    try:
        app()
    except KeysteadError as error:
        Console(stderr=True, soft_wrap=True).print(
            f"keystead: {error.message}", style="red", markup=False, highlight=False
        )
        sys.exit(_exit_code(error))


def _exit_code(error: KeysteadError) -> int:
    match error:
        case Misconfigured():
            return 3
        case Unavailable():
            return 4
        case NotFound():
            return 5
        case _:
            return 1
