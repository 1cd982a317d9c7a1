"""``keystead redirect …``: redirects of a zone, and the bulk redirects of an account at its provider."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from keystead.cli import asking, output
from keystead.cli.approving import Yes
from keystead.cli.where import AsJson
from keystead.cli.zones import Zone, path, say_difference
from keystead.kit.errors import Invalid, Misconfigured, NotFound

app = typer.Typer(no_args_is_help=True, help="Redirects: of a zone, and in bulk for an account at its provider.")
bulk = typer.Typer(no_args_is_help=True, help="Bulk redirects: many at once, from a table.")
app.add_typer(bulk, name="bulk")

Key = Annotated[int, typer.Argument(metavar="KEY", help="The number of the provider's key.")]
_FLAGS = ("keep_query", "include_subdomains", "match_subpaths", "keep_path_suffix")
_COLUMNS = ("source", "target", "status", *_FLAGS)


@app.callback()
def redirect() -> None:
    """Redirects: of a zone, and in bulk for an account at its provider."""


@app.command("list")
def list_(context: typer.Context, zone: Zone, as_json: AsJson = False) -> None:
    """List the redirects of a zone that were made here; rules of others are counted."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.get(f"{path(client, zone)}/redirects"), as_json, _say_redirects)


@app.command("set")
def set_(
    context: typer.Context,
    zone: Zone,
    source: Annotated[str, typer.Argument(metavar="HOST[/PATH]", help="www.example.com, example.com/old, …/docs/*")],
    target: Annotated[str, typer.Argument(metavar="URL", help="Where to.")],
    status: Annotated[int, typer.Option(metavar="N", help="301, 302, 303, 307 or 308.")] = 301,
    keep_path: Annotated[bool, typer.Option("--keep-path", help="Put the path behind the target.")] = False,
    drop_query: Annotated[bool, typer.Option("--drop-query", help="Leave the query away.")] = False,
    as_json: AsJson = False,
) -> None:
    """Set a redirect; the one with the same host and path is changed, and no rule of others is touched."""
    from keystead.cli.client import connect

    host, slash, rest = source.partition("/")
    body = {
        "host": host,
        "path": f"/{rest}" if slash else "/*",
        "target": target,
        "status": status,
        "keep_path": keep_path,
        "keep_query": not drop_query,
    }
    with connect(context) as client:
        made = client.put(f"{path(client, zone)}/redirects", body)
    output.answer(made, as_json, lambda one: output.say(f"{one['source']} leads to {one['target']} ({one['status']})"))


