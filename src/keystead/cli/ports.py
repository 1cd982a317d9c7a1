"""``keystead vpn ports …``: the ports that keys have for their own."""

from typing import Any

import typer

from keystead.cli import asking, output
from keystead.cli.approving import Yes
from keystead.cli.where import AsJson

app = typer.Typer(no_args_is_help=True, help="Ports that keys have for their own.")


@app.callback()
def ports() -> None:
    """Ports that keys have for their own."""


@app.command("reset")
def reset(context: typer.Context, yes: Yes = False, as_json: AsJson = False) -> None:
    """Give keys whose port is outside the range, or does not listen, another one; the others keep theirs."""
    from keystead.cli.client import connect

    asking.confirm("Give such keys another port? Their links change.", is_given=yes)
    with connect(context) as client:
        done = client.post("/v1/vpn/ports/reset", {})
    output.answer(done, as_json, _say)


def _say(done: dict[str, Any]) -> None:
    rows = [[key["number"], key["id"], key["port"]] for key in done["moved"]]
    output.say_table(("key", "id", "new port"), rows, nothing="No key was moved.")
    output.say(f"{done['kept']} keys kept their port")
