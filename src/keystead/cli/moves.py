"""``keystead domain move …``: many domains to zones at Cloudflare, as a plan that is shown first, and its progress."""

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from keystead.cli import amounts, asking, movetables, output
from keystead.cli.approving import Yes
from keystead.cli.files import written_beside
from keystead.cli.underway import Underway
from keystead.cli.where import AsJson
from keystead.kit.errors import Misconfigured

app = typer.Typer(no_args_is_help=True, help="Moves: many domains to zones of yours, planned first.")

MOVES = "/v1/domain-moves"
BY_HAND = "by-hand"
_MOVE = Underway(
    MOVES, "domain move", "move", movetables.stages, movetables.say_done, hints=("show", "watch", "pause", "cancel")
)
_COLUMNS = {"zone-key": "zone_credential_id", "registrar-key": "registrar_credential_id"}
_SETTINGS = ("source", "zone-key", "registrar-key", "by-hand", "records")
# What a table may say of one domain.
_OF_A_DOMAIN = ("domain", *_SETTINGS[:-1])
_RESULT_COLUMNS = ("domain", "state", "stage", "reason", "previous", "name_servers", "zone_id", "made_zone", "attempts")

File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A domain a line, or a table with a column domain; - is standard input."),
]
Settings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SETTING=VALUE",
        help="source=template.com (copy its records), records=FILE (JSON), zone-key=3, registrar-key=5, by-hand=yes",
        show_default=False,
    ),
]
Id = Annotated[int, typer.Argument(metavar="ID", help="The move's number.")]


@app.command("plan")
def plan(context: typer.Context, file: File, settings: Settings = None, as_json: AsJson = False) -> None:
    """Show what a move would do to each domain of a list; nothing is changed."""
    from keystead.cli.client import connect

    order = _order(file, settings)
    with connect(context) as client:
        output.answer(client.post(MOVES, {**order, "dry_run": True}), as_json, movetables.say_plan)


