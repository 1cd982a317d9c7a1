"""``keystead provider relay``: what it asks the service for, what it says, and how it ends."""

from typing import Any

from tests.support.commands import Run
from tests.support.service import Service

PATH = "/v1/providers/namecheap/relay"
WAY: dict[str, Any] = {
    "provider": "namecheap",
    "credential_id": None,
    "ip": "51.68.21.133",
    "relay_url": "https://relay.example.com",
    "relay_host": "relay.example.com",
}


def test_a_relay_is_set_with_a_password_that_is_on_no_command_line(run: Run, service: Service) -> None:
    service.will(f"PUT {PATH}", WAY)

    said = run(
        *("provider", "relay", "set", "namecheap", "--url", "https://relay.example.com", "--ip", "51.68.21.133"),
        stdin="Basic cGFzcw==\n",
    )

    assert said.code == 0
    assert said.out == "namecheap: through https://relay.example.com, seen as 51.68.21.133, for all keys\n"
    assert service.asked[-1][1] == {
        "ip": "51.68.21.133",
        "relay_url": "https://relay.example.com",
        "relay_host": "relay.example.com",
        "relay_auth": "Basic cGFzcw==",
    }


def test_a_key_gets_a_direct_way_of_its_own(run: Run, service: Service) -> None:
    way = {**WAY, "credential_id": 7, "relay_url": None, "relay_host": None, "ip": "203.0.113.7"}
    service.will(f"PUT {PATH}?credential_id=7", way)

    said = run("provider", "relay", "direct", "namecheap", "--ip", "203.0.113.7", "--key", "7")

    assert said.out == "namecheap: directly, seen as 203.0.113.7, for key 7\n"


def test_a_way_is_shown_and_forgotten(run: Run, service: Service) -> None:
    service.will(f"GET {PATH}", WAY)
    service.will(f"DELETE {PATH}", None, 204)

    assert run("provider", "relay", "show", "namecheap", "--json").json == WAY
    assert run("provider", "relay", "rm", "namecheap", "--yes").out == "no way to namecheap is set any more\n"


def test_a_provider_without_a_way_of_its_own_is_wrong_usage(run: Run) -> None:
    assert run("provider", "relay", "show", "cloudflare").code == 2
