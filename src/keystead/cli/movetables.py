"""How commands about domain moves speak to people: plans, progress, results."""

from collections.abc import Mapping, Sequence
from typing import Any

from keystead.cli import output

_SHOWN = 20
_ORDER = (
    "zone",
    "records",
    "name-servers",
    "by-hand",
    "delegation",
    "activation",
    "restore",
    "restored",
    "zone-removal",
)


def say_plan(plan: Mapping[str, Any]) -> None:
    """Print a plan: counts, the first domains that are moved, and every one that cannot be."""
    output.say(
        f"{plan['change']:,} domains are moved, {plan['zones_made']:,} zones made; {plan['same']:,} are so already"
    )
    if plan["by_hand"]:
        output.say(f"{plan['by_hand']:,} of them no registrar here has: you set their name servers, and are told which")
    changed = [one for one in plan["items"] if one["fate"] == "change"]
    for one in changed[:_SHOWN]:
        output.say(f"  {one['domain']}  {_step(one)}")
    if len(changed) > _SHOWN:
        output.say(f"  and {len(changed) - _SHOWN:,} more")
    refused = [one for one in plan["items"] if one["fate"] == "refused"]
    if refused:
        output.say(f"{len(refused):,} cannot be moved:")
    for one in refused:
        output.say(f"  {output.shown(one['domain'])}  {output.shown(one['note'])}")
    output.say(f"digest {plan['digest']}")


def say_done(move: Mapping[str, Any]) -> None:
    """Print in a line how a move stands."""
    counts = ", ".join(f"{count:,} {state}" for state, count in move["states"].items() if count)
    output.say(f"move {move['id']} is {move['state']}: {counts or 'nothing'}")
    if move["message"]:
        output.say(output.shown(move["message"]))
    if move["stages"].get("by-hand"):
        output.say(f"name servers for you to set: keystead domain move show {move['id']}")
    if move["states"].get("failed"):
        output.say(f"which ones, and why: keystead domain move show {move['id']}")


def say_move(found: Mapping[str, Any]) -> None:
    """Print a move with the domains that failed."""
    names = ("id", "direction", "undoes", "state", "done", "total", "message", "asked_by")
    moments = [(name, output.moment(found[name])) for name in ("created_at", "ended_at")]
    output.say_fields([*((name, found[name]) for name in names), *moments, ("under way", stages(found))])
    if found["by_hand"]:
        output.say(f"{len(found['by_hand']):,} wait for you:")
    for one in found["by_hand"]:
        output.say(f"  {one['domain']}  {output.shown(one['reason'] or 'set its name servers at its registrar')}")
    say_results(found["failed"])


def say_moves(found: Sequence[Mapping[str, Any]]) -> None:
    """Print a table of moves."""
    rows = [
        (*(one[name] for name in ("id", "direction", "state", "done", "total")), output.moment(one["created_at"]))
        for one in found
    ]
    columns = ("id", "direction", "state", "done", "total", "asked for (UTC)")
    output.say_table(columns, rows, nothing="No move was asked for yet.")


def say_results(found: Sequence[Mapping[str, Any]]) -> None:
    """Print a table of domains."""
    rows = [
        (one["domain"], one["state"], "" if one["state"] == "done" else one["stage"], one["reason"], one["previous"])
        for one in found
    ]
    output.say_table(("domain", "state", "stage", "reason", "previous name servers"), rows, nothing="No domain failed.")


def stages(move: Mapping[str, Any]) -> str:
    """Return at which stage how many domains are."""
    there = move["stages"]
    return ", ".join(f"{there[stage]:,} at {stage}" for stage in _ORDER if there.get(stage)) or "nothing"


def _step(one: Mapping[str, Any]) -> str:
    zone = "a zone is made" if one["makes_zone"] else one["note"] or "its zone is there"
    records = f", records of {one['source']}" if one["source"] else ""
    if one["by_hand"]:
        where = "you set its name servers at its registrar"
    else:
        where = f"name servers at {one['registrar']} with key {one['registrar_credential_id']}"
    now = ", ".join(one["delegated"]) or "nobody"
    return f"{zone}{records}; {where}; delegated to {now}"
