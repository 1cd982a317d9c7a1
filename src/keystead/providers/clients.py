"""Clients of providers for whoever holds a secret: one transport for each provider, with its pace shared by all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from keystead.kit.clock import Clock
from keystead.kit.secret import Secret
from keystead.providers.capability import Provider
from keystead.providers.cloudflare import CLOUDFLARE, Cloudflare
from keystead.providers.connectable import Connectable, Secrets, Verifying
from keystead.providers.namecheap import NAMECHEAP, Login, Namecheap
from keystead.providers.pace import Pace
from keystead.providers.transport import Sender, Transport

# The contract of the relay says ten; a provider that takes longer is as good as away.
TIMEOUT_S = 10.0

C = TypeVar("C", bound=Verifying)


@dataclass(frozen=True)
class Bases:
    """The base URLs in force; ``others`` by a provider's id, and by id and name of a further host: ``id_name``."""

    cloudflare: str = CLOUDFLARE.base_url
    namecheap: str = NAMECHEAP.base_url
    others: Mapping[str, str] = field(default_factory=dict)


class Clients:
    """Make clients over one sender; ``a_minute`` overrules how many requests providers by id are sent in one."""

    def __init__(
        self, sender: Sender, clock: Clock, bases: Bases, *, a_minute: Mapping[str, int] | None = None
    ) -> None:
        self._a_minute = a_minute or {}
        self._sender = sender
        self._clock = clock
        self._bases = {**bases.others, CLOUDFLARE.id: bases.cloudflare, NAMECHEAP.id: bases.namecheap}
        self._transports: dict[str, Transport] = {}

    def cloudflare(self, token: Secret[str]) -> Cloudflare:
        """Return a client with a token."""
        return Cloudflare(self.transport(CLOUDFLARE), token)

    def namecheap(self, login: Login) -> Namecheap:
        """Return a client for a login."""
        return Namecheap(self.transport(NAMECHEAP), login)

    def of(self, what: Connectable[C], secrets: Secrets) -> C:
        """Return a client of a provider that is connected by a secret alone."""
        return what.client(self.transport(what.provider), secrets)

    def transport(self, provider: Provider) -> Transport:
        """Return the one transport to a provider."""
        if provider.id not in self._transports:
            self._transports[provider.id] = self._made(provider)
        return self._transports[provider.id]

    def _made(self, provider: Provider) -> Transport:
        allowed = self._a_minute.get(provider.id)
        rules = provider.pace if allowed is None else ((allowed, 60.0),)
        return Transport(
            self._sender,
            self._clock,
            title=provider.title,
            base_url=self._bases.get(provider.id, provider.base_url),
            pace=Pace(self._clock, *rules, busy_statuses=provider.busy_statuses),
            timeout_s=TIMEOUT_S,
            parallel=provider.parallel,
            hosts={
                name: self._bases.get(f"{provider.id}_{name}", base_url) for name, base_url in provider.hosts.items()
            },
        )
