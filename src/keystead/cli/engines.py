"""``keystead plan`` and ``keystead engine …``: what would change in an engine, which one runs, and building it."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keystead.cli import output, upgrading
from keystead.cli.approving import FORMER_WORDS, Approve
from keystead.cli.where import AsJson, where
from keystead.kit.errors import Invalid

if TYPE_CHECKING:
    from keystead.ending import Ended

app = typer.Typer(no_args_is_help=True, help="Engines: the local programs Keystead drives.")

ENGINES = "/v1/engines"
_DEFAULT_SCOPE = upgrading.DEFAULT_SCOPE

app.command("restart")(upgrading.restart)
app.command("upgrade", context_settings=FORMER_WORDS)(upgrading.upgrade)


class Engine(StrEnum):
    """An engine that can be built."""

    XRAY = "xray"


def plan(
    context: typer.Context,
    scope: Annotated[
        str, typer.Argument(metavar="SCOPE", help="The part of an engine, as ENGINE/NAME.")
    ] = _DEFAULT_SCOPE,
    approve: Approve = None,
    as_json: AsJson = False,
) -> None:
    """Show what would have to change so that an engine holds what the database says."""
    from keystead.cli.client import connect

    if scope.count("/") != 1:
        raise Invalid(f"scope {scope}: write ENGINE/NAME, for example {_DEFAULT_SCOPE}; see: keystead engine list")
    with connect(context) as client:
        if approve is not None:
            done = client.post(f"{ENGINES}/{scope}/apply", {"digest": approve})
            output.answer(done or {"applied": approve}, as_json, lambda _: output.say(f"{scope}: the plan is applied"))
            return
        found = client.get(f"{ENGINES}/{scope}/plan")
    output.answer(found, as_json, _say_plan)


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the engines that run: which program, why this one, and how it is doing."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.get(ENGINES)
    output.answer(found["items"] if isinstance(found, dict) else found, as_json, _say_engines)


@app.command("install")
def install(
    context: typer.Context,
    engine: Annotated[Engine, typer.Argument(metavar="ENGINE", help="Which one.")],
    as_json: AsJson = False,
) -> None:
    """Build an engine from its pinned sources into the cache, unless it is there already."""
    from keystead.engines.xray import install as installer
    from keystead.engines.xray.toolchain import TerminalProgress

    pins = {Engine.XRAY: installer.XRAY}
    pin = pins[engine]
    progress = TerminalProgress(sys.stderr)
    try:
        path = installer.install(pin, where(context).settings().engines_cache_dir, progress=progress)
    finally:
        progress.close()
    made = {"engine": pin.name, "version": pin.version, "path": str(path)}
    output.answer(made, as_json, lambda shown: output.say(f"{pin.title}: {shown['path']}"))


@app.command("stop")
def stop(context: typer.Context, as_json: AsJson = False) -> None:
    """End the VPN engine and its keeper after Keystead was stopped, for a shutdown or a removal; connections end."""
    from dataclasses import asdict

    from keystead import ending
    from keystead.main import SCOPE

    ended = ending.end_all(where(context).settings(), SCOPE)
    output.answer({"ended": [asdict(one) for one in ended]}, as_json, lambda _: _say_ended(ended))


def _say_ended(ended: "list[Ended]") -> None:
    for one in ended:
        count = "" if one.connections is None else f" and {one.connections} connections"
        output.say(f"keeper {one.pid} has ended, with {one.cores} processes{count}")
        if not one.is_booked:
            output.note("what customers carried since Keystead was stopped could not be booked")
    if not ended:
        output.say("no keeper runs")


def _say_plan(found: dict[str, Any]) -> None:
    if not found["steps"]:
        output.say(f"{found['scope']}: nothing to do, the engine holds what the database says")
        return
    output.say(found["text"].rstrip("\n"))
    output.say(f"\napply it with: keystead plan {found['scope']} --approve {found['digest']}")


def _say_engines(found: list[dict[str, Any]]) -> None:
    rows = []
    for entry in found:
        engine = entry.get("engine") or {}
        rows.append(
            (
                entry["scope"],
                entry["state"],
                f"{entry['applied_generation']}/{entry['generation']}",
                engine.get("version"),
                engine.get("binary"),
                engine.get("why"),
                entry.get("message"),
            )
        )
    columns = ("scope", "state", "applied", "version", "program", "why this one", "message")
    output.say_table(columns, rows, nothing="No engine is configured.")
    for entry in found:
        _say_behind(entry)


def _say_behind(entry: dict[str, Any]) -> None:
    """Tell of the keepers of a scope and their processes, and what a person should know of them."""
    for keeper in entry.get("keepers") or ():
        ends = "ends with Keystead" if keeper["is_attached"] else "outlives Keystead"
        output.say(f"\nkeeper   pid {keeper['pid']}, wire {keeper['version']}, {ends}, {_since(keeper)}")
        if not keeper["is_understood"]:
            output.say("         of another version of Keystead; it is left alone, see: keystead doctor")
        for core in keeper["cores"]:
            has = "" if core["connections"] is None else f", {core['connections']} connections"
            trouble = f", trouble: {core['trouble']}" if core["trouble"] else ""
            told = f"{core['version']}, {core['state']}, pid {core['pid']}, {_since(core)}{has}{trouble}"
            output.say(f"{core['role']:<8} {told}")
    if (other := entry.get("available")) is not None:
        output.say(f"\n{other['version']} at {other['path']} would be chosen now; put it in place with:")
        output.say(f"keystead engine upgrade {entry['scope']}")
    for told in entry.get("foreign") or ():
        output.say(f"\nWARNING  somebody else listens on {told} and takes connections")


def _since(one: dict[str, Any]) -> str:
    return f"since {output.moment(one['since'])}"
