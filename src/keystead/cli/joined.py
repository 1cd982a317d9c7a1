"""``keystead provider …`` for providers that are connected by a secret alone: connect, status, and what they list."""

from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from keystead.cli import asking, output
from keystead.cli.where import AsJson
from keystead.kit.errors import Invalid, NotFound
from keystead.kit.secret import Secret

if TYPE_CHECKING:
    from keystead.cli.client import Client

PATH = "/v1/providers"
# These take more than a secret (``cli.connecting``).
_OWN_COMMANDS = frozenset({"cloudflare", "namecheap"})

Provider = Annotated[str, typer.Argument(metavar="PROVIDER", help="The provider, such as namesilo.")]
Key = Annotated[int, typer.Argument(metavar="KEY", help="The key's number.")]
Counter = Annotated[int, typer.Argument(metavar="COUNTER", help="The counter's number.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="YYYY-MM-DD.")]
WithField = Annotated[
    str | None,
    typer.Option("--with", metavar="FIELD", help="A field of another way than the usual one.", show_default="usual"),
]
SecretFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="File with the secret; - is standard input.", show_default="ask")
]


def add(app: typer.Typer) -> None:
    """Add the commands to ``keystead provider``."""
    app.command("list")(list_)
    app.command("connect")(connect)
    app.command("status")(status)
    app.command("domains")(domains)
    app.command("name-servers")(name_servers)
    app.command("counters")(counters)
    app.command("visits")(visits)
    app.command("goals")(goals)


def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the providers that a secret alone connects, and what each can do."""
    with opened(context) as client:
        output.answer(client.get(PATH)["items"], as_json, _say_providers)


def connect(
    context: typer.Context,
    provider: Provider,
    alias: Annotated[
        str | None, typer.Option(help="Name for people.", show_default="the provider and the account")
    ] = None,
    field: WithField = None,
    secret_file: SecretFile = None,
    as_json: AsJson = False,
) -> None:
    """Connect a provider, whose secret is asked for or read; it is kept once the provider has taken it.

    A secret of several fields is piped in with a line for each.
    """
    with opened(context) as client:
        fields = _fields(client, provider, field)
        _check_readable(fields, secret_file)
        secret = {one["name"]: _secret(one, secret_file).reveal() for one in fields}
        made = client.post(f"{PATH}/{quote(provider, safe='')}/credentials", {"secret": secret, "alias": alias})
    output.answer(made, as_json, lambda made: output.say(f"key {made['id']}: {made['alias']}{_told(made['account'])}"))


def status(context: typer.Context, provider: Provider, key: Key, as_json: AsJson = False) -> None:
    """Ask a provider that a secret alone connects now whether a key is good; domain look asks all the others too."""
    with opened(context) as client:
        found = client.get(f"{_of(provider, key)}/status")
    output.answer(found, as_json, _say_status)
    if found["status"] != "active":
        raise typer.Exit(1)


def domains(context: typer.Context, provider: Provider, key: Key, as_json: AsJson = False) -> None:
    """List all domains of a registrar's key."""
    with opened(context) as client:
        found = client.get(f"{_of(provider, key)}/domains")["items"]
    rows = ((one["name"], one["expires_on"]) for one in found)
    output.answer(found, as_json, lambda _: output.say_table(("DOMAIN", "EXPIRES"), rows, nothing="no domains"))