@app.command("rm")
def remove(
    context: typer.Context,
    zone: Zone,
    which: Annotated[str, typer.Argument(metavar="ID|HOST[/PATH]", help="Its id, or what it redirects.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a redirect that was made here."""
    from keystead.cli.client import connect

    asking.confirm(f"Delete the redirect {which}?", is_given=yes)
    with connect(context) as client:
        place = f"{path(client, zone)}/redirects"
        found = client.get(place)["items"]
        meant = {which, which if "/" in which else f"{which}/*"}
        ident = next((one["id"] for one in found if one["id"] == which or one["source"] in meant), None)
        if ident is None:
            raise NotFound("redirect", which)
        client.delete(f"{place}/{ident}")
    output.answer({"deleted": ident}, as_json, lambda _: output.say(f"redirect {which} is deleted"))


@bulk.command("list")
def list_bulk(context: typer.Context, key: Key, as_json: AsJson = False) -> None:
    """List the bulk redirects of the account that a key opens, as far as they were made here."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.get(_bulk_path(key)), as_json, _say_bulk)


@bulk.command("put")
def put_bulk(
    context: typer.Context,
    key: Key,
    csv: Annotated[
        Path,
        typer.Argument(metavar="FILE", help=f"Table with a first line of column names, out of: {', '.join(_COLUMNS)}."),
    ],
    as_json: AsJson = False,
) -> None:
    """Add bulk redirects from a table, and change those that have the same source, all in one operation."""
    from keystead.cli.client import connect

    body = {"redirects": _table(csv)}
    with connect(context) as client:
        done = client.put(_bulk_path(key), body)
    output.answer(
        done,
        as_json,
        lambda told: output.say(
            f"{told['added']:,} added, {told['changed']:,} changed, {told['same']:,} as they were; "
            f"{told['total']:,} in all"
        ),
    )


@bulk.command("rm")
def remove_bulk(
    context: typer.Context,
    key: Key,
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE…", help="What they redirect: example.com/old")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete bulk redirects by their sources."""
    from keystead.cli.client import connect

    asking.confirm(f"Delete {len(sources)} bulk redirects?", is_given=yes)
    with connect(context) as client:
        done = client.post(f"{_bulk_path(key)}/remove", {"sources": sources})
    output.answer(done, as_json, lambda told: output.say(f"{told['removed']:,} deleted"))


@bulk.command("compare")
def compare_bulk(context: typer.Context, key: Key, as_json: AsJson = False) -> None:
    """Look at the bulk redirects of an account now, and show how they differ from what is right there."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.post(f"{_bulk_path(key)}/compare"), as_json, _say_drift)


@bulk.command("accept")
def accept_bulk(context: typer.Context, key: Key, as_json: AsJson = False) -> None:
    """Take the bulk redirects that an account has now for right."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.post(f"{_bulk_path(key)}/accept")
    output.answer(found, as_json, lambda told: output.say(f"{told['credential']}: the bulk redirects there are right"))


def _bulk_path(key: int) -> str:
    return f"/v1/credentials/{key}/redirects"


def _table(file: Path) -> list[dict[str, Any]]:
    """Return the redirects of a table; an empty cell is as if its column were not there."""
    import csv

    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = list(csv.DictReader(text))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Misconfigured(f"{file} cannot be read: {error}") from error
    unknown = sorted({str(name) for row in rows for name in row if name not in _COLUMNS})
    if not rows or unknown or "source" not in rows[0] or "target" not in rows[0]:
        raise Invalid(
            f"{file}: the first line names columns out of {', '.join(_COLUMNS)}; source and target are needed"
        )
    return [_row(number, row) for number, row in enumerate(rows, 2)]


def _row(line: int, row: Mapping[str, str | None]) -> dict[str, Any]:
    said = {name: value.strip() for name, value in row.items() if value is not None and value.strip()}
    made: dict[str, Any] = {name: said[name] for name in ("source", "target") if name in said}
    if len(made) < 2:
        raise Invalid(f"line {line}: source and target are needed")
    if "status" in said:
        if not said["status"].isdecimal():
            raise Invalid(f"line {line}: {said['status']!r} is no status")
        made["status"] = int(said["status"])
    for name in _FLAGS:
        if name in said:
            made[name] = _flag(line, name, said[name].lower())
    return made


def _flag(line: int, name: str, text: str) -> bool:
    if text not in {"yes", "no", "true", "false", "1", "0"}:
        raise Invalid(f"line {line}: {name} is yes or no, and not {text!r}")
    return text in {"yes", "true", "1"}


def _say_redirects(found: Mapping[str, Any]) -> None:
    rows = [
        (
            one["id"],
            one["source"],
            one["target"] or f"rewritten by hand: {one['expression']}",
            one["status"],
            one["template"],
            "yes" if one["is_enabled"] else "no",
        )
        for one in found["items"]
    ]
    output.say_table(("id", "source", "target", "status", "template", "on"), rows, nothing="No redirect was made here.")
    if found["foreign"]:
        output.say(f"and {found['foreign']} rules of others, which are never touched")


def _say_bulk(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    rows = [(one["source"], one["target"], one["status"]) for one in found["items"]]
    output.say_table(("source", "target", "status"), rows, nothing="No bulk redirect was made here.")


def _say_drift(found: Mapping[str, Any]) -> None:
    if found["redirects"] is None:
        output.say(f"{found['credential']}: bulk redirects are as they should be")
        return
    say_difference(f"{found['credential']}: bulk redirects", found["redirects"])
