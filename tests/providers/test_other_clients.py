"""Clients that others wrote for Cloudflare, against its stand-in: what they understand is what Cloudflare answers.

The official SDK (``cloudflare``) reads every answer into its own types; certbot's plugins change records with lexicon.
Neither is a dependency of Keystead.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from tests.support.standins.cloudflare import MINE, Cloudflare, cloudflare


@pytest.fixture
def remote() -> Iterator[Cloudflare]:
    """Serve a Cloudflare that takes requests of a younger document than ours."""
    with cloudflare() as standin:
        standin.checks_requests = False
        yield standin


def sdk(remote: Cloudflare, value: str) -> Any:
    """Return the SDK's client; it would send a create again by itself."""
    from cloudflare import Cloudflare as Sdk

    return Sdk(api_token=value, base_url=remote.url, max_retries=0, timeout=10.0)


def lexicon(remote: Cloudflare, value: str, domain: str) -> Any:
    """Return lexicon's provider; its own front door would ask the network for the list of public suffixes."""
    from lexicon.config import ConfigResolver

    settings = {"provider_name": "cloudflare", "domain": domain, "cloudflare": {"auth_token": value}}
    made = import_module("lexicon._private.providers.cloudflare").Provider(ConfigResolver().with_dict(settings))
    made.api_endpoint = remote.url
    made.authenticate()
    return made


def test_the_sdk_verifies_and_makes_tokens(remote: Cloudflare) -> None:
    client = sdk(remote, remote.bootstrap().value)
    groups = list(client.accounts.tokens.permission_groups.list(account_id=MINE))
    reading = next(one for one in groups if one.name == "Zone Read")
    policy = {
        "effect": "allow",
        "permission_groups": [{"id": reading.id}],
        "resources": {f"com.cloudflare.api.account.{MINE}": {"com.cloudflare.api.account.zone.*": "*"}},
    }

    verified = client.accounts.tokens.verify(account_id=MINE)
    made = client.accounts.tokens.create(
        account_id=MINE, name="sdk", policies=[policy], expires_on="2040-01-01T00:00:00Z"
    )
    rolled = client.accounts.tokens.value.update(made.id, account_id=MINE)
    listed = sorted(one.name for one in client.accounts.tokens.list(account_id=MINE))
    seen = sdk(remote, rolled).accounts.tokens.verify(account_id=MINE)
    client.accounts.tokens.delete(made.id, account_id=MINE)

    assert (verified.status, seen.id, listed) == ("active", made.id, ["bootstrap", "sdk"])
    assert made.value != rolled
    assert remote.working() == []


def test_the_sdk_reads_all_pages_of_zones_and_makes_and_deletes_one(remote: Cloudflare) -> None:
    remote.add_zones(45)
    client = sdk(remote, remote.bootstrap().value)

    made = client.zones.create(account={"id": MINE}, name="new.example.com", type="full")
    names = [zone.name for zone in client.zones.list(account={"id": MINE})]
    shown = client.zones.get(zone_id=made.id)
    client.zones.delete(zone_id=made.id)

    assert len(set(names)) == 46
    assert (shown.name, shown.status, len(shown.name_servers)) == ("new.example.com", "pending", 2)
    assert len(remote.zones) == 45


def test_the_sdk_makes_changes_and_deletes_records(remote: Cloudflare) -> None:
    remote.add_zones(1)
    (zone_id,) = remote.zones
    records = sdk(remote, remote.bootstrap().value).dns.records

    made = records.create(zone_id=zone_id, type="A", name="www", content="192.0.2.1", ttl=300)
    changed = records.edit(made.id, zone_id=zone_id, type="A", name="www", content="192.0.2.2", ttl=300)
    listed = [(one.type, one.content) for one in records.list(zone_id=zone_id)]
    records.delete(made.id, zone_id=zone_id)

    assert (made.content, changed.content, listed) == ("192.0.2.1", "192.0.2.2", [("A", "192.0.2.2")])
    assert list(records.list(zone_id=zone_id)) == []


def test_the_sdk_understands_refusals(remote: Cloudflare) -> None:
    from cloudflare import AuthenticationError, NotFoundError

    with pytest.raises(AuthenticationError) as wrong:
        sdk(remote, "cfat_nobody").accounts.tokens.verify(account_id=MINE)
    with pytest.raises(NotFoundError):
        sdk(remote, remote.bootstrap().value).zones.get(zone_id="0" * 32)

    assert [error.code for error in wrong.value.errors] == [1000]


def test_lexicon_finds_its_zone_and_makes_changes_and_deletes_records(remote: Cloudflare) -> None:
    remote.add_zones(120)
    domain = "site-0119.example.com"
    client = lexicon(remote, remote.bootstrap().value, domain)

    made = [client.create_record("TXT", f"_acme.{domain}", "one") for _ in range(2)]
    client.create_record("A", domain, "192.0.2.1")
    (found,) = client.list_records("TXT", f"_acme.{domain}", "one")
    client.update_record(found["id"], "TXT", f"_acme.{domain}", "two")
    changed = client.list_records("TXT")
    client.delete_record(rtype="TXT", name=f"_acme.{domain}")

    assert made == [True, True]
    assert [one["content"] for one in changed] == ["two"]
    assert [one["type"] for one in client.list_records()] == ["A"]
