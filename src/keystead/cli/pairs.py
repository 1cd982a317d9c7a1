"""``keystead vpn pair …``: the REALITY key pair that links carry, another one beside it, and turning from one to it."""

from typing import Annotated, Any

import typer

from keystead.cli import amounts, asking, output, upgrading
from keystead.cli.approving import Approval, Approve, DryRun, Yes
from keystead.cli.where import AsJson

app = typer.Typer(no_args_is_help=True, help="REALITY key pairs: rotate the one that links carry.")

PAIR = "/v1/vpn/pair"
_DAYS = "30d"


@app.command("show")
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the pair that links carry, the second one if two are served, and which keys were seen at that."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.get(PAIR)
        found["uses"] = client.pages(f"{PAIR}/uses") if found["second"] else []
    output.answer(found, as_json, _say)


@app.command("rotate")
def rotate(
    context: typer.Context,
    keep_old: Annotated[
        str, typer.Option(metavar="TIME", help="How long links with the old pair go on connecting; 0s for not at all.")
    ] = _DAYS,
    approve: Approve = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Have links carry a new pair; those with the old one go on connecting for a while. Customers notice nothing."""
    wish = {"act": "rotate", "keep_s": amounts.duration(keep_old)}
    _change(context, wish, Approval(dry_run, approve, yes), as_json)


@app.command("revert")
def revert(
    context: typer.Context,
    keep: Annotated[
        str, typer.Option(metavar="TIME", help="How long links with the other pair go on connecting.")
    ] = _DAYS,
    approve: Approve = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Have links carry the second pair, as they did before; those with the other one go on connecting for a while."""
    wish = {"act": "revert", "keep_s": amounts.duration(keep)}
    _change(context, wish, Approval(dry_run, approve, yes), as_json)


@app.command("retire")
def retire(
    context: typer.Context,
    approve: Approve = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """End the second pair now, and delete it: links with it do not connect any more."""
    _change(context, {"act": "retire"}, Approval(dry_run, approve, yes), as_json)


def _change(context: typer.Context, wish: dict[str, Any], approval: Approval, as_json: bool) -> None:
    from keystead.cli.client import connect

    with connect(context) as client:
        plan = client.post(PAIR, {**wish, "dry_run": True})
        if not as_json:
            output.say(f"{plan['text']}\n  digest         {plan['digest']}")
        if approval.is_dry:
            output.answer({"plan": plan, "pairs": None}, as_json, lambda _: None)
            return
        asking.confirm("Do it?", is_given=approval.is_agreed, digest=plan["digest"])
        body = {**wish, "digest": approval.digest or plan["digest"]}
        upgrading.do_watched(context, client, PAIR, body, scope=plan["scope"], is_quiet=as_json)
        output.answer({"plan": plan, "pairs": client.get(PAIR)}, as_json, lambda done: _say_done(done["pairs"]))


def _say_done(found: dict[str, Any]) -> None:
    second = found["second"]
    end = output.moment(second["until"]) if second and second["until"] else "their pair is retired"
    until = f"; links with {second['public_key']} connect until {end}" if second else ""
    output.say(f"done; links carry {found['linked']['public_key']}{until}")


def _say(found: dict[str, Any]) -> None:
    linked, second = found["linked"], found["second"]
    fields: list[tuple[str, object]] = [
        ("links carry", linked["public_key"]),
        ("made", output.moment(linked["made_at"])),
        ("ports", linked["ports"]),
        ("keys", linked["keys"]),
    ]
    if second is not None:
        fields += [
            ("second pair", second["public_key"]),
            ("made", output.moment(second["made_at"])),
            *([("taken over from", second["origin"])] if second["origin"] else []),
            ("stage", f"{second['stage']}, since {output.moment(second['turned_at'])}"),
            ("served until", output.moment(second["until"]) if second["until"] else "it is retired"),
            ("used by", _used(second)),
        ]
    output.say_fields(fields)
    if second is None:
        return
    output.say("")
    rows = [
        (use["key_number"], use["name"], use["connections"], output.moment(use["last_used_at"]))
        for use in sorted(found["uses"], key=lambda use: str(use["last_used_at"]), reverse=True)
    ]
    columns = ("key", "name", "connections with it now", "last seen with it")
    output.say_table(columns, rows, nothing="No key was seen with the second pair yet.")


def _used(second: dict[str, Any]) -> str:
    connected = "unknown" if second["keys_connected"] is None else str(second["keys_connected"])
    since = "it was taken over" if second["origin"] else "links turned"
    return f"{connected} keys now, {second['keys_seen']} since {since}"
