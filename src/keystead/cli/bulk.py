"""``keystead vpn bulk …``: one order for many keys, as a plan that is shown first, and its progress."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keystead.cli import amounts, asking, bulktables, output, tables
from keystead.cli.approving import Approval, Approve, DryRun, Yes
from keystead.cli.files import written_beside
from keystead.cli.underway import Underway
from keystead.cli.where import AsJson
from keystead.kit.errors import Invalid

if TYPE_CHECKING:
    from keystead.cli.client import Client

app = typer.Typer(no_args_is_help=True, help="Bulks: one order for many keys, planned first.")

BULK = "/v1/vpn/bulk"
_BULK = Underway(BULK, "vpn bulk", "bulk", lambda bulk: bulk["message"] or str(bulk["action"]), bulktables.say_done)
_ALL = "all"
_CONDITIONS = ("plan", "state", "name", "placement")
_MOMENTS = ("created-after", "created-before", "expires-after", "expires-before")
_KEY_COLUMNS = ("key", "number", "id", "uuid")
_SETTINGS = ("placement", "first", "subscriptions")

Which = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="WHICH…",
        help="Conditions that all must hold, keys by number, id or UUID, or the word all.",
        show_default=False,
    ),
]
CsvFile = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Keys from this table's column key.")]
Id = Annotated[int, typer.Argument(metavar="ID", help="The bulk's number.")]


@app.command("create")
def create(
    context: typer.Context,
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SETTING=VALUE", help="placement=own-port, first=501, subscriptions=yes", show_default=False
        ),
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="How many keys.")] = None,
    name: Annotated[str | None, typer.Option(help="Their name; {n} in it is the number of each.")] = None,
    plan: Annotated[str | None, typer.Option(metavar="NAME", help="Copy the terms and placement of this plan.")] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="A key for each name in this table's column name.")
    ] = None,
    links: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a table of numbers, names and links to this new file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create keys alike, all usable when this command ends."""
    from keystead.cli.client import connect

    if (count is None) is (csv is None):
        raise typer.BadParameter("say how many with --count, or name them in a table with --csv")
    if links is not None and links.exists():
        raise Invalid(f"{links} exists; name a new file")
    body = {"name": name, "plan": plan, "count": count, **_settings(settings)}
    if csv is not None:
        body["names"] = tables.column(csv, ("name",))
    order = {"action": "create", "create": {field: value for field, value in body.items() if value is not None}}
    with connect(context) as client:
        done = _BULK.watched(client, client.post(BULK, order), is_quiet=as_json)
        if links is not None:
            _write_links(client, done["id"], links)
    output.answer(
        {"bulk": done, "links": links and str(links)}, as_json, lambda shown: bulktables.say_done(shown["bulk"])
    )
    _check(done)


