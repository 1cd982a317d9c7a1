"""``keystead credential …``: secrets for outside providers, as they are kept in the vault."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from keystead.cli import asking, output
from keystead.cli.approving import Yes
from keystead.cli.where import AsJson

app = typer.Typer(no_args_is_help=True, help="Secrets for outside providers, kept in the vault.")

CREDENTIALS = "/v1/credentials"

CredentialId = Annotated[int, typer.Argument(metavar="CREDENTIAL", help="The credential's number.")]


@app.command("list")
def list_(
    context: typer.Context,
    provider: Annotated[str | None, typer.Option(help="Only this provider's.", show_default="all")] = None,
    as_json: AsJson = False,
) -> None:
    """List credentials, newest first, with their ends and what was last found at their providers."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.get(CREDENTIALS, {"provider": provider})["items"], as_json, _say_list)


@app.command("show")
def show(context: typer.Context, credential: CredentialId, as_json: AsJson = False) -> None:
    """Show a credential, without its secret."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.get(f"{CREDENTIALS}/{credential}"), as_json, _say_one)


@app.command("rename")
def rename(
    context: typer.Context,
    credential: CredentialId,
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="What it is called from now on.")],
    as_json: AsJson = False,
) -> None:
    """Give a credential another alias."""
    _change(context, credential, {"alias": alias}, as_json)


@app.command("revoke")
def revoke(context: typer.Context, credential: CredentialId, as_json: AsJson = False) -> None:
    """Stop using a credential; what its provider knows of it stays as it is."""
    _change(context, credential, {"status": "revoked"}, as_json)


@app.command("activate")
def activate(context: typer.Context, credential: CredentialId, as_json: AsJson = False) -> None:
    """Use a revoked credential again."""
    _change(context, credential, {"status": "active"}, as_json)


@app.command("rm")
def remove(context: typer.Context, credential: CredentialId, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a credential with its zones; domains stay, and the provider's own token is not touched."""
    from keystead.cli.client import connect

    asking.confirm(f"Delete credential {credential} and the zones seen with it?", is_given=yes)
    with connect(context) as client:
        client.delete(f"{CREDENTIALS}/{credential}")
    output.answer({"deleted": credential}, as_json, lambda _: output.say(f"credential {credential} is deleted"))


@app.command("reveal")
def reveal(
    context: typer.Context,
    credential: CredentialId,
    reason: Annotated[str | None, typer.Option(help="Why; it goes on record.", show_default="none")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the secret of a credential; that it was printed is on record before it is opened."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.post(f"{CREDENTIALS}/{credential}/reveal", {"reason": reason}), as_json, _say_secret)


@app.command("balance")
def balance(context: typer.Context, credential: CredentialId, as_json: AsJson = False) -> None:
    """Ask a registrar now what the account has to spend."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.post(f"{CREDENTIALS}/{credential}/balance")
    output.answer(found, as_json, lambda told: output.say(told["balance"]))


def _change(context: typer.Context, credential: int, changes: dict[str, str], as_json: bool) -> None:
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.patch(f"{CREDENTIALS}/{credential}", changes), as_json, _say_one)


def _say_list(found: list[dict[str, Any]]) -> None:
    columns = ("credential", "provider", "alias", "account", "status", "ends", "balance", "problem")
    rows = [
        (
            one["id"],
            one["provider"],
            one["alias"],
            one["external_id"],
            one["status"],
            _end(one["expires_at"]),
            (one["look"] or {}).get("balance"),
            _problem(one["look"] or {}),
        )
        for one in found
    ]
    output.say_table(columns, rows, nothing="There are no credentials.")


def _problem(look: dict[str, Any]) -> str | None:
    """Return why a credential cannot be used, or not for everything."""
    lacks = f"lacks {', '.join(look['lacking'])}" if look.get("lacking") else None
    return look.get("problem") or lacks


def _say_one(one: dict[str, Any]) -> None:
    look = one["look"] or {}
    output.say_fields(
        [
            ("credential", one["id"]),
            ("provider", one["provider"]),
            ("alias", one["alias"]),
            ("account", one["external_id"]),
            ("status", one["status"]),
            ("ends", _end(one["expires_at"])),
            ("last used", output.moment(one["last_used_at"])),
            ("created", output.moment(one["created_at"])),
            ("looked at", output.moment(look.get("looked_at"))),
            ("problem", look.get("problem")),
            ("permissions", one["profile"]),
            ("  lost", look.get("lacking")),
            ("balance", look.get("balance")),
            *sorted(one["scope"].items()),
        ]
    )


def _say_secret(found: dict[str, Any]) -> None:
    output.say_fields(list(found["secret"].items()))


def _end(text: str | None) -> str | None:
    """Return an end, and in how many days it is."""
    if text is None:
        return None
    left = (datetime.fromisoformat(text) - datetime.now(UTC)).days
    return f"{output.moment(text)} ({'ended' if left < 0 else f'{left} days'})"
