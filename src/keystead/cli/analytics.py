"""``keystead provider …`` for Google Analytics: properties, visits by day, who is there now."""

from typing import Annotated

import typer

from keystead.cli import joined, output
from keystead.cli.joined import Day, Key
from keystead.cli.where import AsJson

Property = Annotated[int, typer.Argument(metavar="PROPERTY", help="The property's number.")]


def add(app: typer.Typer) -> None:
    """Add the commands to ``keystead provider``."""
    app.command("properties")(properties)
    app.command("report")(report)
    app.command("realtime")(realtime)


def properties(context: typer.Context, key: Key, as_json: AsJson = False) -> None:
    """List all properties that a Google Analytics key views."""
    with joined.opened(context) as client:
        found = client.get(_path(key))["items"]
    rows = ((one["id"], one["name"], one["account"], one["kind"]) for one in found)
    columns = ("PROPERTY", "NAME", "ACCOUNT", "KIND")
    output.answer(found, as_json, lambda _: output.say_table(columns, rows, nothing="no properties"))


def report(
    context: typer.Context,
    key: Key,
    property_: Property,
    first: Day = None,
    last: Day = None,
    as_json: AsJson = False,
) -> None:
    """Tell a property's visits by day: four weeks up to today, unless days are named."""
    days = {name: f"{day:%Y-%m-%d}" for name, day in (("first", first), ("last", last)) if day is not None}
    with joined.opened(context) as client:
        found = client.get(f"{_path(key)}/{property_}/report", days)["items"]
    rows = ((one["day"], one["active_users"], one["new_users"], one["sessions"], one["views"]) for one in found)
    columns = ("DAY", "USERS", "NEW", "SESSIONS", "VIEWS")
    output.answer(found, as_json, lambda _: output.say_table(columns, rows, nothing="no days"))


def realtime(context: typer.Context, key: Key, property_: Property, as_json: AsJson = False) -> None:
    """Tell how many a property has seen within the last half hour."""
    with joined.opened(context) as client:
        found = client.get(f"{_path(key)}/{property_}/realtime")
    said = f"{found['active_users']} within {found['minutes']} minutes"
    output.answer(found, as_json, lambda _: output.say(said))


def _path(key: int) -> str:
    return f"{joined.PATH}/google_analytics/credentials/{key}/properties"