@app.command("extend")
def extend(
    context: typer.Context,
    days: Annotated[str, typer.Argument(metavar="DAYS", help="Days of 24 hours: 30, 30d or 2w.")],
    which: Which = None,
    csv: CsvFile = None,
    dry_run: DryRun = False,
    approve: Approve = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Move the ends of keys; those that have expired connect again for so many days from now."""
    order = {"action": "extend", "days": amounts.days(days), "where": _where(which, csv)}
    _change(context, order, Approval(dry_run, approve, yes), as_json)


@app.command("topup")
def top_up(
    context: typer.Context,
    size: Annotated[str, typer.Argument(metavar="SIZE", help="Bytes beside the quota: 10GB, 10GiB.")],
    which: Which = None,
    csv: CsvFile = None,
    dry_run: DryRun = False,
    approve: Approve = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give keys bytes beside their quotas; those that were cut connect again."""
    order = {"action": "top-up", "bytes": amounts.size(size), "where": _where(which, csv)}
    _change(context, order, Approval(dry_run, approve, yes), as_json)


def _add_plain(action: str, told: str) -> None:
    """Add a command for an action that has nothing to say beside which keys are meant."""

    @app.command(action, help=told)
    def command(
        context: typer.Context,
        which: Which = None,
        csv: CsvFile = None,
        dry_run: DryRun = False,
        approve: Approve = None,
        yes: Yes = False,
        as_json: AsJson = False,
    ) -> None:
        _change(context, {"action": action, "where": _where(which, csv)}, Approval(dry_run, approve, yes), as_json)


_add_plain(
    "disable",
    """Disable keys: they are cut, and stay listed.

    Conditions: plan=month-50g, state=active, name='batch-*', placement=shared, created-after=2027-01-01,
    created-before, expires-after, expires-before.
    """,
)
_add_plain("enable", "Enable disabled keys.")
_add_plain("delete", "Delete keys for good.")


@app.command("move")
def move(
    context: typer.Context,
    placement: Annotated[str, typer.Argument(metavar="shared|own-port", help="Where to.")],
    which: Which = None,
    csv: CsvFile = None,
    dry_run: DryRun = False,
    approve: Approve = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Move keys to the shared port or to ports of their own; their links change, the former ones go on for a while."""
    order = {"action": "move", "placement": placement, "where": _where(which, csv)}
    _change(context, order, Approval(dry_run, approve, yes), as_json)


@app.command("list")
def list_(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List bulks, the newest first."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.pages(BULK, limit=limit), as_json, bulktables.say_bulks)


@app.command("show")
def show(context: typer.Context, bulk: Id, as_json: AsJson = False) -> None:
    """Show how a bulk stands, and which keys it could not change."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.get(f"{BULK}/{bulk}")
        found["refusals"] = client.get(f"{BULK}/{bulk}/results", {"outcome": "refused", "limit": 100})["items"]
    output.answer(found, as_json, bulktables.say_bulk)


_BULK.add_acts(app, "pause", "continue", "cancel")


@app.command("links")
def links(
    context: typer.Context,
    bulk: Id,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; it must not exist.")],
    as_json: AsJson = False,
) -> None:
    """Write the links of a bulk's keys to a table: number, id, uuid, name, link, subscription."""
    from keystead.cli.client import connect

    with connect(context) as client:
        _write_links(client, bulk, file)
    output.answer({"links": str(file)}, as_json, lambda shown: output.say(f"the links are in {shown['links']}"))


def _change(context: typer.Context, order: Mapping[str, Any], approval: Approval, as_json: bool) -> None:
    from keystead.cli.client import connect

    with connect(context) as client:
        plan = client.post(BULK, {**order, "dry_run": True})
        if not as_json:
            bulktables.say_plan(plan)
        if approval.is_dry or not plan["change"]:
            output.answer({"plan": plan, "bulk": None}, as_json, lambda _: None)
            return
        question = f"{plan['action'].capitalize()} {bulktables.counted(plan['change'])}?"
        asking.confirm(question, is_given=approval.is_agreed, digest=plan["digest"])
        begun = client.post(BULK, {**order, "digest": approval.digest or plan["digest"]})
        done = _BULK.watched(client, begun, is_quiet=as_json)
    output.answer({"plan": plan, "bulk": done}, as_json, lambda shown: bulktables.say_done(shown["bulk"]))
    _check(done, refused=plan["refused"])


def _check(done: Mapping[str, Any], *, refused: int = 0) -> None:
    """End with 1 when a bulk did not do what was planned."""
    if done["state"] != "done" or done["outcomes"].get("refused", 0) > refused:
        raise typer.Exit(1)


def _write_links(client: "Client", bulk: int, file: Path) -> None:
    with written_beside(file) as target:
        client.fetch(f"{BULK}/{bulk}/links", {"format": "csv"}, target)


def _where(which: Sequence[str] | None, csv: Path | None) -> dict[str, Any]:
    """Return which keys are meant; raise BadParameter for a word that says nothing."""
    where: dict[str, Any] = {}
    keys: list[str] = [] if csv is None else tables.column(csv, _KEY_COLUMNS)
    for word in which or ():
        field, equals, value = word.partition("=")
        if not equals:
            keys += [word] if word != _ALL else []
            where |= {"every": True} if word == _ALL else {}
        elif field in _CONDITIONS:
            where[field] = value
        elif field in _MOMENTS:
            where[field.replace("-", "_")] = amounts.moment(value)
        else:
            known = ", ".join((*_CONDITIONS, *_MOMENTS))
            raise typer.BadParameter(f"{field} is no condition; write one of {known}, a key, or all")
    if keys or csv is not None:
        where["keys"] = keys
    if not where:
        raise typer.BadParameter("say which keys, as in: plan=month-50g, name='batch-*', 12, or all")
    return where


def _settings(given: Iterable[str] | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in given or ():
        name, _, value = text.partition("=")
        if name not in _SETTINGS or not value:
            raise typer.BadParameter(f"{text!r} is no setting; write SETTING=VALUE with one of: {', '.join(_SETTINGS)}")
        found[name] = {"first": amounts.whole, "subscriptions": amounts.yes}.get(name, str)(value)
    return found
