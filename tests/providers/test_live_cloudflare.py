"""What Keystead does at Cloudflare with a bootstrap token, at the stand-in or at the real one (``live``)."""

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from keystead.kit.secret import Secret
from keystead.providers.cloudflare import CLOUDFLARE
from keystead.providers.cloudflare import Cloudflare as Client
from keystead.providers.cloudflare_permissions import PROFILES, Profile, policies, resolve
from keystead.providers.cloudflare_tokens import TokenWish
from keystead.providers.errors import SecretRefused
from tests.providers import live
from tests.providers.calling import clients
from tests.support.standins.cloudflare import MINE, cloudflare


@dataclass
class Account:
    """An account, and a token that may make tokens."""

    id: str
    url: str
    token: Secret[str] = field(repr=False)
    zone: str

    def calling(self, token: Secret[str]) -> Client:
        return clients(cloudflare=self.url).cloudflare(token)


@pytest.fixture
def account() -> Iterator[Account]:
    """Return the chosen account, or that of a stand-in."""
    if live.chosen() == "cloudflare":
        yield Account(
            live.value("KEYSTEAD_LIVE_CLOUDFLARE_ACCOUNT"),
            live.value("KEYSTEAD_PROVIDER_CLOUDFLARE_URL", CLOUDFLARE.base_url),
            live.secret("KEYSTEAD_LIVE_CLOUDFLARE_TOKEN"),
            live.value("KEYSTEAD_LIVE_CLOUDFLARE_ZONE"),
        )
        return
    with cloudflare() as remote:
        remote.add_zones(60)
        yield Account(MINE, remote.url, Secret(remote.bootstrap().value), "site-0059.example.com")


@pytest.fixture
async def working(account: Account) -> AsyncIterator[Client]:
    """Make a working token as a connection does, and delete it afterwards."""
    client = account.calling(account.token)
    verified = await client.verify(account.id)
    resolved = resolve(await client.permission_groups(account.id, verified.owner), PROFILES[Profile.DOCUMENTED])
    assert resolved.missing == ()
    now = datetime.now(UTC).replace(microsecond=0)
    name = f"keystead-live-{secrets.token_hex(4)}"
    wish = TokenWish(name, policies(account.id, resolved), now, now + timedelta(hours=1))
    made = await client.create_token(account.id, wish, verified.owner)
    try:
        yield account.calling(made.value)
    finally:
        assert await client.delete_token(account.id, made.id, verified.owner)
        assert made.id not in [one.id for one in await client.tokens(account.id, verified.owner)]


async def test_a_bootstrap_token_is_verified_and_tells_the_accounts_name(account: Account) -> None:
    client = account.calling(account.token)

    verified = await client.verify(account.id)

    assert verified.status == "active"
    assert verified.id in [one.id for one in await client.tokens(account.id, verified.owner)]


async def test_a_token_that_is_none_is_refused(account: Account) -> None:
    with pytest.raises(SecretRefused):
        await account.calling(Secret("cfat_" + "0" * 48)).verify(account.id)


async def test_a_working_token_that_was_made_reads_the_account_and_all_its_zones(
    account: Account, working: Client
) -> None:
    zones = await working.zones(account.id)

    assert await working.account_name(account.id)
    assert len({zone.id for zone in zones}) == len(zones)
    assert account.zone in {"", *(zone.name for zone in zones)}


async def test_a_record_is_made_changed_listed_and_deleted(account: Account, working: Client) -> None:
    if not account.zone:
        pytest.skip("KEYSTEAD_LIVE_CLOUDFLARE_ZONE is not set")
    zone = await working.find_zone(account.id, account.zone)
    assert zone is not None
    name = f"_keystead-live-{secrets.token_hex(4)}.{account.zone}"

    made = await working.create_record(zone.id, {"type": "TXT", "name": name, "content": '"one"', "ttl": 300})
    try:
        await working.change_record(zone.id, made["id"], {"content": '"two"'})
        listed = [one["content"] for one in await working.records(zone.id) if one["name"] == name]
    finally:
        gone = [await working.delete_record(zone.id, made["id"]) for _ in range(2)]

    assert listed == ['"two"']
    assert gone == [True, False]
