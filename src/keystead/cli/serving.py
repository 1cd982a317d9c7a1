"""``keystead serve`` and ``keystead migrate``: the commands that work in this process."""

import asyncio
import gc
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from keystead.cli.output import say, say_json
from keystead.cli.where import AsJson, DataDir, where
from keystead.kit import names
from keystead.kit.files import write_private

if TYPE_CHECKING:
    import socket

    from keystead.founding import Foundation
    from keystead.settings import Settings
    from keystead.wiring import Instance

_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - recognised here, not listened on
FIRST_TOKEN_FILE = "first-token"  # noqa: S105 - a file name


def serve(
    context: typer.Context,
    data_dir: DataDir = None,
    host: Annotated[str | None, typer.Option(help="Address the API listens on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port the API listens on.")] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="End the VPN engine with this command.")] = False,
) -> None:
    """Serve the API until interrupted; the VPN engine goes on without it, unless run with --foreground."""
    # What a start makes stays: looking for garbage among it finds none, and takes a seventh of the start.
    gc.disable()
    import uvloop

    from keystead import settings as settings_module
    from keystead.kit import log

    given = {"data_dir": data_dir or where(context).data_dir, "host": host, "port": port}
    settings = settings_module.load(**{name: value for name, value in given.items() if value is not None})
    log.configure(settings.log_format)
    uvloop.run(_serve(settings, is_foreground=foreground))


def migrate(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the database's schema up to date and exit; serve does so by itself."""
    from keystead.db import migrate as migration
    from keystead.kit.files import exclusive_lock, private_directory

    settings = where(context).settings()
    lock = private_directory(settings.data_dir) / "keystead.lock"
    with exclusive_lock(lock, held_by="Keystead"):
        applied = migration.upgrade(settings.sqlalchemy_url)
    if as_json:
        say_json({"applied": applied})
    else:
        say(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")


async def _serve(settings: "Settings", *, is_foreground: bool) -> None:
    from keystead import main
    from keystead.http import listening

    main.check_exposure(settings)
    main.check_tls_files(settings)
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    listener: socket.socket = listening.listen_tcp(settings.host, settings.port)
    async with main.open_instance(settings, is_foreground=is_foreground) as instance:
        _greet(settings, instance)
        gc.collect()
        gc.freeze()
        # A sync or a list of ten thousand keys makes many objects at once, and garbage is not among them.
        gc.set_threshold(20_000)
        gc.enable()
        await main.serve(instance, listener, stopping)


def _greet(settings: "Settings", instance: "Instance") -> None:
    """Say where the API is, the first token (to a terminal only), and what to type next."""
    foundation = instance.foundation
    scheme = "http" if settings.tls == "off" else "https"
    host = foundation.public_host if settings.host in _EVERY_ADDRESS else settings.host
    url = f"{scheme}://{names.authority(host, settings.port)}"
    say(f"API        {url}  (documentation: {url}/docs)")
    if settings.tls == "self-signed":
        say(f"           its certificate, for clients to trust: {settings.data_dir / 'tls' / 'certificate.pem'}")
    say(f"VPN links  carry {_links_carry(foundation)}")
    if names.is_loopback(foundation.public_host):
        say("warning    links carry a loopback host: they work on this machine only; set KEYSTEAD_PUBLIC_HOST")
    shown = _show_first_token(settings, instance)
    insecure = "-k " if settings.tls == "self-signed" else ""
    say(f'next       curl {insecure}-X POST {url}/api/keys -H "Authorization: Bearer {shown}" -d \'{{"name":"anna"}}\'')


def _links_carry(foundation: "Foundation") -> str:
    """Return host and port of links, the port once there is an inbound: it is what a firewall must let through."""
    if foundation.inbound is None:
        return foundation.public_host
    return f"{names.authority(foundation.public_host, foundation.inbound.port)} (let that port through the firewall)"


def _show_first_token(settings: "Settings", instance: "Instance") -> str:
    from keystead import settings as settings_module

    secret = instance.foundation.first_token
    if secret is None:
        return "$TOKEN"
    if settings_module.is_terminal():
        say(f"token      {secret.reveal()}  (shown this once)")
        return secret.reveal()
    path = settings.data_dir / FIRST_TOKEN_FILE
    write_private(path, f"{secret.reveal()}\n".encode())
    say(f"token      in {path}")
    return f"$(cat {path})"
