"""``keystead zone …``: DNS zones at providers, their settings and their caches."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keystead.cli import asking, output
from keystead.cli.approving import Yes
from keystead.cli.where import AsJson
from keystead.kit.errors import Invalid, NotFound

if TYPE_CHECKING:
    from keystead.cli.client import Client

app = typer.Typer(no_args_is_help=True, help="DNS zones at providers: made, checked, read again, set and deleted.")

ZONES = "/v1/zones"

Zone = Annotated[str, typer.Argument(metavar="ZONE", help="The zone's name or number.")]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many.", show_default="all")]


@app.callback()
def zone() -> None:
    """DNS zones at providers: made, checked, read again, set and deleted."""


@app.command("list")
def list_(context: typer.Context, limit: Limit = None, as_json: AsJson = False) -> None:
    """List zones as they were last seen."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.pages(ZONES, limit=limit), as_json, _say_zones)


@app.command("show")
def show(context: typer.Context, zone: Zone, as_json: AsJson = False) -> None:
    """Show a zone as it was last seen."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.get(path(client, zone)), as_json, _say_zone)


@app.command("add")
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The domain: example.com")],
    key: Annotated[
        int | None, typer.Option("--key", metavar="KEY", help="The key that makes it.", show_default="the only one")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a zone at Cloudflare and print the name servers that its registrar needs."""
    from keystead.cli.client import connect

    with connect(context) as client:
        made = client.post(ZONES, {"name": name} | ({} if key is None else {"credential_id": key}))
    output.answer(made, as_json, _say_zone)


