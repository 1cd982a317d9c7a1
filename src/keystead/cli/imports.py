"""``keystead import``: what becomes of another panel's customers, and then exactly that."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keystead.cli import asking, output
from keystead.cli.approving import Approve
from keystead.cli.backups import PassphraseFile
from keystead.cli.where import AsJson, where

if TYPE_CHECKING:
    from keystead.importing.planvalue import ImportPlan
    from keystead.kit.age import Unlock
    from keystead.vpn.takeover import Taken


# As importing.found.Source has them; help does not load the readers.
PANELS = ("3x-ui", "marzban", "pasarguard", "remnawave", "veil-xray", "veil-v2ray", "keystead")


def import_(  # noqa: PLR0913 - each is an argument or an option of the command
    context: typer.Context,
    panel: Annotated[
        str,
        typer.Argument(metavar="PANEL[=NAME]", help=f"{', '.join(PANELS)}; a name where two of a kind are imported."),
    ],
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="The panel's files; docs/import says which.")],
    approve: Approve = None,
    prefer: Annotated[
        list[str] | None, typer.Option(metavar="INBOUND", help="Which inbound wins; repeat it, the most wanted first.")
    ] = None,
    core: Annotated[str | None, typer.Option(help="Which of several configurations of Xray.")] = None,
    identity: Annotated[
        Path | None, typer.Option(help="The age identity file that opens an export of Keystead; else a passphrase.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Take over customers of another panel with their links; without --approve only say what would become of them."""
    from datetime import UTC, datetime

    from keystead import taking_over
    from keystead.importing import printing, sources
    from keystead.importing.found import Source
    from keystead.main import SCOPE

    kind, _, origin = panel.partition("=")
    if kind not in PANELS:
        raise typer.BadParameter(f"{kind} is none of {', '.join(PANELS)}", param_hint="PANEL")
    settings, source = where(context).settings(), Source(kind)
    unlock = _unlock(identity, passphrase_file) if source is Source.KEYSTEAD else None
    output.progress("reading")
    found = sources.read(source, files, sources.Beside(core, unlock), now=datetime.now(UTC))
    answers = taking_over.Answers(tuple(prefer or ()), origin or None)
    if approve is None:
        plan = taking_over.plan(settings, found, answers)
        output.answer(printing.as_json(plan), as_json, lambda _: _say_plan(plan, printing.as_text(plan)))
        return
    plan, taken = taking_over.apply(settings, SCOPE, found, answers, digest=approve, progress=output.progress)
    body = {"digest": plan.digest, "counts": plan.counts, "taken": asdict(taken)}
    output.answer(body, as_json, lambda _: _say_taken(plan, taken))


def _unlock(identity: Path | None, passphrase_file: Path | None) -> "Unlock":
    from keystead.kit.age import Unlock

    if identity is not None:
        return Unlock(identity=asking.read("Identity", identity, option="--identity"))
    return Unlock(asking.secret("Passphrase", passphrase_file, option="--passphrase-file", is_new=False))


def _say_plan(plan: "ImportPlan", text: str) -> None:
    output.say(text)
    if plan.questions:
        output.say("next       answer what is to be decided with --prefer INBOUND, and look at the plan again")
    if not plan.is_empty:
        output.say(f"next       stop Keystead, and run the same command with --approve {plan.digest[:16]}")


def _say_taken(plan: "ImportPlan", taken: "Taken") -> None:
    counts = plan.counts
    plans = f" and {taken.plans:,} plans" if taken.plans else ""
    if plan.is_empty:
        output.say(f"nothing is left to take over: {counts['there']:,} customers are here already")
    else:
        output.say(
            f"{taken.keys:,} keys are here now, with {taken.inbounds:,} new inbounds and "
            f"{taken.subscriptions:,} subscription addresses{plans}; {counts['there']:,} were here already"
        )
    left = counts["collisions"] + counts["questions"] + counts["not_carried"]
    if left:
        output.say(f"{left:,} customers are not taken over; the plan says why")
    if taken.renumbered:
        output.say(f"{taken.renumbered:,} keys have another number than before, since theirs was given out here")
    for step in _next_steps(plan) if taken.keys else ():
        output.say(f"next       {step}")


def _next_steps(plan: "ImportPlan") -> Sequence[str]:
    ports = sorted({planned.found.port for planned in plan.inbounds})
    shown = ", ".join(map(str, ports[:8])) + (f" and {len(ports) - 8:,} more" if len(ports) > 8 else "")
    return (
        "stop the old panel and its Xray, and keep them from starting again",
        f"start Keystead, and let TCP port {shown} through the firewall",
        "point the name or address in the customers' links at this machine, if it is another one",
    )
