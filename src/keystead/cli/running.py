"""What ``keystead serve`` runs: the service, from its settings to its end. Needs no library of the command line."""

import asyncio
import gc
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING

from keystead.cli.output import say
from keystead.kit import names
from keystead.kit.files import write_private

if TYPE_CHECKING:
    from keystead.founding import Foundation
    from keystead.settings import Settings
    from keystead.settings.places import Address
    from keystead.wiring import Instance

_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - recognised here, not listened on
FIRST_TOKEN_FILE = "first-token"  # noqa: S105 - a file name


def run(given: Mapping[str, object], *, is_foreground: bool) -> None:
    """Serve with the settings of the environment, but for those given, until interrupted."""
    # What a start makes stays: looking for garbage among it finds none, and takes a seventh of the start.
    gc.disable()
    import uvloop

    from keystead import settings as settings_module
    from keystead.kit import log
    from keystead.settings import unknown

    settings = settings_module.load(**given)
    log.configure(settings.log_format)
    for strange in unknown.found():
        log.get_logger().warning("setting not known", name=strange.name, origin=strange.origin, nearest=strange.nearest)
    uvloop.run(_serve(settings, is_foreground=is_foreground))


async def _serve(settings: "Settings", *, is_foreground: bool) -> None:
    from keystead import main
    from keystead.http import listening

    main.check_exposure(settings)
    main.check_tls_files(settings)
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    listeners = listening.listen_all(settings)
    async with main.open_instance(settings, is_foreground=is_foreground) as instance:
        _greet(settings, instance)
        gc.collect()
        gc.freeze()
        # A sync or a list of ten thousand keys makes many objects at once, and garbage is not among them.
        gc.set_threshold(20_000)
        gc.enable()
        await main.serve(instance, listeners, stopping)


def _greet(settings: "Settings", instance: "Instance") -> None:
    """Say where the API is, the first token (to a terminal only), and what to type next."""
    foundation = instance.foundation
    url = _say_doors(settings, foundation.public_host)
    if settings.tls == "self-signed":
        say(f"           its certificate, for clients to trust: {settings.data_dir / 'tls' / 'certificate.pem'}")
    say(f"VPN links  carry {_links_carry(foundation)}")
    if names.is_loopback(foundation.public_host):
        say("warning    links carry a loopback host: they work on this machine only; set KEYSTEAD_PUBLIC_HOST")
    shown = _show_first_token(settings, instance)
    insecure = "-k " if settings.tls == "self-signed" else ""
    say(f'next       curl {insecure}-X POST {url}/api/keys -H "Authorization: Bearer {shown}" -d \'{{"name":"anna"}}\'')


def _say_doors(settings: "Settings", public_host: str) -> str:
    """Say where the API is, and what answers elsewhere; return the address below which keys are made."""
    from keystead.settings import places

    def url(address: "Address", base: str = "") -> str:
        scheme = "http" if settings.tls == "off" else "https"
        host = public_host if address.host in _EVERY_ADDRESS else address.host
        return f"{scheme}://{names.authority(host, address.port)}{base}"

    first = url(*places.first_of(settings.layout, "veil"))
    if not settings.doors:
        say(f"API        {first}  (documentation: {first}/docs)")
        return first
    for address, there in settings.layout.items():
        for base in dict.fromkeys(place.base for place in there):
            dialects = ", ".join(place.dialect for place in there if place.base == base)
            say(f"API        {url(address, base)}  ({dialects})")
    return first


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
