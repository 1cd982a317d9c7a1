"""The relays of deploy/relay, each at work in its own server before a Namecheap that has a certificate of its own."""

import base64
import ipaddress
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from keystead.kit.clock import SystemClock
from keystead.kit.reach import Address, reach
from keystead.kit.secret import Secret
from keystead.outgoing.client import OutgoingClient
from keystead.providers.clients import Bases, Clients
from keystead.providers.errors import ProviderFailed
from keystead.providers.namecheap import Login
from keystead.providers.namecheap import Namecheap as Client
from tests.providers.calling import DEAD
from tests.support.relays import DEPLOYED, NAME, PASSWORD, USER, Kind, Relay, Upstream, relaying
from tests.support.standins.namecheap import API_KEY, IP, USERNAME, Namecheap
from tests.support.standins.server import Fate, serving
from tests.support.xray import write_certificate

API = "api.namecheap.com"
TARGET = "/xml.response?ApiKey=CANARY-in-the-query"
AUTH = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
KINDS = [Kind.NGINX, Kind.CADDY]
# Another address of this machine, which is on no list.
STRANGER = "127.0.0.9"


@dataclass
class Behind:
    """A relay, what is behind it, and the names that its handshakes asked for."""

    relay: Relay
    registrar: Namecheap
    asked_for: list[str | None] = field(default_factory=list)

    def told(self) -> dict[str, str]:
        """Return the headers of the newest request that arrived."""
        return self.registrar.came[-1].headers


@contextmanager
def behind(kind: Kind, directory: Path, *, name: str = API) -> Iterator[Behind]:
    """Serve a Namecheap with a certificate for a name, and a relay before it."""
    upstream = directory / "upstream"
    upstream.mkdir(parents=True)
    certificate, key = write_certificate(upstream, name)
    registrar, asked_for = Namecheap(), list[str | None]()
    # The relay's password has to be gone before this point.
    registrar.is_direct = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.sni_callback = lambda _, asked, __: asked_for.append(asked)  # type: ignore[assignment, return-value]
    with (
        serving(registrar, context),
        relaying(kind, directory / "relay", Upstream(registrar.port, certificate)) as relay,
    ):
        yield Behind(relay, registrar, asked_for)


