"""The tree of commands: every subcommand of ``keystead`` hangs here. Run by ``app.py``.

Whatever is heavy to import is imported by the command that needs it: help and completion answer at once.

What cannot be taken back and every plan is asked about first. Where standard input is no terminal there is nobody to
ask: such a command does nothing then and ends with 1, unless it has --yes or, for a plan that was read, --approve and
the digest of it.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage (Typer's own), 3 misconfigured, 4 not reachable, 5 not found.
"""

import sys
from typing import Annotated

import typer

from keystead.cli import (
    access,
    backups,
    credentials,
    doctor,
    domains,
    engines,
    exports,
    imports,
    people,
    providers,
    records,
    redirects,
    serving,
    templates,
    vpn,
    webhooks,
    zones,
)
from keystead.cli.approving import FORMER_WORDS
from keystead.cli.where import Account, DataDir, Where

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
app.command("plan", context_settings=FORMER_WORDS)(engines.plan)
app.command("backup")(backups.backup)
app.command("restore")(backups.restore)
app.command("export")(exports.export)
app.command("import", context_settings=FORMER_WORDS)(imports.import_)
app.add_typer(vpn.app, name="vpn")
app.add_typer(access.tokens, name="token")
app.add_typer(access.users, name="user")
for _name, _command in people.USER_COMMANDS.items():
    access.users.command(_name)(_command)
access.secrets.command("rotate-signing-key")(people.rotate_signing_key)
app.add_typer(people.accounts, name="account")
app.add_typer(access.audit, name="audit")
app.add_typer(access.secrets, name="secrets")
app.add_typer(engines.app, name="engine")
app.add_typer(webhooks.app, name="webhook")
app.add_typer(providers.app, name="provider")
app.add_typer(credentials.app, name="credential")
app.add_typer(domains.app, name="domain")
app.add_typer(zones.app, name="zone")
app.add_typer(redirects.app, name="redirect")
app.add_typer(templates.app, name="template")
app.add_typer(templates.rollouts, name="rollout")
app.add_typer(records.app, name="record")


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from keystead import __version__

        sys.stdout.write(f"keystead {__version__}\n")
        raise typer.Exit


@app.callback()
def keystead(
    context: typer.Context,
    data_dir: DataDir = None,
    account: Account = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keystead: the keys you hand out and the keys you hold, in one place."""
    context.obj = Where(data_dir, account)
