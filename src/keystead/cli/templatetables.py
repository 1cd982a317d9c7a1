"""How commands about templates and rollouts speak to people: templates, plans, progress."""

from collections.abc import Mapping, Sequence
from typing import Any

from keystead.cli import output

_STEPS_SHOWN = 20


def say_plan(plan: Mapping[str, Any], zones: Sequence[Mapping[str, Any]]) -> None:
    for zone in zones:
        if zone["outcome"] == "same":
            continue
        counts = f"{zone['create']} new, {zone['change']} changed, {zone['delete']} deleted, {zone['left']} left alone"
        output.say(f"{zone['zone']} ({zone['outcome']}): {counts}")
        for step in zone["steps"][:_STEPS_SHOWN]:
            output.say(f"  {_step(step)}")
        if len(zone["steps"]) > _STEPS_SHOWN:
            output.say(f"  and {len(zone['steps']) - _STEPS_SHOWN} more")
        if zone["reason"]:
            output.say(f"  {output.shown(zone['reason'])}")
    say_done(plan)
    for problem in plan["unsafe"]:
        output.say(f"unsafe: {problem}")
    if plan["digest"]:
        output.say(f"digest {plan['digest']}")


def _step(step: Mapping[str, Any]) -> str:
    said = {"create": f"→ {step['after']}", "delete": f"was {step['before']}"}
    told = said.get(step["verb"], f"{step['before']} → {step['after']}")
    reason = f" ({step['reason']})" if step["reason"] else ""
    return f"{step['verb']} {step['subject']}: {told}{reason}"


def say_done(found: Mapping[str, Any]) -> None:
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(found["outcomes"].items()))
    output.say(f"rollout {found['id']} is {found['state']}: {counts or 'no zone'}")
    if found["message"]:
        output.say(output.shown(found["message"]))


def say_template(found: Mapping[str, Any]) -> None:
    output.say(f"{found['name']}: {len(found['records'])} records, {len(found['redirects'])} redirects")
    for one in found["records"]:
        output.say(f"  {one['type']} {one['name']} → {one['content']}")
    for one in found["redirects"]:
        output.say(f"  redirect {one['host']}{one['path']} → {one['target']} ({one['status']})")
    if found["placeholders"]:
        output.say(f"needs values for: {', '.join(found['placeholders'])}")


def say_templates(found: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (one["name"], len(one["records"]), len(one["redirects"]), ", ".join(one["placeholders"]) or None)
        for one in found
    ]
    output.say_table(("name", "records", "redirects", "needs"), rows, nothing="There is no template yet.")


def say_rollouts(found: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (one["id"], one["template"], one["state"], one["done"], one["total"], output.moment(one["created_at"]))
        for one in found
    ]
    columns = ("id", "template", "state", "done", "total", "asked for (UTC)")
    output.say_table(columns, rows, nothing="No template was applied yet.")
