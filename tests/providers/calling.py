"""Clients as the instance makes them, for stand-ins on loopback."""

from keystead.kit.clock import Clock, SystemClock
from keystead.kit.reach import reach
from keystead.kit.secret import Secret
from keystead.outgoing.client import OutgoingClient
from keystead.outgoing.resolver import SystemResolver
from keystead.providers.clients import Bases, Clients
from keystead.providers.cloudflare import Cloudflare as CloudflareClient
from keystead.providers.namecheap import Login
from keystead.providers.namecheap import Namecheap as NamecheapClient
from tests.support.standins.cloudflare import Cloudflare
from tests.support.standins.namecheap import API_KEY, IP, USERNAME, Namecheap

DEAD = "http://127.0.0.1:9"


def clients(*, cloudflare: str = DEAD, namecheap: str = DEAD, clock: Clock | None = None, **others: str) -> Clients:
    """Return clients that reach loopback; ``others`` are base URLs by provider."""
    used = clock or SystemClock()
    sender = OutgoingClient(reach(["127.0.0.0/8"]), SystemResolver(), used)
    return Clients(sender, used, Bases(cloudflare, namecheap, others))


def calling(standin: Cloudflare, token: str, clock: Clock | None = None) -> CloudflareClient:
    """Return a client with a token."""
    return clients(cloudflare=standin.url, clock=clock).cloudflare(Secret(token))


def relayed(standin: Namecheap, api_key: str = API_KEY, **more: str) -> NamecheapClient:
    """Return a client that calls through the stand-in's relay."""
    values = {"ip": IP, "relay_url": standin.url, "relay_auth": standin.password, **more}
    login = Login(USERNAME, Secret(api_key), values["ip"], values["relay_url"], Secret(values["relay_auth"]))
    return clients().namecheap(login)
