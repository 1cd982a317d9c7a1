"""``keystead provider cloudflare …`` and ``… namecheap``: what takes more than a secret to connect, and new tokens."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from keystead.cli import asking, output
from keystead.cli.approving import Yes
from keystead.cli.joined import PATH, SecretFile, opened
from keystead.cli.where import AsJson
from keystead.kit.errors import Invalid
from keystead.providers.cloudflare_permissions import Profile

cloudflare = typer.Typer(no_args_is_help=True, help="Cloudflare: connect an account, and give it a new token.")
namecheap = typer.Typer(no_args_is_help=True, help="Namecheap: connect a user, and see to DNS hosts.")

_BOOTSTRAP = "Bootstrap token of Cloudflare"
_LEFT = {
    "old_token_not_deleted": "the former token is still at Cloudflare; deleting it is tried again",
    "bootstrap_not_deleted": "the bootstrap token is still at Cloudflare; deleting it is tried again",
    "old_token_left_in_other_account": "the former token is in another account; delete it in Cloudflare's dashboard",
}

Key = Annotated[int, typer.Argument(metavar="KEY", help="The key's number.")]
Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="The registered domain.")]
Alias = Annotated[str | None, typer.Option(help="Name for people.", show_default="made from the account")]
Permissions = Annotated[Profile, typer.Option("--profile", help="Which permissions the working token gets.")]


def add(app: typer.Typer) -> None:
    """Add the commands to ``keystead provider``."""
    app.add_typer(cloudflare, name="cloudflare")
    app.add_typer(namecheap, name="namecheap")


@cloudflare.command("connect")
def connect_cloudflare(
    context: typer.Context,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id, as the dashboard shows it.")],
    alias: Alias = None,
    profile: Permissions = Profile.DOCUMENTED,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of the account that is connected.")
    ] = False,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a working token out of a bootstrap token, which is asked for or read, and keep it.

    The bootstrap token is deleted at Cloudflare. An account that is connected already gets a new token.
    """
    with opened(context) as client:
        body = {
            "account_id": account,
            "bootstrap_token": _bootstrap(secret_file),
            "alias": alias,
            "profile": profile.value,
            "may_replace": replace,
        }
        made = client.post(f"{PATH}/cloudflare/credentials", body)
    output.answer(made, as_json, _say)


@cloudflare.command("rotate")
def rotate_cloudflare(
    context: typer.Context,
    key: Key,
    profile: Permissions = Profile.DOCUMENTED,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a connected account a new working token out of a bootstrap token; the former one is deleted."""
    with opened(context) as client:
        body = {"bootstrap_token": _bootstrap(secret_file), "profile": profile.value}
        made = client.post(f"{PATH}/cloudflare/credentials/{key}/rotate", body)
    output.answer(made, as_json, _say)


@namecheap.command("connect")
def connect_namecheap(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="The user's name at Namecheap.")],
    alias: Alias = None,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Connect a Namecheap user, whose API key is asked for or read; it is kept once Namecheap has taken it."""
    with opened(context) as client:
        key = asking.secret("API key of Namecheap", secret_file, option="--secret-file", is_new=False)
        body = {"username": user, "api_key": key.reveal(), "alias": alias}
        made = client.post(f"{PATH}/namecheap/credentials", body)
    output.answer(made, as_json, _say_user)


@namecheap.command("hosts")
def list_hosts(context: typer.Context, key: Key, domain: Domain, as_json: AsJson = False) -> None:
    """List all DNS hosts of a domain that uses Namecheap's own DNS; as JSON they are what set-hosts takes."""
    with opened(context) as client:
        found = client.get(_hosts(key, domain))
    output.answer(found, as_json, _say_hosts)


@namecheap.command("set-hosts")
def set_hosts(
    context: typer.Context,
    key: Key,
    domain: Domain,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What hosts --json wrote, changed; - is standard input.")
    ],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put the DNS hosts in a file in the place of all that a domain has; refused where they have changed meanwhile."""
    wanted = _read_hosts(file)
    asking.confirm(f"Replace all DNS hosts of {domain} by {len(wanted['items'])} of {file}?", is_given=yes)
    with opened(context) as client:
        made = client.put(_hosts(key, domain), wanted)
    output.answer(made, as_json, _say_hosts)


def _hosts(key: int, domain: str) -> str:
    return f"{PATH}/namecheap/credentials/{key}/domains/{quote(domain, safe='')}/hosts"


def _read_hosts(file: Path) -> dict[str, Any]:
    import json

    text = asking.whole("the hosts", file, option="FILE").reveal()
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Invalid(f"{file} is not JSON: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("items"), list):
        raise Invalid(f"{file} is not what keystead provider namecheap hosts --json writes")
    return found


def _say_hosts(found: dict[str, Any]) -> None:
    rows = (
        (one["name"], one["type"], one["address"], one["ttl_s"], one["preference"] if one["type"] == "MX" else None)
        for one in found["items"]
    )
    output.say_table(("NAME", "TYPE", "ADDRESS", "TTL", "PREFERENCE"), rows, nothing="no hosts")


def _bootstrap(file: Path | None) -> str:
    return asking.secret(_BOOTSTRAP, file, option="--secret-file", is_new=False).reveal()


def _say(made: dict[str, Any]) -> None:
    done = "has a new token" if made["is_rotation"] else "is connected"
    output.say(f"key {made['id']}, {made['alias']}: account {made['external_id']} {done}")
    if made["synced"] is not None:
        output.say(f"{made['synced']['zones']:,} zones and {made['synced']['domains']:,} domains were read")
    if made["sync_problem"] is not None:
        output.say(f"zones could not be read now, and are read later: {made['sync_problem']}")
    for left in made["warnings"]:
        output.say(f"warning: {_LEFT.get(left, left)}")


def _say_user(made: dict[str, Any]) -> None:
    output.say(f"key {made['id']}: {made['alias']} (balance {made['account']['balance']})")
