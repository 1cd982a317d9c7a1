"""``keystead vpn key …``: issue, show, cut off and count VPN keys."""

from typing import Annotated, Any

import typer

from keystead.cli import asking, bulk, clients, output, pairs, ports, terms
from keystead.cli.approving import Yes
from keystead.cli.connections import connections
from keystead.cli.where import AsJson

app = typer.Typer(no_args_is_help=True, help="VPN keys: issue them, hand over their links, meter and revoke them.")
key = typer.Typer(no_args_is_help=True, help="VPN keys.")
app.add_typer(key, name="key")
app.add_typer(terms.plan, name="plan")
terms.add_commands(key)
app.add_typer(ports.app, name="ports")
app.add_typer(pairs.app, name="pair")
app.add_typer(bulk.app, name="bulk")
app.command("connections")(connections)
app.command("compat")(clients.compat)
app.add_typer(clients.devices, name="devices")

KEYS = "/v1/vpn/keys"
Key = Annotated[str, typer.Argument(metavar="KEY", help="The key's number, id or UUID.")]


@key.command("add")
def add(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Whose key it is; names may repeat.")] = None,
    placement: Annotated[
        str | None, typer.Option(help="How the key sits in the engine.", show_default="shared")
    ] = None,
    said: terms.Said = None,
    plan: terms.Plan = None,
    as_json: AsJson = False,
) -> None:
    """Issue a key; it works when this command ends. Its terms are those of a plan, and those named beside it."""
    from keystead.cli.client import connect

    body = {"name": name, "placement": placement, "plan": plan, "terms": terms.wish(said) or None}
    with connect(context) as client:
        made = client.post(KEYS, {field: value for field, value in body.items() if value is not None})
        made["link"] = client.get(f"{KEYS}/{made['id']}/link")["link"]
    output.answer(made, as_json, lambda shown: output.say_fields([*_fields(shown), ("link", shown["link"])]))


@key.command("list")
def list_(
    context: typer.Context,
    placement: Annotated[str | None, typer.Option(help="Only keys of this placement.")] = None,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="Only keys that are active, disabled, expired or cut.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many.", show_default="all")] = None,
    as_json: AsJson = False,
) -> None:
    """List keys."""
    from keystead.cli.client import connect

    with connect(context) as client:
        asked = {"placement": placement, "state": state, "addresses": "false"}
        found = client.pages(KEYS, asked, limit=limit)
    output.answer(found, as_json, _say_keys)


@key.command("show")
def show(context: typer.Context, key: Key, as_json: AsJson = False) -> None:
    """Show a key."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.get(f"{KEYS}/{key}"), as_json, _say_key)


@key.command("link")
def link(
    context: typer.Context,
    key: Key,
    qr: Annotated[bool, typer.Option("--qr", help="Draw it for a phone's camera as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a key's link, which is all its holder needs."""
    found = _link(context, key)

    def for_people(shown: dict[str, Any]) -> None:
        output.say(shown["link"])
        if qr:
            _draw(shown["link"])

    output.answer(found, as_json, for_people)


@key.command("qr")
def qr(context: typer.Context, key: Key, as_json: AsJson = False) -> None:
    """Draw a key's link in the terminal for a phone's camera."""
    output.answer(_link(context, key), as_json, lambda shown: _draw(shown["link"]))


@key.command("rename")
def rename(
    context: typer.Context,
    key: Key,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    as_json: AsJson = False,
) -> None:
    """Rename a key."""
    _change(context, key, {"name": name}, as_json)


@key.command("disable")
def disable(context: typer.Context, key: Key, as_json: AsJson = False) -> None:
    """Disable a key: no new connection can be made with it when this command ends."""
    _change(context, key, {"is_active": False}, as_json)


@key.command("enable")
def enable(context: typer.Context, key: Key, as_json: AsJson = False) -> None:
    """Enable a disabled key."""
    _change(context, key, {"is_active": True}, as_json)


@key.command("rm")
def remove(context: typer.Context, key: Key, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a key for good."""
    from keystead.cli.client import connect

    asking.confirm(f"Delete VPN key {key} for good?", is_given=yes)
    with connect(context) as client:
        client.delete(f"{KEYS}/{key}")
    output.answer({"deleted": key}, as_json, lambda _: output.say(f"VPN key {key} is deleted"))


@key.command("reissue")
def reissue(context: typer.Context, key: Key, yes: Yes = False, as_json: AsJson = False) -> None:
    """Give a key a new UUID and link; the old link stops working."""
    from keystead.cli.client import connect

    asking.confirm(f"Replace the UUID of VPN key {key}? Its old link stops working.", is_given=yes)
    with connect(context) as client:
        made = client.post(f"{KEYS}/{key}/reissue")
        made["link"] = client.get(f"{KEYS}/{key}/link")["link"]
    output.answer(made, as_json, lambda shown: output.say_fields([*_fields(shown), ("link", shown["link"])]))


@key.command("traffic")
def traffic(
    context: typer.Context,
    key: Key,
    reset: Annotated[bool, typer.Option("--reset", help="Start at zero; print what it had carried.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a key has carried."""
    from keystead.cli.client import connect

    with connect(context) as client:
        path = f"{KEYS}/{key}/traffic"
        found = client.post(f"{path}/reset") if reset else client.get(path)
    output.answer(found, as_json, _say_traffic)


@key.command("history")
def history(
    context: typer.Context,
    key: Key,
    by: Annotated[str, typer.Option(metavar="hour|day", help="How long a bucket is.")] = "hour",
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="RFC 3339, or a day.", show_default="a day, or a month of days"),
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="The same.", show_default="now")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a key has carried by hours or days of UTC."""
    from keystead.cli.client import connect

    query = {"step": by, "from": _moment(since), "to": _moment(until)}
    with connect(context) as client:
        found = client.get(f"{KEYS}/{key}/traffic/history", query)
    output.answer(found, as_json, _say_csv if as_csv else _say_history)


@app.command("traffic")
def account_traffic(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what all keys have carried over their lives, deleted ones included."""
    from keystead.cli.client import connect

    with connect(context) as client:
        found = client.get("/v1/vpn/traffic")
    output.answer(found, as_json, _say_traffic)