@app.command("rm")
def remove(context: typer.Context, zone: Zone, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a zone at its provider, with all of its records."""
    from keystead.cli.client import connect

    asking.confirm(f"Delete the zone {zone} with all of its records?", is_given=yes)
    with connect(context) as client:
        client.delete(path(client, zone))
    output.answer({"deleted": zone}, as_json, lambda _: output.say(f"zone {zone} is deleted"))


@app.command("sync")
def sync(
    context: typer.Context,
    zone: Annotated[
        str | None, typer.Argument(metavar="[ZONE]", help="The zone's name or number.", show_default="all zones")
    ] = None,
    key: Annotated[
        int | None, typer.Option("--key", metavar="KEY", help="Zones of this key.", show_default="all keys")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read zones again at their provider."""
    from keystead.cli.client import connect

    with connect(context) as client:
        if zone is not None:
            output.answer(client.post(f"{path(client, zone)}/sync"), as_json, _say_zone)
            return
        found = client.post(f"{ZONES}/sync", {} if key is None else {"credential_id": key})
    output.answer(found, as_json, _say_synced)


@app.command("check")
def check(context: typer.Context, zone: Zone, as_json: AsJson = False) -> None:
    """Let the provider look at a zone's name servers again."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.post(f"{path(client, zone)}/check"), as_json, _say_zone)


@app.command("compare")
def compare(context: typer.Context, zone: Zone, as_json: AsJson = False) -> None:
    """Look into a zone now, and show how its records and redirects differ from what is right there."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.post(f"{path(client, zone)}/compare"), as_json, _say_drift)


@app.command("accept")
def accept(context: typer.Context, zone: Zone, as_json: AsJson = False) -> None:
    """Take the records and redirects that a zone has now for right."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.post(f"{path(client, zone)}/accept")
    output.answer(found, as_json, lambda told: output.say(f"{told['zone']}: what it holds now is right"))


@app.command("settings")
def settings(context: typer.Context, zone: Zone, as_json: AsJson = False) -> None:
    """Show a zone's settings as its provider has them."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.get(f"{path(client, zone)}/settings")
    output.answer(found, as_json, lambda told: _say_settings(told["settings"]))


@app.command("set")
def set_(
    context: typer.Context,
    zone: Zone,
    values: Annotated[list[str], typer.Argument(metavar="NAME=VALUE…", help="Settings: ssl=strict brotli=on")],
    as_json: AsJson = False,
) -> None:
    """Set some of a zone's settings, each by itself; exit with 1 when one is refused."""
    from keystead.cli.client import connect

    wanted = dict(setting(value) for value in values)
    with connect(context) as client:
        done = client.patch(f"{path(client, zone)}/settings", {"settings": wanted})
    output.answer(done, as_json, _say_set)
    if done["refused"]:
        raise typer.Exit(1)


@app.command("purge")
def purge(
    context: typer.Context,
    zone: Zone,
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[URL…]", help="URLs to take out.", show_default="everything")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Empty a zone's cache, or take URLs out of it."""
    from keystead.cli.client import connect

    with connect(context) as client:
        client.post(f"{path(client, zone)}/purge", {"files": files} if files else {})
    told = "everything" if not files else f"{len(files)} URLs"
    output.answer({"purged": files or "everything"}, as_json, lambda _: output.say(f"{told}: out of the cache"))


def path(client: "Client", zone: str) -> str:
    """Return where a zone is that is named by its number or its name; raise NotFound, or Invalid for several."""
    if zone.isascii() and zone.isdigit():
        return f"{ZONES}/{zone}"
    named = client.pages(ZONES, {"name": zone})
    found = [one for one in named if one["missing_since"] is None] or named
    if not found:
        raise NotFound("zone", zone)
    if len(found) > 1:
        numbers = ", ".join(str(one["id"]) for one in found)
        raise Invalid(f"there are several zones {zone}; name one by its number: {numbers}")
    return f"{ZONES}/{found[0]['id']}"


def setting(text: str, *, texts: Collection[str] = ()) -> tuple[str, object]:
    """Return name and value of NAME=VALUE; a value that is JSON is meant so, unless its name is one of texts."""
    import json

    name, is_set, value = text.partition("=")
    if not is_set or not name:
        raise Invalid(f"{text} sets nothing; write NAME=VALUE")
    if name in texts:
        return name, value
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def say_difference(what: str, told: dict[str, Any]) -> None:
    """Print what is not as it should be, and how it should be."""
    output.say(f"{what} are not as they should be")
    for line in told["seen"]:
        output.say(output.shown(f"  {line}"))
    output.say("  should be")
    for line in told["expected"]:
        output.say(output.shown(f"  {line}"))


def _say_zones(found: list[dict[str, Any]]) -> None:
    rows = [
        (one["id"], one["name"], _status(one), one["plan"], one["name_servers"], one["credential_id"]) for one in found
    ]
    columns = ("id", "name", "status", "plan", "name servers", "key")
    output.say_table(columns, rows, nothing="There are no zones; make one with: keystead zone add NAME")


def _say_zone(found: dict[str, Any]) -> None:
    output.say(f"zone {found['id']}, {found['name']}: {_status(found)}")
    fields = [
        ("  name servers", found["name_servers"]),
        ("  plan", found["plan"]),
        ("  key", found["credential_id"]),
        ("  seen (UTC)", output.moment(found["synced_at"])),
    ]
    if found["check_at"]:
        fields.append(("  looked at again (UTC)", output.moment(found["check_at"])))
    output.say_fields(fields)


def _say_drift(found: dict[str, Any]) -> None:
    kinds = [(kind, found[kind]) for kind in ("records", "redirects") if found[kind] is not None]
    if not kinds:
        output.say(f"{found['zone']}: records and redirects are as they should be")
    for kind, told in kinds:
        say_difference(f"{found['zone']}: {kind}", told)


def _status(found: dict[str, Any]) -> str:
    return str(found["status"]) if found["missing_since"] is None else "gone at the provider"


def _say_synced(found: dict[str, Any]) -> None:
    output.say(f"read: {found['zones']} zones, {found['domains']} domains")
    for name in found["foreign"]:
        output.say(f"  {name} is another account's")
    for one in found["problems"]:
        output.say(f"  key {one['credential_id']}: {one['detail']}")


def _say_settings(found: dict[str, Any]) -> None:
    output.say_table(("setting", "value"), sorted(found.items()), nothing="The zone has no settings.")


def _say_set(done: dict[str, Any]) -> None:
    for name, value in done["settings"].items():
        output.say(f"{name}: {output.shown(value)}")
    for name, reason in done["refused"].items():
        output.say(f"{name}: refused, {reason}")
