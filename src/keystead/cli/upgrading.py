"""``keystead engine restart`` and ``upgrade``: read what would be done, agree, and watch it being done."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keystead.cli import asking, output
from keystead.cli.answers import Answered
from keystead.cli.approving import Approval, Approve, DryRun, Yes
from keystead.cli.where import AsJson, where
from keystead.kit.errors import Conflict, Invalid

if TYPE_CHECKING:
    from concurrent.futures import Future

    from keystead.cli.client import Client

DEFAULT_SCOPE = "xray/main"
_POLL_S = 0.2
_STAGES = ("starting", "started", "warm", "listening", "proven", "draining", "done")
_TOLD = {
    "starting": "a process is started beside the one that serves",
    "started": "it runs",
    "warm": "it is warm: a dial through it came back",
    "listening": "it has taken the listeners over as well",
    "proven": "it is proven in public: a dial from outside came back through it",
    "draining": "the process before takes no new connections",
    "done": "the process before has ended",
}

Scope = Annotated[str, typer.Argument(metavar="SCOPE", help="The part of an engine, as ENGINE/NAME.")]


def restart(
    context: typer.Context,
    scope: Scope = DEFAULT_SCOPE,
    yes: Yes = False,
    dry_run: DryRun = False,
    approve: Approve = None,
    as_json: AsJson = False,
) -> None:
    """Put a fresh process of the same program in the place of the one that serves; customers notice nothing."""
    _replace(context, scope, {"kind": "restart"}, Approval(dry_run, approve, yes), as_json)


def upgrade(
    context: typer.Context,
    scope: Scope = DEFAULT_SCOPE,
    keeper: Annotated[
        bool, typer.Option("--keeper", help="Put a new keeper in the place of the old one, too.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    approve: Approve = None,
    as_json: AsJson = False,
) -> None:
    """Put the program that would be chosen now in the place of the one that serves; customers notice nothing.

    Stricter KEYSTEAD_VPN_CLIENT_VERSIONS come into force with it. A plan that locks customers out says whom and how
    many; then --yes is not enough for it, and --approve names the plan that was read.
    """
    wish = {"kind": "upgrade", "has_new_keeper": keeper}
    _replace(context, scope, wish, Approval(dry_run, approve, yes), as_json)


def _replace(context: typer.Context, scope: str, wish: dict[str, Any], approval: Approval, as_json: bool) -> None:
    if scope.count("/") != 1:
        raise Invalid(f"scope {scope}: write ENGINE/NAME, for example {DEFAULT_SCOPE}; see: keystead engine list")
    from keystead.cli.client import connect

    path = f"/v1/engines/{scope}/replacement"
    with connect(context) as client:
        plan = client.post(path, {**wish, "dry_run": True})
        if not as_json:
            output.say(plan["text"])
            if plan["is_needed"]:
                output.say(f"  digest         {plan['digest']}")
        if approval.is_dry or not plan["is_needed"]:
            output.answer({"plan": plan, "progress": None}, as_json, lambda _: None)
            return
        _approve(plan, approval)
        do_watched(context, client, path, {**wish, "digest": plan["digest"]}, scope=scope, is_quiet=as_json)
        output.answer({"plan": plan, "progress": client.get(path)}, as_json, lambda done: _say_done(done["progress"]))


def do_watched(
    context: typer.Context, client: "Client", path: str, body: dict[str, Any], *, scope: str, is_quiet: bool
) -> None:
    """Ask for something that another process takes over for, and tell each of its stages; exit 1 when it fails."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as aside:
        doing = aside.submit(_do, context, path, body)
        _watch(client, f"/v1/engines/{scope}/replacement", doing, is_quiet=is_quiet)
    try:
        doing.result()
    except Answered as error:
        if error.status != 503:
            raise
        output.shown_error(error.message)
        raise typer.Exit(1) from error


def _approve(plan: dict[str, Any], approval: Approval) -> None:
    """Have a person agree; to a plan that locks customers out by reading it, here or before."""
    if approval.digest not in (None, plan["digest"]):
        raise Conflict(f"the plan has changed since it was reviewed: its digest is {plan['digest']} now")
    if approval.digest is None and plan["losses"] and (approval.is_given or not sys.stdin.isatty()):
        raise Conflict(f"this plan locks customers out; approve it by its digest: --approve {plan['digest']}")
    asking.confirm("Do it?", is_given=approval.is_agreed, digest=plan["digest"])


def _do(context: typer.Context, path: str, body: dict[str, Any]) -> None:
    from keystead.cli.client import open_client

    with open_client(where(context).socket()) as client:
        client.post(path, body)


def _watch(client: "Client", path: str, doing: "Future[None]", *, is_quiet: bool) -> None:
    """Tell each stage once; one that was passed between two looks is told as well."""
    before = client.get(path)["serial"]
    told = 0
    while True:
        is_over = _is_done(doing)
        now = client.get(path)
        if now["serial"] != before or now["phase"] not in {"done", "draining", "failed", "none"}:
            reached = _STAGES.index(now["phase"]) + 1 if now["phase"] in _STAGES else told
            for stage in _STAGES[told : min(reached, 5)] if not is_quiet else ():
                output.note(f"  {_TOLD[stage]}")
            told = max(told, min(reached, 5))
        if is_over:
            return


def _is_done(doing: "Future[None]") -> bool:
    try:
        doing.exception(_POLL_S)
    except TimeoutError:
        return False
    return True


def _say_done(progress: dict[str, Any]) -> None:
    if progress["left"]:
        output.say(f"done; the process before ends with the last of its {progress['left']} connections")
    else:
        output.say("done; the process before has no connections left and ends")
