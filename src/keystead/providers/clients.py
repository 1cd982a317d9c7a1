"""Clients of providers for whoever holds a secret: one transport for each provider, with its pace shared by all."""

from collections.abc import Mapping
from dataclasses import dataclass

from keystead.kit.clock import Clock
from keystead.kit.secret import Secret
from keystead.providers.capability import Provider
from keystead.providers.cloudflare import CLOUDFLARE, Cloudflare
from keystead.providers.namecheap import NAMECHEAP, Login, Namecheap
from keystead.providers.pace import Pace
from keystead.providers.transport import Sender, Transport

# The contract of the relay says ten; a provider that takes longer is as good as away.
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Bases:
    """The base URLs in force."""

    cloudflare: str = CLOUDFLARE.base_url
    namecheap: str = NAMECHEAP.base_url


class Clients:
    """Make clients over one sender; ``a_minute`` overrules how many requests providers by id are sent in one."""

    def __init__(
        self, sender: Sender, clock: Clock, bases: Bases, *, a_minute: Mapping[str, int] | None = None
    ) -> None:
        allowed = a_minute or {}
        self._cloudflare = _transport(sender, clock, CLOUDFLARE, bases.cloudflare, allowed)
        self._namecheap = _transport(sender, clock, NAMECHEAP, bases.namecheap, allowed)

    def cloudflare(self, token: Secret[str]) -> Cloudflare:
        """Return a client with a token."""
        return Cloudflare(self._cloudflare, token)

    def namecheap(self, login: Login) -> Namecheap:
        """Return a client for a login."""
        return Namecheap(self._namecheap, login)


def _transport(
    sender: Sender, clock: Clock, provider: Provider, base_url: str, a_minute: Mapping[str, int]
) -> Transport:
    pace = Pace(clock, (a_minute[provider.id], 60.0) if provider.id in a_minute else provider.pace)
    return Transport(sender, clock, title=provider.title, base_url=base_url, pace=pace, timeout_s=TIMEOUT_S)
