"""``keystead webhook …``: URLs that are told of events, a test, and the log of deliveries."""

from typing import Annotated, Any

import typer

from keystead.cli import asking, output
from keystead.cli.approving import Yes
from keystead.cli.where import AsJson

app = typer.Typer(no_args_is_help=True, help="Webhooks: URLs that are told what happens.")

WEBHOOKS = "/v1/webhooks"

WebhookId = Annotated[int, typer.Argument(metavar="WEBHOOK", help="The webhook's number.")]
Number = Annotated[int, typer.Argument(metavar="DELIVERY", help="The delivery's number.")]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many.", show_default="all")]


@app.command("add")
def add(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="Where to send: https://…")],
    event: Annotated[
        list[str] | None,
        typer.Option(metavar="EVENT", help="An event it is told of; repeatable.", show_default="every event"),
    ] = None,
    description: Annotated[str, typer.Option(help="What it is for.", show_default="none")] = "",
    as_json: AsJson = False,
) -> None:
    """Add a webhook; its secret is printed this once."""
    from keystead.cli.client import connect

    body = {"url": url, "events": event or [], "description": description}
    with connect(context) as client:
        made = client.post(WEBHOOKS, body)
    output.answer(made, as_json, _say_secret)


@app.command("list")
def list_(context: typer.Context, limit: Limit = None, as_json: AsJson = False) -> None:
    """List webhooks and how they are doing."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.pages(WEBHOOKS, limit=limit), as_json, _say_webhooks)


@app.command("show")
def show(context: typer.Context, webhook: WebhookId, as_json: AsJson = False) -> None:
    """Show a webhook, without its secret."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.get(f"{WEBHOOKS}/{webhook}"), as_json, _say_webhook)


@app.command("rm")
def remove(context: typer.Context, webhook: WebhookId, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a webhook with its log; what waits for it is not sent."""
    from keystead.cli.client import connect

    asking.confirm(f"Delete webhook {webhook} and its log?", is_given=yes)
    with connect(context) as client:
        client.delete(f"{WEBHOOKS}/{webhook}")
    output.answer({"deleted": webhook}, as_json, lambda _: output.say(f"webhook {webhook} is deleted"))


@app.command("enable")
def enable(context: typer.Context, webhook: WebhookId, as_json: AsJson = False) -> None:
    """Enable a webhook again; what waits for it is sent."""
    _change(context, webhook, {"is_enabled": True}, as_json)


@app.command("disable")
def disable(context: typer.Context, webhook: WebhookId, as_json: AsJson = False) -> None:
    """Send nothing to a webhook until it is enabled again; events meanwhile are not kept for it."""
    _change(context, webhook, {"is_enabled": False}, as_json)


@app.command("rotate")
def rotate(context: typer.Context, webhook: WebhookId, as_json: AsJson = False) -> None:
    """Make a new secret, printed this once; the old one signs beside it for a day."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.post(f"{WEBHOOKS}/{webhook}/secret"), as_json, _say_secret)


@app.command("test")
def send_test(context: typer.Context, webhook: WebhookId, as_json: AsJson = False) -> None:
    """Send a test event now and tell how it went; exit with 1 when it did not arrive."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.post(f"{WEBHOOKS}/{webhook}/test")
    _tell(found, as_json)


@app.command("deliveries")
def deliveries(
    context: typer.Context,
    webhook: WebhookId,
    state: Annotated[
        str | None, typer.Option(help="Only those waiting, delivered or given-up.", show_default="all")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many, newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what was sent to a webhook and what waits, newest first."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.pages(f"{WEBHOOKS}/{webhook}/deliveries", {"state": state}, limit=limit)
    output.answer(found, as_json, _say_deliveries)


@app.command("delivery")
def delivery(context: typer.Context, webhook: WebhookId, number: Number, as_json: AsJson = False) -> None:
    """Show a delivery and every attempt of it."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.get(f"{WEBHOOKS}/{webhook}/deliveries/{number}"), as_json, _say_delivery)


@app.command("redeliver")
def redeliver(context: typer.Context, webhook: WebhookId, number: Number, as_json: AsJson = False) -> None:
    """Send a delivery again under the same event id; exit with 1 when it did not arrive."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.post(f"{WEBHOOKS}/{webhook}/deliveries/{number}/redeliver")
    _tell(found, as_json)


def _change(context: typer.Context, webhook: int, changes: dict[str, object], as_json: bool) -> None:
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.patch(f"{WEBHOOKS}/{webhook}", changes), as_json, _say_webhook)


def _tell(found: dict[str, Any], as_json: bool) -> None:
    output.answer(found, as_json, _say_delivery)
    if found["state"] != "delivered":
        raise typer.Exit(1)


def _say_secret(made: dict[str, Any]) -> None:
    output.note(f"webhook {made['id']} for {made['url']}: keep its secret well, it is shown this once")
    output.say(str(made["secret"]))


def _say_webhook(shown: dict[str, Any]) -> None:
    output.say_fields((name, value or "every event" if name == "events" else value) for name, value in shown.items())


def _say_webhooks(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            webhook["id"],
            webhook["url"],
            webhook["events"] or "every event",
            webhook["is_enabled"],
            webhook["failures"],
            webhook["disabled_reason"] or webhook["description"],
        )
        for webhook in found
    ]
    columns = ("id", "url", "events", "enabled", "failures", "note")
    output.say_table(columns, rows, nothing="There are no webhooks; add one with: keystead webhook add URL")


def _say_deliveries(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            delivery["number"],
            output.moment(delivery["created_at"]),
            delivery["event"],
            delivery["subject"],
            delivery["state"],
            delivery["attempts"],
            output.moment(delivery["next_attempt_at"]),
        )
        for delivery in found
    ]
    columns = ("number", "at (UTC)", "event", "subject", "state", "attempts", "next attempt (UTC)")
    output.say_table(columns, rows, nothing="Nothing was sent to this webhook yet.")


def _say_delivery(found: dict[str, Any]) -> None:
    output.say(f"delivery {found['number']}, {found['event']} ({found['event_id']}): {found['state']}")
    output.say_fields([("  body", found["body"])])
    for entry in found["log"]:
        told = entry["problem"] if entry["status"] is None else f"status {entry['status']}"
        output.say(f"  {output.moment(entry['at'])} UTC, {entry['duration_ms']} ms: {told}")
    if found["next_attempt_at"] is not None:
        output.say(f"  next attempt {output.moment(found['next_attempt_at'])} UTC")
