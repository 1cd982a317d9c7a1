"""``keystead provider …``: outside providers, and how requests to them leave."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from keystead.cli import analytics, asking, connecting, joined, monitors, output
from keystead.cli.approving import Yes
from keystead.cli.where import AsJson

app = typer.Typer(no_args_is_help=True, help="Outside providers: keys for them, and the way requests leave by.")
relay = typer.Typer(no_args_is_help=True, help="The relay before a provider, or the direct way.")
app.add_typer(relay, name="relay")
for commands in (joined, monitors, analytics, connecting):
    commands.add(app)


class Relayed(StrEnum):
    """A provider that is reached by a way of its own."""

    NAMECHEAP = "namecheap"


Provider = Annotated[Relayed, typer.Argument(metavar="PROVIDER", help="The provider: namecheap.")]
Credential = Annotated[
    int | None, typer.Option("--key", metavar="KEY", help="The way of one key alone.", show_default="all keys")
]

Ip = Annotated[str, typer.Option(help="The IPv4 address that the provider sees.")]
AuthFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="File with the header; - is standard input.", show_default="ask")
]


@app.callback()
def provider() -> None:
    """Outside providers: keys for them, and the way requests leave by."""


@relay.command("set")
def set_(
    context: typer.Context,
    provider: Provider,
    url: Annotated[str, typer.Option(help="URL of the relay: https://…")],
    ip: Ip,
    host: Annotated[str | None, typer.Option(help="Host of that URL.", show_default="as in the URL")] = None,
    auth_file: AuthFile = None,
    key: Credential = None,
    as_json: AsJson = False,
) -> None:
    """Let requests to a provider leave through a relay, whose Authorization header is asked for or read."""
    from keystead.cli.client import connect

    auth = asking.secret("Authorization header of the relay (Basic …)", auth_file, option="--auth-file", is_new=False)
    body = {"ip": ip, "relay_url": url, "relay_host": host or _host(url), "relay_auth": auth.reveal()}
    with connect(context) as client:
        made = client.put(_path(provider), body, _of(key))
    output.answer(made, as_json, _say)


@relay.command("direct")
def direct(context: typer.Context, provider: Provider, ip: Ip, key: Credential = None, as_json: AsJson = False) -> None:
    """Let requests to a provider leave directly, from this machine's own fixed address."""
    from keystead.cli.client import connect

    with connect(context) as client:
        made = client.put(_path(provider), {"ip": ip}, _of(key))
    output.answer(made, as_json, _say)


@relay.command("show")
def show(context: typer.Context, provider: Provider, key: Credential = None, as_json: AsJson = False) -> None:
    """Show the way to a provider, without the relay's password."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.get(_path(provider), _of(key)), as_json, _say)


@relay.command("rm")
def remove(
    context: typer.Context, provider: Provider, key: Credential = None, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Forget the way to a provider."""
    from keystead.cli.client import connect

    asking.confirm(f"Forget the way to {provider.value}?", is_given=yes)
    with connect(context) as client:
        client.delete(_path(provider), _of(key))
    output.answer({}, as_json, lambda _: output.say(f"no way to {provider.value} is set any more"))


def _path(provider: Relayed) -> str:
    return f"/v1/providers/{provider.value}/relay"


def _of(key: int | None) -> dict[str, int]:
    return {} if key is None else {"credential_id": key}


def _host(url: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(url).hostname or ""


def _say(way: dict[str, Any]) -> None:
    through = "directly" if way["relay_url"] is None else f"through {way['relay_url']}"
    whose = "all keys" if way["credential_id"] is None else f"key {way['credential_id']}"
    output.say(f"{way['provider']}: {through}, seen as {way['ip']}, for {whose}")
