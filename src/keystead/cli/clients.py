"""``keystead vpn compat`` and ``keystead vpn devices …``: which programs connect, and which devices count."""

from typing import Annotated, Any

import typer

from keystead.cli import asking, output
from keystead.cli.approving import Yes
from keystead.cli.where import AsJson

devices = typer.Typer(no_args_is_help=True, help="Devices that fetch a key's subscription, where a limit was sold.")

KEYS = "/v1/vpn/keys"
Key = Annotated[str, typer.Argument(metavar="KEY", help="The key's number, id or UUID.")]
_OUTCOMES = {"connects": "yes", "depends": "some", "refused": "no", "unknown": "unknown"}


def compat(
    context: typer.Context,
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="The key's number, id or UUID.", show_default="all keys")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show which client programs can connect now, why others cannot, and who used them lately."""
    from keystead.cli.client import connect

    path = "/v1/vpn/compatibility" if key is None else f"{KEYS}/{key}/compatibility"
    with connect(context) as client:
        output.answer(client.get(path), as_json, _say_compatibility)


@devices.command("list")
def list_(context: typer.Context, key: Key, as_json: AsJson = False) -> None:
    """List the devices that count towards a key's limit."""
    from keystead.cli.client import connect

    with connect(context) as client:
        output.answer(client.get(f"{KEYS}/{key}/devices"), as_json, _say_devices)


@devices.command("forget")
def forget(
    context: typer.Context,
    key: Key,
    device: Annotated[
        int | None, typer.Argument(metavar="DEVICE", help="The device's id.", min=1, show_default="all devices")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Forget a device of a key, or all: another may take its place."""
    from keystead.cli.client import connect

    if device is None:
        asking.confirm(f"Forget all devices of key {key}?", is_given=yes)
    with connect(context) as client:
        if device is None:
            done = client.delete(f"{KEYS}/{key}/devices")
        else:
            client.delete(f"{KEYS}/{key}/devices/{device}")
            done = {"forgotten": 1}
    output.answer(done, as_json, lambda told: output.say(f"devices forgotten: {told['forgotten']}"))


def _say_compatibility(found: dict[str, Any]) -> None:
    waiting = found["client_versions_wanted"]
    rule = found["client_versions"]
    output.say(f"Xray {found['core']}, client versions {rule}")
    if waiting != rule:
        output.say(f"the setting says {waiting}, which waits for an approval: keystead engine upgrade")
    if not found.get("is_active", True):
        output.say("the key is not active: nothing connects with it until it is again")
    is_of_key = "key_id" in found
    rows = [
        (
            each["programs"],
            _OUTCOMES[each["outcome"]],
            ", ".join(each["reads"]) or None,
            output.moment(each["last_used_at"]) if is_of_key else each["customers"],
            each["reason"],
        )
        for each in found["families"]
    ]
    last = "last used (UTC)" if is_of_key else "customers, 30 days"
    output.say_table(
        ("programs", "connects", "reads", last, "why not"), rows, nothing="The core does not say its version."
    )
    if found.get("other_customers"):
        output.say(f"{found['other_customers']} customers used other programs")


def _say_devices(found: dict[str, Any]) -> None:
    limit = found["device_limit"]
    output.say("no limit" if limit is None else f"{len(found['items'])} of {limit} devices")
    rows = [
        (
            each["id"],
            each["system"] or None,
            each["model"] or None,
            output.moment(each["first_at"]),
            output.moment(each["last_at"]),
        )
        for each in found["items"]
    ]
    output.say_table(("id", "system", "model", "first (UTC)", "last (UTC)"), rows, nothing="No device counts.")
