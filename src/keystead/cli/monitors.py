"""``keystead provider …`` for monitors at HostTracker: list with their states, make, delete."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from keystead.cli import asking, joined, output
from keystead.cli.approving import Yes
from keystead.cli.joined import Key
from keystead.cli.where import AsJson

Url = Annotated[str, typer.Argument(metavar="URL", help="What is watched: a URL, a host, or host:port.")]


def add(app: typer.Typer) -> None:
    """Add the commands to ``keystead provider``."""
    app.command("monitors")(monitors)
    app.command("monitor-add")(create)
    app.command("monitor-rm")(remove)


def monitors(context: typer.Context, key: Key, as_json: AsJson = False) -> None:
    """List all monitors of a HostTracker key with their states now."""
    with joined.opened(context) as client:
        found = client.get(_path(key))
    output.answer(found, as_json, _say)


def create(
    context: typer.Context,
    key: Key,
    url: Url,
    kind: Annotated[str, typer.Option("--type", help="One of HostTracker's types: http, ping, port, …")] = "http",
    name: Annotated[str | None, typer.Option(help="Name for people.", show_default="the URL")] = None,
    interval_s: Annotated[
        int | None, typer.Option("--interval", metavar="SECONDS", show_default="the account's", help="Between checks.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a monitor."""
    body = {"url": url, "type": kind, "name": name, "interval_s": interval_s}
    with joined.opened(context) as client:
        made = client.post(_path(key), body)
    output.answer(made, as_json, lambda made: output.say(f"monitor {made['id']}: {made['url']}, {made['state']}"))


def remove(
    context: typer.Context,
    key: Key,
    monitor: Annotated[str, typer.Argument(metavar="MONITOR", help="The monitor's id.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a monitor."""
    asking.confirm(f"Delete monitor {monitor} at HostTracker?", is_given=yes)
    with joined.opened(context) as client:
        client.delete(f"{_path(key)}/{quote(monitor, safe='')}")
    output.answer({}, as_json, lambda _: output.say(f"monitor {monitor} is deleted"))


def _path(key: int) -> str:
    return f"{joined.PATH}/hosttracker/credentials/{key}/monitors"


def _say(found: dict[str, Any]) -> None:
    columns = ("MONITOR", "STATE", "SINCE", "TYPE", "URL", "NAME")
    rows = ((one["id"], one["state"], one["since"], one["type"], one["url"], one["name"]) for one in found["items"])
    output.say_table(columns, rows, nothing="no monitors")
    output.say(", ".join(f"{count} {state}" for state, count in found["counts"].items()))