def name_servers(
    context: typer.Context,
    provider: Provider,
    key: Key,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The registered domain.")],
    servers: Annotated[
        list[str] | None, typer.Argument(metavar="SERVER", help="Point the domain at these.", show_default="show them")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a domain's name servers at its registrar, or set them."""
    path = f"{_of(provider, key)}/domains/{quote(domain, safe='')}/name-servers"
    with opened(context) as client:
        found = client.put(path, {"name_servers": servers}) if servers else client.get(path)
    output.answer(found, as_json, lambda found: output.say(f"{domain}: {' '.join(found['name_servers'])}"))


def counters(context: typer.Context, key: Key, as_json: AsJson = False) -> None:
    """List all counters of a Yandex Metrica key."""
    with opened(context) as client:
        found = client.get(_metrica(key))["items"]
    rows = ((one["id"], one["site"], one["name"], one["status"], one["permission"]) for one in found)
    columns = ("COUNTER", "SITE", "NAME", "STATUS", "ACCESS")
    output.answer(found, as_json, lambda _: output.say_table(columns, rows, nothing="no counters"))


def visits(
    context: typer.Context, key: Key, counter: Counter, first: Day = None, last: Day = None, as_json: AsJson = False
) -> None:
    """List a counter's visits by day: four weeks up to today, unless days are named."""
    days = {name: f"{day:%Y-%m-%d}" for name, day in (("first", first), ("last", last)) if day is not None}
    with opened(context) as client:
        found = client.get(f"{_metrica(key)}/{counter}/visits", days)["items"]
    rows = ((one["day"], one["visits"]) for one in found)
    output.answer(found, as_json, lambda _: output.say_table(("DAY", "VISITS"), rows, nothing="no days"))


def goals(context: typer.Context, key: Key, counter: Counter, as_json: AsJson = False) -> None:
    """List a counter's goals."""
    with opened(context) as client:
        found = client.get(f"{_metrica(key)}/{counter}/goals")["items"]
    rows = ((one["id"], one["name"], one["kind"]) for one in found)
    output.answer(found, as_json, lambda _: output.say_table(("GOAL", "NAME", "KIND"), rows, nothing="no goals"))


def opened(context: typer.Context) -> "AbstractContextManager[Client]":
    """Return the service to ask, for the duration."""
    # Heavy to import; help and completion answer without it.
    from keystead.cli.client import connect as made

    return made(context)


def _of(provider: str, key: int) -> str:
    return f"{PATH}/{quote(provider, safe='')}/credentials/{key}"


def _metrica(key: int) -> str:
    return f"{_of('yandex_metrica', key)}/counters"


def _fields(client: "Client", provider: str, field: str | None) -> list[dict[str, Any]]:
    """Return the fields of a provider's usual way, or of the one that a field belongs to."""
    known = {one["id"]: one for one in client.get(PATH)["items"]}
    if provider in _OWN_COMMANDS:
        raise Invalid(f"{provider} takes more than a secret; run: keystead provider {provider} connect")
    if provider not in known:
        raise NotFound("provider", f"{provider} (there are: {', '.join(sorted(known))})")
    ways: list[list[dict[str, Any]]] = known[provider]["ways"]
    chosen = next((way for way in ways if field is None or field in {one["name"] for one in way}), None)
    if chosen is None:
        raise NotFound("field", f"{field} (there are: {', '.join(one['name'] for way in ways for one in way)})")
    return chosen


def _check_readable(fields: list[dict[str, Any]], file: Path | None) -> None:
    if len(fields) > 1 and file not in {None, asking.STDIN}:
        names = ", ".join(one["name"] for one in fields)
        raise Invalid(f"several fields are not read from a file; pipe them in, a line for each: {names}")


def _secret(field: dict[str, Any], file: Path | None) -> Secret[str]:
    """Return a field from a prompt, a pipe or a file; one that is JSON is the whole of it."""
    if not field["is_json"]:
        return asking.secret(field["hint"], file, option="--secret-file", is_new=False)
    return asking.whole(field["hint"], file, option="--secret-file")


def _told(account: dict[str, Any]) -> str:
    said = ", ".join(f"{name} {value}" for name, value in account.items())
    return f" ({said})" if said else ""


def _say_providers(found: list[dict[str, Any]]) -> None:
    rows = (
        (one["id"], one["title"], ", ".join(field["name"] for field in one["ways"][0]), "; ".join(one["capabilities"]))
        for one in found
    )
    output.say_table(("PROVIDER", "TITLE", "SECRET", "CAN"), rows, nothing="no providers")


def _say_status(found: dict[str, Any]) -> None:
    why = f": {found['message'] or found['problem']}" if found["problem"] and found["status"] == "refused" else ""
    output.say(f"key {found['credential_id']} is {found['status']}{why}{_told(found['account'])}")