@pytest.fixture(scope="module", params=KINDS)
def there(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """Run each relay once."""
    with behind(request.param, tmp_path_factory.mktemp("relay")) as made:
        yield made


class HereResolver:
    """Every name is this machine."""

    async def addresses(self, host: str, port: int) -> list[Address]:
        del host, port
        return [ipaddress.ip_address("127.0.0.1")]


def calling(relay: Relay, auth: str = AUTH) -> Client:
    """Return Keystead's client, with the relay as it would be set."""
    sender = OutgoingClient(reach(["127.0.0.0/8"]), HereResolver(), SystemClock(), tls=relay.tls())
    login = Login(USERNAME, Secret(API_KEY), IP, f"https://{NAME}:{relay.port}", Secret(auth))
    return Clients(sender, SystemClock(), Bases(DEAD, DEAD)).namecheap(login)


async def test_the_client_lists_and_points_domains_through_the_relay(there: Behind) -> None:
    there.registrar.domains["example.com"] = "01/01/2030"
    client = calling(there.relay)

    balance = await client.balance()
    listed = await client.domains()
    await client.set_name_servers("example.com", ["bob.ns.cloudflare.com"])

    assert balance == "8.32"
    assert [one.name for one in listed] == ["example.com"]
    assert there.registrar.name_servers["example.com"] == ["bob.ns.cloudflare.com"]


async def test_namecheap_sees_its_own_name_and_nothing_of_the_relay(there: Behind) -> None:
    await calling(there.relay).balance()

    told = there.told()
    assert told["host"] == API
    assert set(there.asked_for) == {API}
    assert not {"authorization", "forwarded", "x-real-ip"} & set(told)
    assert not [name for name in told if name.startswith("x-forwarded-")]
    assert "CANARY-relay" not in str(told)
    assert there.registrar.came[-1].query["ApiKey"] == API_KEY


async def test_a_wrong_password_is_told_by_its_status(there: Behind) -> None:
    came = len(there.registrar.came)

    with pytest.raises(ProviderFailed) as refusal:
        await calling(there.relay, "Basic d3Jvbmc6d3Jvbmc=").balance()

    assert refusal.value.status == 401
    assert there.relay.status(TARGET, auth=None) == 401
    assert len(there.registrar.came) == came


def test_nothing_else_is_passed_on(there: Behind) -> None:
    came = len(there.registrar.came)

    told = [there.relay.status(path, auth=AUTH) for path in ("/", "/xml.response/x", "/xml.responses", "/api")]

    assert told == [404] * 4
    assert len(there.registrar.came) == came


def test_who_is_not_on_the_list_is_refused_with_the_password_too(there: Behind) -> None:
    came = len(there.registrar.came)

    assert there.relay.status(TARGET, auth=AUTH, source="127.0.0.8") == 403
    assert len(there.registrar.came) == came


@pytest.mark.parametrize("sni", [None, "other.example.com"])
def test_a_handshake_without_the_relays_name_is_refused(there: Behind, sni: str | None) -> None:
    with pytest.raises(ssl.SSLError):
        there.relay.status(TARGET, auth=AUTH, sni=sni)


def test_what_is_for_another_host_than_the_handshakes_is_not_passed_on(there: Behind) -> None:
    came = len(there.registrar.came)

    there.relay.status(TARGET, auth=AUTH, host="other.example.com")

    assert len(there.registrar.came) == came


def test_no_key_and_no_password_is_in_any_log_even_of_failures(there: Behind) -> None:
    there.registrar.fault("GET", "/xml.response", Fate.LOSE_ANSWER)

    told = [
        there.relay.status(TARGET, auth=AUTH),
        there.relay.status(TARGET, auth=None),
        there.relay.status(TARGET, auth=AUTH, source="127.0.0.7"),
        there.relay.status(TARGET, auth=AUTH, host="other.example.com"),
    ]
    written = until_logged(there.relay, "502")

    assert told[:3] == [502, 401, 403]
    assert "/xml.response" in written
    for path in there.relay.directory.iterdir():
        if path.suffix == ".log":
            assert "CANARY" not in path.read_text(), path


@pytest.mark.parametrize("kind", KINDS)
def test_an_upstream_that_cannot_prove_its_name_is_told_nothing(kind: Kind, tmp_path: Path) -> None:
    with behind(kind, tmp_path, name="evil.example.com") as there:
        assert there.relay.status(TARGET, auth=AUTH) == 502
        assert there.registrar.came == []


def test_a_stranger_who_asks_too_often_is_told_to_wait_and_costs_keystead_nothing(there: Behind) -> None:
    if there.relay.kind is Kind.CADDY:
        return  # its file says that it has no limit

    told = []
    # Thirty at once and one a second: the slower this machine is, the more it takes.
    while 429 not in told and len(told) < 300:
        told.append(there.relay.status(TARGET, auth=None, source=STRANGER))

    assert set(told) == {403, 429}
    assert there.relay.status(TARGET, auth=None) == 401


def test_the_files_that_no_server_tries_say_what_the_others_do() -> None:
    static, dynamic = (
        yaml.safe_load((DEPLOYED / name).read_text()) for name in ("traefik.yml", "traefik-keystead-relay.yml")
    )
    (router,), (service,) = dynamic["http"]["routers"].values(), dynamic["http"]["services"].values()
    middlewares, balancer = dynamic["http"]["middlewares"], service["loadBalancer"]
    transport = dynamic["http"]["serversTransports"][balancer["serversTransport"]]
    kept = static["accessLog"]["fields"]

    assert router["rule"] == "Host(`relay.example.com`) && Path(`/xml.response`)"
    assert set(router["middlewares"]) == set(middlewares)
    assert middlewares["keystead-password"]["basicAuth"]["removeHeader"] is True
    assert middlewares["keystead-headers"]["headers"]["customRequestHeaders"]["X-Forwarded-For"] == ""
    assert (balancer["servers"], balancer["passHostHeader"]) == ([{"url": f"https://{API}"}], False)
    assert (transport["serverName"], "insecureSkipVerify" in transport) == (API, False)
    assert dynamic["tls"]["options"]["default"]["sniStrict"] is True
    assert (kept["defaultMode"], {"RequestPath", "RequestLine"} & set(kept["names"])) == ("drop", set())


def until_logged(relay: Relay, text: str) -> str:
    """Return the access log once it has a text: a line is written after its answer."""
    end = time.monotonic() + 20
    while text not in (written := relay.log.read_text() if relay.log.exists() else ""):
        assert time.monotonic() < end, written
        time.sleep(0.02)
    return written
