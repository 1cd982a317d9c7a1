"""What Keystead reads at Namecheap, at the stand-in or at the real one or its sandbox (``live``)."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from keystead.kit.secret import Secret
from keystead.providers.errors import SecretRefused
from keystead.providers.namecheap import Login
from keystead.providers.namecheap import Namecheap as Client
from tests.providers import live
from tests.providers.calling import clients
from tests.support.standins.namecheap import API_KEY, IP, USERNAME, namecheap

SANDBOX = "https://api.sandbox.namecheap.com"


class Account:
    """A login, and where it is good."""

    def __init__(self, url: str, login: Login) -> None:
        self._clients = clients(namecheap=url)
        self._login = login

    def calling(self, **more: Secret[str]) -> Client:
        """Return a client, with a wrong part of the login in the place of the right one."""
        return self._clients.namecheap(replace(self._login, **more))


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """Return the chosen user, or that of a stand-in; one for all tests, so that its limit is kept to."""
    if live.chosen() == "namecheap":
        login = Login(
            live.value("KEYSTEAD_LIVE_NAMECHEAP_USER"),
            live.secret("KEYSTEAD_LIVE_NAMECHEAP_KEY"),
            live.value("KEYSTEAD_LIVE_NAMECHEAP_IP"),
        )
        yield Account(live.value("KEYSTEAD_PROVIDER_NAMECHEAP_URL", SANDBOX), login)
        return
    with namecheap() as registrar:
        registrar.is_direct = True
        registrar.add_domains(120)
        yield Account(registrar.url, Login(USERNAME, Secret(API_KEY), IP))


async def test_the_balance_is_a_sum(account: Account) -> None:
    assert float((await account.calling().balance()).replace(",", "")) >= 0


async def test_all_domains_are_listed_once(account: Account) -> None:
    found = await account.calling().domains()

    names = [one.name for one in found]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() and "." in name for name in names)
    assert all(one.expires_on is not None for one in found)


async def test_a_wrong_key_is_refused(account: Account) -> None:
    with pytest.raises(SecretRefused):
        await account.calling(api_key=Secret("0" * 32)).balance()
