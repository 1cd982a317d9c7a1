"""``keystead record …``: the DNS records of a zone."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from keystead.cli import asking, output
from keystead.cli.where import AsJson
from keystead.cli.zones import Yes, Zone, path, setting
from keystead.kit.errors import Misconfigured

app = typer.Typer(no_args_is_help=True, help="DNS records of a zone: listed, changed, written out and read in.")

RecordId = Annotated[str, typer.Argument(metavar="RECORD", help="The record's id: see keystead record list.")]
FIELDS = "More of it: ttl=300 proxied=true priority=10 comment=…"
# Fields that are text although they may look like something else.
_TEXTS = frozenset({"type", "name", "content", "comment"})


@app.callback()
def record() -> None:
    """DNS records of a zone: listed, changed, written out and read in."""


@app.command("list")
def list_(context: typer.Context, zone: Zone, as_json: AsJson = False) -> None:
    """List all records of a zone as its provider has them."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.get(f"{path(client, zone)}/records")["items"], as_json, _say_records)


@app.command("add")
def add(
    context: typer.Context,
    zone: Zone,
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="A, AAAA, CNAME, TXT, MX …")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="www; @ is the zone itself.")],
    content: Annotated[str, typer.Argument(metavar="CONTENT", help="What it says.")],
    fields: Annotated[list[str] | None, typer.Argument(metavar="[FIELD=VALUE…]", help=FIELDS)] = None,
    as_json: AsJson = False,
) -> None:
    """Add a record to a zone."""
    from keystead.cli.client import connect

    body = {"type": type_.upper(), "name": name, "content": content, **_fields(fields or [])}
    with connect(context) as client:
        output.answer(client.post(f"{path(client, zone)}/records", body), as_json, _say_record)


@app.command("set")
def set_(
    context: typer.Context,
    zone: Zone,
    record: RecordId,
    fields: Annotated[list[str], typer.Argument(metavar="FIELD=VALUE…", help="content=192.0.2.1 ttl=300 proxied=true")],
    as_json: AsJson = False,
) -> None:
    """Change a record; what is not named stays."""
    from keystead.cli.client import connect

    changes = _fields(fields)
    with connect(context) as client:
        output.answer(client.patch(f"{path(client, zone)}/records/{record}", changes), as_json, _say_record)


@app.command("rm")
def remove(context: typer.Context, zone: Zone, record: RecordId, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a record."""
    from keystead.cli.client import connect

    asking.confirm(f"Delete record {record} of {zone}?", is_given=yes)
    with connect(context) as client:
        client.delete(f"{path(client, zone)}/records/{record}")
    output.answer({"deleted": record}, as_json, lambda _: output.say(f"record {record} is deleted"))


@app.command("export")
def export(
    context: typer.Context,
    zone: Zone,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A new file.", show_default="standard output")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a zone's records out as a zone file."""
    from keystead.cli.client import connect
    from keystead.cli.files import written_beside

    with connect(context) as client:
        found = client.get(f"{path(client, zone)}/records/export")
    if file is None:
        output.answer(found, as_json, _say_zone_file)
        return
    with written_beside(file) as target:
        target.write(found["zone_file"].encode())
    output.answer({"file": str(file)}, as_json, lambda _: output.say(f"the records of {zone} are in {file}"))


@app.command("import")
def import_(
    context: typer.Context,
    zone: Zone,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A zone file; - is standard input.")],
    proxied: Annotated[bool, typer.Option("--proxied", help="Through the provider's proxy where that is possible.")] = (
        False
    ),
    as_json: AsJson = False,
) -> None:
    """Add the records of a zone file; those that are there already stay as they are."""
    from keystead.cli.client import connect

    body = {"zone_file": _read(file), "proxied": proxied}
    with connect(context) as client:
        told = client.post(f"{path(client, zone)}/records/import", body)
    output.answer(told, as_json, lambda _: output.say(f"{told['added']} of {told['parsed']} records are added"))


def _fields(values: list[str]) -> dict[str, object]:
    return dict(setting(value, texts=_TEXTS) for value in values)


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if file == asking.STDIN else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{file} cannot be read: {error}") from error


def _say_zone_file(found: dict[str, Any]) -> None:
    sys.stdout.write(found["zone_file"])


def _say_records(found: list[dict[str, Any]]) -> None:
    rows = [
        (one["id"], one["type"], one["name"], one["content"], one["ttl"], one["proxied"], one["priority"])
        for one in found
    ]
    columns = ("id", "type", "name", "content", "ttl", "proxied", "priority")
    output.say_table(columns, rows, nothing="The zone has no records.")


def _say_record(found: dict[str, Any]) -> None:
    through = ", through the proxy" if found["proxied"] else ""
    said = f"{found['name']} {found['ttl']} {found['type']} {output.shown(found['content'])}{through}"
    output.say(f"record {found['id']}: {output.shown(said)}")
