import pytest

from keystead.access.permissions import ALL_PERMISSIONS
from keystead.access.principal import Principal
from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.providers.errors import AddressRefused, NoWay, SecretRefused
from keystead.providers.namecheap import NAMECHEAP
from keystead.vault import credentials
from keystead.vault.errors import AlreadyConnected, ConnectedElsewhere, CredentialNotFound, CredentialRevoked
from keystead.vault.relays import Way
from tests.support import people
from tests.support.standins.cloudflare import Cloudflare
from tests.support.standins.namecheap import API_KEY, IP, USERNAME
from tests.support.vaulted import Vaulted
from tests.support.work import Workplace

RELAY = "https://namecheap.test"


@pytest.fixture
async def vaulted(workplace: Workplace) -> Vaulted:
    made = Vaulted(workplace, Cloudflare())
    await made.namecheap.set_way(made.call(), Way(IP, RELAY, "namecheap.test", Secret(made.registrar.password)))
    return made


async def connect(vaulted: Vaulted, api_key: str = API_KEY, principal: Principal | None = None) -> int:
    call = vaulted.call(principal)
    found, _ = await vaulted.namecheap.connect(call, username=USERNAME, api_key=Secret(api_key), alias=None)
    return found.id


async def test_a_user_is_connected_once_under_its_name_in_small_letters(vaulted: Vaulted) -> None:
    call = vaulted.call()

    found, balance = await vaulted.namecheap.connect(call, username=USERNAME, api_key=Secret(API_KEY), alias=None)
    with pytest.raises(AlreadyConnected) as refusal:
        await vaulted.namecheap.connect(call, username="MYUSER", api_key=Secret("other"), alias=None)

    assert (found.external_id, found.alias, balance) == ("myuser", "namecheap-MyUser", "8.32")
    assert refusal.value.credential_id == found.id
    assert len(vaulted.registrar.came) == 1


async def test_a_key_that_does_not_work_is_not_kept(vaulted: Vaulted) -> None:
    with pytest.raises(SecretRefused):
        await connect(vaulted, "wrong")
    vaulted.registrar.known_ips.clear()
    with pytest.raises(AddressRefused):
        await connect(vaulted)

    assert await vaulted.rows() == []


async def test_another_accounts_user_is_told_only_to_who_has_its_key(vaulted: Vaulted) -> None:
    await connect(vaulted)
    account_id = (await people.account(vaulted.workplace, "other")).id
    eve = Principal(account_id, "user:9 eve", ALL_PERMISSIONS)

    with pytest.raises(SecretRefused):
        await connect(vaulted, "guess", eve)
    with pytest.raises(ConnectedElsewhere):
        await connect(vaulted, API_KEY, eve)


async def test_domains_and_name_servers_go_through_the_credential(vaulted: Vaulted) -> None:
    credential_id = await connect(vaulted)
    vaulted.registrar.add_domains(2)

    found = await vaulted.registrars.domains(vaulted.call(), NAMECHEAP.id, credential_id)
    await vaulted.registrars.set_name_servers(
        vaulted.call(), NAMECHEAP.id, credential_id, "domain-001.pro", ["a.ns.test", "b.ns.test"]
    )

    assert [one.name for one in found] == ["domain-000.pro", "domain-001.pro"]
    assert vaulted.registrar.name_servers == {"domain-001.pro": ["a.ns.test", "b.ns.test"]}
    assert (await vaulted.workplace.do(credentials.find, credential_id)).last_used_at is not None
    with pytest.raises(CredentialNotFound):
        await vaulted.registrars.domains(vaulted.call(), NAMECHEAP.id, credential_id + 1)


async def test_a_revoked_credential_asks_nothing(vaulted: Vaulted) -> None:
    credential_id = await connect(vaulted)
    await vaulted.workplace.do(credentials.revoke, credential_id)
    asked = len(vaulted.registrar.came)

    with pytest.raises(CredentialRevoked):
        await vaulted.registrars.domains(vaulted.call(), NAMECHEAP.id, credential_id)

    assert len(vaulted.registrar.came) == asked


async def test_without_a_way_nothing_is_asked(vaulted: Vaulted) -> None:
    await vaulted.namecheap.remove_way(vaulted.call())

    with pytest.raises(NoWay):
        await connect(vaulted)

    assert vaulted.registrar.came == []
    assert await vaulted.namecheap.addresses(vaulted.call()) == []


async def test_a_credential_may_have_a_way_of_its_own(vaulted: Vaulted) -> None:
    credential_id = await connect(vaulted)
    vaulted.registrar.is_direct = True
    vaulted.registrar.known_ips.add("203.0.113.7")

    await vaulted.namecheap.set_way(vaulted.call(), Way("203.0.113.7"), credential_id)
    await vaulted.registrars.domains(vaulted.call(), NAMECHEAP.id, credential_id)

    assert vaulted.registrar.came[-1].query["ClientIp"] == "203.0.113.7"
    assert "authorization" not in vaulted.registrar.came[-1].headers
    assert await vaulted.namecheap.addresses(vaulted.call()) == [IP]


@pytest.mark.parametrize(
    ("way", "field"),
    [
        (Way("51.68.21.133", "http://relay.example.com", "relay.example.com", Secret("Basic eA==")), "relay_url"),
        (Way("51.68.21.133", "https://u:p@relay.example.com", "relay.example.com", Secret("Basic eA==")), "relay_url"),
        (Way("51.68.21.133", "https://relay.example.com", "other.example.com", Secret("Basic eA==")), "relay_host"),
        (Way("51.68.21.133", "https://relay.example.com", "relay.example.com", Secret("Bearer x")), "relay_auth"),
        (Way("51.68.21.133", "https://relay.example.com", "relay.example.com"), "relay_auth"),
        (Way("relay.example.com"), "ip"),
        (Way("2001:db8::1"), "ip"),
    ],
)
async def test_a_way_is_whole_or_refused(vaulted: Vaulted, way: Way, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await vaulted.namecheap.set_way(vaulted.call(), way)

    assert list(refusal.value.fields) == [field]
    assert "eA==" not in str(refusal.value)
