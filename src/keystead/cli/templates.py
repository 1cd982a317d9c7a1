"""``keystead template …`` and ``keystead rollout …``: records and redirects by a name, applied to many zones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from keystead.cli import asking, output, templatetables
from keystead.cli.approving import Yes
from keystead.cli.underway import Underway
from keystead.cli.where import AsJson
from keystead.kit.errors import Invalid, Misconfigured

app = typer.Typer(no_args_is_help=True, help="Templates of records and redirects, applied to many zones as one plan.")
rollouts = typer.Typer(no_args_is_help=True, help="Rollouts: templates being applied, and what they did to which zone.")

TEMPLATES, ROLLOUTS = "/v1/templates", "/v1/rollouts"
_ALL = "all"
_ROLLOUT = Underway(
    ROLLOUTS,
    "rollout",
    "rollout",
    lambda found: found["message"] or str(found["state"]),
    templatetables.say_done,
    open_states=frozenset({"planning", "applying"}),
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The template's name.")]
Id = Annotated[int, typer.Argument(metavar="ID", help="The rollout's number.")]


@app.callback()
def template() -> None:
    """Templates of records and redirects, applied to many zones as one plan."""


@rollouts.callback()
def rollout() -> None:
    """Rollouts: templates being applied, and what they did to which zone."""


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the templates."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.get(TEMPLATES)["items"], as_json, templatetables.say_templates)


@app.command("show")
def show(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show what a template says."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.get(f"{TEMPLATES}/{name}"), as_json, templatetables.say_template)


@app.command("set")
def set_(
    context: typer.Context,
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON with records and redirects.")],
    as_json: AsJson = False,
) -> None:
    """Keep a template by a name, in the place of the one that has it; nothing is applied by that."""
    from keystead.cli.client import connect

    body = _read(file)
    with connect(context) as client:
        output.answer(client.put(f"{TEMPLATES}/{name}", body), as_json, templatetables.say_template)


@app.command("rm")
def remove(context: typer.Context, name: Name, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a template; what it made stays where it is."""
    from keystead.cli.client import connect

    asking.confirm(f"Delete the template {name}?", is_given=yes)
    with connect(context) as client:
        client.delete(f"{TEMPLATES}/{name}")
    output.answer({"deleted": name}, as_json, lambda _: output.say(f"template {name} is deleted"))


@app.command("apply")
def apply(
    context: typer.Context,
    name: Name,
    zones: Annotated[list[str], typer.Argument(metavar="ZONE…", help="Zones by name or number, or the word all.")],
    values: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A placeholder.")] = None,
    force: Annotated[
        list[str] | None, typer.Option(metavar="ZONE|DIGEST", help="Let this zone, or all of the plan, lose more.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only plan, and show the plan.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Plan a template for zones, show the plan, and carry it out when you agree."""
    from keystead.cli.client import connect

    chosen: dict[str, Any] = {"every": True} if zones == [_ALL] else {"zones": zones}
    body = {"template": name, "values": _values(values), **chosen}
    with connect(context) as client:
        plan = _ROLLOUT.watched(client, client.post(ROLLOUTS, body), is_quiet=as_json)
        if not as_json:
            templatetables.say_plan(plan, client.pages(f"{ROLLOUTS}/{plan['id']}/zones"))
        if dry_run or not plan["outcomes"].get("planned"):
            output.answer(plan, as_json, lambda _: None)
            return
        asking.confirm(f"Change {plan['outcomes']['planned']:,} zones?", is_given=yes)
        start = {"digest": plan["digest"], "force": list(force or ())}
        done = _ROLLOUT.watched(client, client.post(f"{ROLLOUTS}/{plan['id']}/start", start), is_quiet=as_json)
    output.answer(done, as_json, templatetables.say_done)
    _check(done)


@rollouts.command("list")
def list_rollouts(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List rollouts, the newest first."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.pages(ROLLOUTS, limit=limit), as_json, templatetables.say_rollouts)


@rollouts.command("show")
def show_rollout(context: typer.Context, number: Id, as_json: AsJson = False) -> None:
    """Show how a rollout stands, and what it does to which zone."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.get(f"{ROLLOUTS}/{number}")
        found["zones"] = client.pages(f"{ROLLOUTS}/{number}/zones")
    output.answer(found, as_json, lambda told: templatetables.say_plan(told, told["zones"]))


@rollouts.command("start")
def start_rollout(
    context: typer.Context,
    number: Id,
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="The digest of the plan you reviewed.")],
    force: Annotated[
        list[str] | None, typer.Option(metavar="ZONE|DIGEST", help="Let this zone, or all of the plan, lose more.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Carry out a plan that was reviewed."""
    from keystead.cli.client import connect

    with connect(context) as client:
        begun = client.post(f"{ROLLOUTS}/{number}/start", {"digest": digest, "force": list(force or ())})
        done = _ROLLOUT.watched(client, begun, is_quiet=as_json)
    output.answer(done, as_json, templatetables.say_done)
    _check(done)


_ROLLOUT.add_acts(rollouts, "cancel")


def _check(done: Mapping[str, Any]) -> None:
    """End with 1 when a rollout did not do all that was planned."""
    if done["state"] != "done" or done["outcomes"].get("failed") or done["outcomes"].get("refused"):
        raise typer.Exit(1)


def _read(file: Path) -> Any:
    import orjson

    try:
        return orjson.loads(file.read_bytes())
    except OSError as error:
        raise Misconfigured(f"{file} cannot be read: {error}") from error
    except orjson.JSONDecodeError as error:
        raise Invalid(f"{file} is no JSON: {error}") from error


def _values(given: Sequence[str] | None) -> dict[str, str]:
    found = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is no value; write --set NAME=VALUE")
        found[name] = value
    return found
