"""``keystead vpn connections``: who is connected now, once or again and again."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keystead.cli import output
from keystead.cli.where import AsJson

if TYPE_CHECKING:
    from keystead.cli.client import Client

EVERY_S = 2.0
_COLUMNS = ("key", "address", "since (UTC)", "moved (UTC)", "up", "down", "up/s", "down/s")
_NOTHING = "Nobody is connected."


def connections(
    context: typer.Context,
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="The key's number, id or UUID.", show_default="all keys")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show them anew every two seconds until Ctrl-C.")
    ] = False,
    without_addresses: Annotated[
        bool, typer.Option("--no-addresses", help="Leave customers' addresses out; showing them is put on record.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show live connections."""
    from keystead.cli.client import connect

    with connect(context) as client:
        if not watch:
            output.answer(_read(client, key, without_addresses), as_json, _say)
            return
        try:
            _watch(client, key, without_addresses, as_json)
        except KeyboardInterrupt:
            return


def _read(client: "Client", key: str | None, without_addresses: bool) -> list[dict[str, Any]]:
    path = "/v1/vpn/connections" if key is None else f"/v1/vpn/keys/{key}/connections"
    found = client.pages(path, {"addresses": "false" if without_addresses else None})
    return sorted(found, key=lambda one: (one["key_number"], one["first_seen_at"]))


def _watch(client: "Client", key: str | None, without_addresses: bool, as_json: bool) -> None:
    """Show anew in place on a terminal, one after another elsewhere; as JSON a line each time."""
    if as_json or not sys.stdout.isatty():
        while True:
            found = _read(client, key, without_addresses)
            if as_json:
                output.say_json_line(found)
            else:
                _say(found)
            _pause()
    from rich.live import Live

    with Live(screen=True, auto_refresh=False) as live:
        while True:
            found = _read(client, key, without_addresses)
            live.update(output.table(_COLUMNS, _rows(found)) if found else _NOTHING, refresh=True)
            _pause()


def _pause() -> None:
    time.sleep(EVERY_S)  # noqa: TID251 - the rhythm of what a person watches, and waited for by nothing


def _say(found: list[dict[str, Any]]) -> None:
    output.say_table(_COLUMNS, _rows(found), nothing=_NOTHING)


def _rows(found: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    return [
        (
            one["key_number"],
            f"{one['address']} {one['port']}" if one["address"] else None,
            output.moment(one["first_seen_at"]),
            output.moment(one["last_moved_at"]),
            *(output.size(one[name]) for name in ("upload", "download", "upload_per_s", "download_per_s")),
        )
        for one in found
    ]
