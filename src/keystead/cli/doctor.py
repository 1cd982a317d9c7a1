"""``keystead doctor``: what is well and what is not, asked of the running service or found out in this process."""

from typing import Any

import typer

from keystead.cli import output
from keystead.cli.where import AsJson, NotRunning, where

_SIGNS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check settings, data, engine, target and ports; exit with 1 when something has failed."""
    report = _report(context)
    output.answer(report, as_json, _say_report)
    if any(check["status"] == "fail" for check in report["checks"]):
        raise typer.Exit(1)


def _report(context: typer.Context) -> dict[str, Any]:
    from keystead.cli.client import open_client

    named = where(context)
    try:
        with open_client(named.socket()) as client:
            return {"is_running": True, **client.get("/v1/doctor")}
    except NotRunning:
        from dataclasses import asdict

        from keystead.cli import offline

        return {"is_running": False, "checks": [asdict(found) for found in offline.examine(named.settings())]}


def _say_report(report: dict[str, Any]) -> None:
    runs = "Keystead runs" if report["is_running"] else "Keystead does not run here; this is what a start would meet"
    output.say(runs)
    width = max(len(check["name"]) for check in report["checks"])
    for check in report["checks"]:
        output.say(f"{_SIGNS.get(check['status'], check['status'])}  {check['name']:<{width}}  {check['message']}")
        if check.get("next"):
            output.say(f"{'':<{width + 6}}  → {check['next']}")