@key.command("subscription")
def subscription(
    context: typer.Context,
    key: Key,
    replace: Annotated[bool, typer.Option("--replace", help="Make a new address; the old one stops working.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the address away.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Print the address at which a key's holder gets the profile in any app's form."""
    from keystead.cli.client import connect

    if replace and revoke:
        raise typer.BadParameter("choose one of --replace and --revoke")
    if replace or revoke:
        asking.confirm(f"End the subscription address of VPN key {key} for good?", is_given=yes)
    path = f"{KEYS}/{key}/subscription"
    with connect(context) as client:
        if revoke:
            client.delete(path)
            output.answer({"revoked": key}, as_json, lambda _: output.say("the subscription is revoked"))
            return
        found = client.post(f"{path}/replace") if replace else client.get(path)
    output.answer(found, as_json, lambda shown: output.say(shown["url"]))


def _link(context: typer.Context, key: str) -> Any:
    from keystead.cli.client import connect

    with connect(context) as client:
        return client.get(f"{KEYS}/{key}/link")


def _change(context: typer.Context, key: str, changes: dict[str, object], as_json: bool) -> None:
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.patch(f"{KEYS}/{key}", changes), as_json, _say_key)


def _draw(text: str) -> None:
    import sys

    import segno

    segno.make(text, error="l").terminal(out=sys.stdout, compact=True)


def _fields(shown: dict[str, Any]) -> list[tuple[str, object]]:
    names = ("number", "id", "name", "uuid", "placement", "server_name", "short_id", "flow", "state", "created_at")
    present = ("online", "last_seen_at", "addresses")
    told = [(name, shown.get(name)) for name in (*names, *present)]
    return told + terms.use_fields(shown.get("address_use")) + terms.term_fields(shown.get("terms"))


def _say_key(shown: dict[str, Any]) -> None:
    output.say_fields(_fields(shown))


def _say_keys(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            *(key["number"], key["name"], key["id"], key["placement"], key["state"], key["online"]),
            *(output.moment(key["last_seen_at"]), output.moment(key["created_at"])),
        )
        for key in found
    ]
    columns = ("number", "name", "id", "placement", "state", "online", "last seen (UTC)", "created (UTC)")
    output.say_table(columns, rows, nothing="There are no keys yet; issue one with: keystead vpn key add NAME")


def _say_traffic(found: dict[str, Any]) -> None:
    output.say_fields(_flat(found))


def _flat(found: dict[str, Any]) -> list[tuple[str, object]]:
    """Return the fields of an answer by name; both ways of a figure on one line."""
    fields: list[tuple[str, object]] = []
    for name, value in found.items():
        if isinstance(value, dict) and "upload" in value:
            up, down = output.size(value["upload"]), output.size(value["download"])
            fields.append((name, f"{output.size(value['total'])} ({up} up, {down} down)"))
        elif isinstance(value, dict):
            fields += [(f"{name} {inner}", shown) for inner, shown in _flat(value)]
        else:
            fields.append((name, output.size(value) if isinstance(value, int) and name != "keys" else value))
    return fields


def _say_history(found: dict[str, Any]) -> None:
    rows = [
        (output.moment(bucket["start"]), *(output.size(bucket[name]) for name in ("upload", "download", "total")))
        for bucket in found["items"]
    ]
    output.say_table(("start (UTC)", "upload", "download", "total"), rows, nothing="Nothing was carried in that time.")


def _say_csv(found: dict[str, Any]) -> None:
    output.say("start,upload,download,total")
    for bucket in found["items"]:
        output.say(f"{bucket['start']},{bucket['upload']},{bucket['download']},{bucket['total']}")


def _moment(text: str | None) -> str | None:
    """Return a time as the service reads it; a day alone begins at midnight, UTC."""
    if text is None:
        return None
    from datetime import UTC, datetime

    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time; write 2026-03-01 or 2026-03-01T12:00:00Z") from None
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).isoformat()
