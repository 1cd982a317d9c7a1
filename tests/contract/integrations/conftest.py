"""An instance over a fake engine, with stand-ins for every provider, Namecheap behind its relay."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest

from keystead.db.session import Database
from keystead.kit.secret import Secret
from keystead.providers.capability import Provider
from keystead.providers.pace import Pace
from keystead.providers.transport import Transport
from keystead.vault.relays import Way
from tests.support.instance import InProcess, in_process
from tests.support.standins.cloudflare import MINE, Cloudflare, cloudflare
from tests.support.standins.google_analytics import GoogleAnalytics
from tests.support.standins.hosttracker import HostTracker
from tests.support.standins.namecheap import API_KEY, USERNAME, Namecheap, namecheap
from tests.support.standins.namesilo import NameSilo
from tests.support.standins.server import StandIn, serving
from tests.support.standins.yandex_metrica import YandexMetrica

Server = TypeVar("Server", bound=StandIn)

# Stand-ins of providers that are connected by a secret alone; each says by ``settings()`` where it is.
OTHERS: tuple[type[Any], ...] = (NameSilo, HostTracker, GoogleAnalytics, YandexMetrica)


@pytest.fixture(scope="module")
def remote_server() -> Iterator[Cloudflare]:
    """Serve a Cloudflare for all tests of a module."""
    with cloudflare() as standin:
        yield standin


@pytest.fixture(scope="module")
def registrar_server() -> Iterator[Namecheap]:
    """Serve a Namecheap behind its relay for all tests of a module."""
    with namecheap() as standin:
        yield standin


@pytest.fixture(scope="module")
def other_servers() -> Iterator[dict[type[Any], Any]]:
    """Serve the others for all tests of a module."""
    with ExitStack() as stack:
        made = {kind: kind() for kind in OTHERS}
        for standin in made.values():
            stack.enter_context(serving(standin))
        yield made


@pytest.fixture
def others(other_servers: dict[type[Any], Any]) -> Iterator[dict[type[Any], Any]]:
    """Provide the others as they are when nobody was there yet."""
    with ExitStack() as stack:
        for standin in other_servers.values():
            stack.enter_context(_emptied(standin))
        yield other_servers


@pytest.fixture
def remote(remote_server: Cloudflare) -> Iterator[Cloudflare]:
    """Provide an empty Cloudflare."""
    with _emptied(remote_server):
        yield remote_server


@pytest.fixture
def registrar(registrar_server: Namecheap) -> Iterator[Namecheap]:
    """Provide a Namecheap without domains."""
    with _emptied(registrar_server):
        yield registrar_server


@contextmanager
def _emptied(standin: StandIn) -> Iterator[None]:
    """Have a stand-in as it was at its start; requests that a test has held go on when it ends, not in another.

    What the stand-in could not bear, such as a request that no document has, fails the test that asked for it.
    """
    port = standin.port
    vars(standin).clear()
    standin.__init__()  # type: ignore[misc]
    standin.port = port
    yield
    for fault in standin.faults:
        fault.go_on.set()
    assert standin.broken == []


@dataclass
class Wire:
    """An instance with its stand-ins, and an owner's client."""

    instance: InProcess
    remote: Cloudflare
    registrar: Namecheap
    owner: httpx2.AsyncClient
    others: dict[type[Any], Any] = field(default_factory=dict)

    def standin(self, kind: type[Server]) -> Server:
        """Return the stand-in of a provider that is connected by a secret alone."""
        found = self.others[kind]
        assert isinstance(found, kind)
        return found

    def transport(self, provider: Provider) -> Transport:
        """Return the transport of an instance to a provider, to be made faster than its real one may be."""
        return self.instance.parts.vault.providers._clients.transport(provider)

    def hurry(self, provider: Provider) -> None:
        """Let requests to a provider follow each other at once."""
        self.transport(provider).pace = Pace(self.instance.parts.clock, busy_statuses=provider.busy_statuses)

    async def set_relay(self, **more: str) -> None:
        """Set the installation's relay, as the operator does."""
        fields = {**self.registrar.relay(), **more}
        way = Way(fields["ip"], fields["relay_url"], fields["relay_host"], Secret(fields["relay_auth"]))
        vault = self.instance.parts.vault
        await vault.namecheap.set_way(self.operator_call(), way)

    def operator_call(self) -> Any:
        from keystead.access.principal import operator
        from keystead.operations.calls import Call

        return Call(operator(self.instance.parts.foundation.account_id), "operator")

    async def post(self, path: str, body: Any = None, **more: Any) -> httpx2.Response:
        return await self.owner.post(f"/integrations{path}", json=body, **more)

    async def connect(self, account_id: str = MINE, **more: Any) -> dict[str, Any]:
        """Connect a Cloudflare account."""
        body = {"cf_account_id": account_id, "bootstrap_token": self.remote.bootstrap(account_id).value, **more}
        answer = await self.post("/cloudflare/init", body)
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]

    async def register(self) -> int:
        """Connect the Namecheap user through the relay."""
        await self.set_relay()
        answer = await self.post("/namecheap/init", {"username": USERNAME, "api_key": API_KEY})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["key_id"])


@pytest.fixture
async def wire(
    database: Database, tmp_path: Path, remote: Cloudflare, registrar: Namecheap, others: dict[type[Any], Any]
) -> AsyncIterator[Wire]:
    """Run an instance."""
    urls = {"provider_cloudflare_url": remote.url, "provider_namecheap_url": registrar.url}
    for standin in others.values():
        urls |= standin.settings()
    async with in_process(database, tmp_path, **urls) as instance:
        yield Wire(instance, remote, registrar, await instance.caller(), others)
