"""How commands about bulks speak to people: plans, progress, outcomes."""

from collections.abc import Mapping, Sequence
from typing import Any

from keystead.cli import output

_REFUSALS_SHOWN = 20


def say_plan(plan: Mapping[str, Any]) -> None:
    are = "is" if plan["same"] == 1 else "are"
    output.say(f"{plan['action']}: {counted(plan['change'])}; {plan['same']:,} {are} so already")
    for key in plan["sample"]:
        output.say(f"  {key['number']}  {output.shown(key['name'])}")
    if plan["change"] > len(plan["sample"]):
        output.say(f"  and {plan['change'] - len(plan['sample']):,} more")
    if plan["refused"]:
        output.say(f"{plan['refused']:,} cannot be changed:")
    say_refusals(plan["refusals"])
    output.say(f"digest {plan['digest']}")


def counted(keys: int) -> str:
    return "1 key" if keys == 1 else f"{keys:,} keys"


def say_refusals(refusals: Sequence[Mapping[str, Any]]) -> None:
    for one in refusals[:_REFUSALS_SHOWN]:
        output.say(f"  {output.shown(one['number'] or one['key'])}  {output.shown(one['reason'])}")
    if len(refusals) > _REFUSALS_SHOWN:
        output.say("  …")


def say_done(bulk: Mapping[str, Any]) -> None:
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted((bulk["outcomes"] or {}).items()))
    output.say(f"bulk {bulk['id']} is {bulk['state']}: {counts or 'nothing'}")
    if bulk["message"]:
        output.say(output.shown(bulk["message"]))
    if (bulk["outcomes"] or {}).get("refused"):
        output.say(f"which ones, and why: keystead vpn bulk show {bulk['id']}")


def say_bulk(found: Mapping[str, Any]) -> None:
    names = ("id", "action", "state", "done", "total", "message", "asked_by")
    moments = [(name, output.moment(found[name])) for name in ("created_at", "ended_at")]
    outcomes = [(outcome, count) for outcome, count in (found["outcomes"] or {}).items() if outcome != "done"]
    output.say_fields([*((name, found[name]) for name in names), *moments, *outcomes])
    say_refusals(found["refusals"])


def say_bulks(found: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (*(one[name] for name in ("id", "action", "state", "done", "total")), output.moment(one["created_at"]))
        for one in found
    ]
    columns = ("id", "action", "state", "done", "total", "asked for (UTC)")
    output.say_table(columns, rows, nothing="No bulk was asked for yet.")
