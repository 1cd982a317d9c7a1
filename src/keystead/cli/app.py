"""The ``keystead`` command: every subcommand hangs here; an error is one clear line, what to do next, and an exit code.

Whatever is heavy to import is imported by the command that needs it: help and completion answer at once.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage (Typer's own), 3 misconfigured, 4 not reachable, 5 not found.
"""

import os
import sys
from typing import Annotated

import typer

from keystead.cli import access, backups, doctor, engines, imports, serving, vpn, webhooks
from keystead.cli.answers import Answered
from keystead.cli.output import shown_error
from keystead.cli.where import DataDir, Where
from keystead.kit.errors import KeysteadError, Misconfigured, NotFound, Unavailable

EXIT_CODES = (
    "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 misconfigured, 4 not reachable, 5 not found. "
    "Commands speak to the running service through its local socket, which its owner and root may open."
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=EXIT_CODES,
    help="Keystead: the keys you hand out and the keys you hold, in one place.",
)
app.command("serve")(serving.serve)
app.command("migrate")(serving.migrate)
app.command("doctor")(doctor.doctor)
app.command("plan")(engines.plan)
app.command("backup")(backups.backup)
app.command("restore")(backups.restore)
app.command("import")(imports.import_)
app.add_typer(vpn.app, name="vpn")
app.add_typer(access.tokens, name="token")
app.add_typer(access.users, name="user")
app.add_typer(access.audit, name="audit")
app.add_typer(access.secrets, name="secrets")
app.add_typer(engines.app, name="engine")
app.add_typer(webhooks.app, name="webhook")


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from keystead import __version__

        sys.stdout.write(f"keystead {__version__}\n")
        raise typer.Exit


@app.callback()
def keystead(
    context: typer.Context,
    data_dir: DataDir = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keystead: the keys you hand out and the keys you hold, in one place."""
    context.obj = Where(data_dir)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; whatever it writes is its owner's alone."""
    os.umask(0o077)
    try:
        app(arguments)
    except (KeysteadError, Answered) as error:
        shown_error(error.message)
        sys.exit(exit_code(error))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def exit_code(error: KeysteadError | Answered) -> int:
    """Return the exit code of an error, our own or one that the service answered."""
    match error:
        case Answered(status=404):
            return 5
        case Answered(status=status) if status in (502, 503, 504):
            return 4
        case Misconfigured():
            return 3
        case Unavailable():
            return 4
        case NotFound():
            return 5
        case _:
            return 1