@app.command("apply")
def apply(
    context: typer.Context,
    file: File,
    settings: Settings = None,
    approve: Annotated[
        str | None,
        typer.Option(metavar="DIGEST", help="Do it without a question while this is the digest."),
    ] = None,
    yes: Yes = False,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait until it has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move the domains of a list: zones and records are made, and name servers set, once the plan is approved."""
    from keystead.cli.client import connect

    order = _order(file, settings)
    with connect(context) as client:
        planned = client.post(MOVES, {**order, "dry_run": True})
        if not as_json:
            movetables.say_plan(planned)
        if not planned["change"]:
            output.answer({"plan": planned, "move": None}, as_json, lambda _: None)
            return
        asking.confirm(
            f"Move {planned['change']:,} domains?", is_given=yes or approve is not None, digest=planned["digest"]
        )
        move = client.post(MOVES, {**order, "digest": approve or planned["digest"]})
        done = move if detach else _MOVE.watched(client, move, is_quiet=as_json)
    output.answer({"plan": planned, "move": done}, as_json, lambda shown: movetables.say_done(shown["move"]))
    _check(done)


@app.command("list")
def list_(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List moves, the newest first."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.pages(MOVES, limit=limit), as_json, movetables.say_moves)


@app.command("show")
def show(context: typer.Context, move: Id, as_json: AsJson = False) -> None:
    """Show how a move stands, and which domains failed or wait for you."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.get(f"{MOVES}/{move}")
        found["failed"] = client.pages(f"{MOVES}/{move}/results", {"state": "failed"})
        waiting = client.pages(f"{MOVES}/{move}/results", {"state": "waiting"}) if found["stages"].get(BY_HAND) else []
        found["by_hand"] = [one for one in waiting if one["stage"] == BY_HAND]
    output.answer(found, as_json, movetables.say_move)


@app.command("watch")
def watch(context: typer.Context, move: Id, as_json: AsJson = False) -> None:
    """Show a move's progress until it has ended."""
    from keystead.cli.client import connect

    with connect(context) as client:
        done = _MOVE.watched(client, client.get(f"{MOVES}/{move}"), is_quiet=as_json)
    output.answer(done, as_json, movetables.say_done)
    _check(done)


_MOVE.add_acts(app, "pause", "continue", "cancel")


@app.command("retry")
def retry(context: typer.Context, move: Id, as_json: AsJson = False) -> None:
    """Try the domains that failed again, each from the stage where it failed."""
    _MOVE.act(context, move, "retry", as_json)


@app.command("undo")
def undo(
    context: typer.Context,
    move: Id,
    zones: Annotated[bool, typer.Option("--zones", help="Delete the zones that the move made, too.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Set the name servers back to what they were before a move."""
    from keystead.cli.client import connect

    path, body = f"{MOVES}/{move}/undo", {"removes_zones": zones}
    with connect(context) as client:
        planned = client.post(path, {**body, "dry_run": True})
        waits = f", wait for {planned['by_hand']:,} that you set back yourself" if planned["by_hand"] else ""
        deleted = f" and delete {planned['zones']:,} zones" if planned["zones"] else ""
        question = f"Set the name servers of {planned['name_servers']:,} domains back{waits}{deleted}?"
        asking.confirm(question, is_given=yes)
        done = _MOVE.watched(client, client.post(path, body), is_quiet=as_json)
    output.answer(done, as_json, movetables.say_done)
    _check(done)


@app.command("results")
def results(
    context: typer.Context,
    move: Id,
    state: Annotated[str | None, typer.Option(help="Only those: waiting, done, same, refused, failed.")] = None,
    to: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write them to this new table.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what became of each domain of a move."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.pages(f"{MOVES}/{move}/results", {"state": state})
    if to is not None:
        _write(found, to)
        output.answer({"csv": str(to)}, as_json, lambda shown: output.say(f"the results are in {shown['csv']}"))
        return
    output.answer(found, as_json, movetables.say_results)


def _check(done: Mapping[str, Any]) -> None:
    """End with 1 when a move that has ended did not do all that was planned."""
    if done["state"] in ("failed", "cancelled") or done["states"].get("failed"):
        raise typer.Exit(1)


def _order(file: Path, settings: Sequence[str] | None) -> dict[str, Any]:
    """Return the order that a file and settings make; raise Misconfigured for what cannot be read."""
    order: dict[str, Any] = {"domains": _domains(file)}
    for text in settings or ():
        name, _, value = text.partition("=")
        if name not in _SETTINGS or not value:
            raise typer.BadParameter(f"{text!r} is no setting; write SETTING=VALUE with one of: {', '.join(_SETTINGS)}")
        if name == "records":
            order["records"] = _records(Path(value))
        else:
            order |= _setting(name, value)
    return order


def _domains(file: Path) -> list[dict[str, Any]]:
    """Return the lines of a list, or the rows of a table whose first line names its columns."""
    rows = [row for row in _rows(file) if row and row[0].strip() and not row[0].lstrip().startswith("#")]
    head = [cell.strip().lower().replace("_", "-") for cell in rows[0]] if rows else []
    if "domain" not in head:
        return [{"domain": row[0].strip()} for row in rows]
    unknown = [name for name in head if name not in _OF_A_DOMAIN]
    if unknown:  # a misspelt one would be left out in silence
        output.shown_error(f"{file}: not taken from it: {', '.join(unknown)}; columns are {', '.join(_OF_A_DOMAIN)}")
    found = []
    for row in rows[1:]:
        cells = {name: cell.strip() for name, cell in zip(head, row, strict=False) if cell.strip()}
        if "domain" in cells:
            found.append(_domain(cells))
    return found


def _domain(cells: Mapping[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"domain": cells["domain"]}
    for column in _SETTINGS[:-1]:
        if column in cells:
            made |= _setting(column, cells[column])
    return made


def _setting(name: str, text: str) -> dict[str, Any]:
    """Return what a setting says of a domain, or of all of them."""
    match name:
        case "source":
            return {name: text}
        case "by-hand":
            return {"by_hand": amounts.yes(text)}
        case _:
            return {_COLUMNS[name]: amounts.whole(text)}


def _rows(file: Path) -> list[list[str]]:
    try:
        if str(file) == "-":
            return list(csv.reader(sys.stdin))
        with file.open(encoding="utf-8-sig", newline="") as text:
            return list(csv.reader(text))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Misconfigured(f"{file} cannot be read: {error}") from error


def _records(file: Path) -> Any:
    import orjson

    try:
        return orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise Misconfigured(f"{file} cannot be read: {error}") from error


def _write(found: Sequence[Mapping[str, Any]], file: Path) -> None:
    import io

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_RESULT_COLUMNS)
    for one in found:
        cells = (one[name] for name in _RESULT_COLUMNS)
        writer.writerow([" ".join(cell) if isinstance(cell, list) else cell for cell in cells])
    with written_beside(file) as target:
        target.write(text.getvalue().encode())
