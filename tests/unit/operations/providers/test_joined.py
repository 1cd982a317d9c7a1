import pytest
from sqlalchemy import select

from keystead.access.models import AUDIT_RECORDS
from keystead.access.permissions import ALL_PERMISSIONS
from keystead.access.principal import Principal
from keystead.kit.errors import Invalid
from keystead.providers.errors import ProviderRejected, ProviderUnavailable, SecretRefused
from keystead.providers.namesilo import CONNECTABLE, NAMESILO
from keystead.vault import credentials
from keystead.vault.errors import AlreadyConnected, ConnectedElsewhere, CredentialNotFound, CredentialRevoked
from tests.support import people
from tests.support.standins.cloudflare import Cloudflare
from tests.support.standins.namesilo import API_KEY, Account, Refused
from tests.support.standins.server import Fate
from tests.support.vaulted import Vaulted
from tests.support.work import Workplace


@pytest.fixture
async def vaulted(workplace: Workplace) -> Vaulted:
    return Vaulted(workplace, Cloudflare())


async def connect(vaulted: Vaulted, api_key: str = API_KEY, principal: Principal | None = None) -> int:
    given = {"api_key": api_key}
    joined = await vaulted.providers.connect(vaulted.call(principal), CONNECTABLE, given, alias=None)
    return joined.credential.id


async def records(vaulted: Vaulted, verb: str) -> list[tuple[str, dict[str, object]]]:
    columns = (AUDIT_RECORDS.c.subject, AUDIT_RECORDS.c.facts)
    statement = select(*columns).where(AUDIT_RECORDS.c.verb == verb).order_by(AUDIT_RECORDS.c.number)
    rows = await vaulted.workplace.database.read(lambda connection: connection.execute(statement).all())
    return [(row.subject, row.facts) for row in rows]


async def test_a_secret_that_its_provider_does_not_take_is_not_kept(vaulted: Vaulted) -> None:
    with pytest.raises(SecretRefused):
        await connect(vaulted, "wrong")

    assert await vaulted.rows() == []
    assert await records(vaulted, "vault.connect") == []


async def test_the_same_secret_is_the_same_account_and_another_is_another(vaulted: Vaulted) -> None:
    vaulted.registry.accounts["second"] = Account()

    first, second = await connect(vaulted), await connect(vaulted, "second")
    with pytest.raises(AlreadyConnected) as refusal:
        await connect(vaulted)

    assert refusal.value.credential_id == first
    assert len({external_id for external_id, _ in await vaulted.rows()}) == 2
    assert second != first


async def test_another_accounts_secret_is_told_only_to_who_has_it(vaulted: Vaulted) -> None:
    await connect(vaulted)
    eve = Principal((await people.account(vaulted.workplace, "other")).id, "user:9 eve", ALL_PERMISSIONS)

    with pytest.raises(SecretRefused):
        await connect(vaulted, "guess", eve)
    with pytest.raises(ConnectedElsewhere):
        await connect(vaulted, API_KEY, eve)
    with pytest.raises(CredentialNotFound):
        await vaulted.providers.status(vaulted.call(eve), CONNECTABLE, 1)


async def test_what_the_provider_says_now_is_kept_and_put_on_record(vaulted: Vaulted) -> None:
    credential_id = await connect(vaulted)
    vaulted.registry.next_refusals = [Refused("110")]

    refused = await vaulted.providers.status(vaulted.call(), CONNECTABLE, credential_id)
    kept = await vaulted.workplace.do(credentials.find, credential_id)
    good = await vaulted.providers.status(vaulted.call(), CONNECTABLE, credential_id)

    assert (refused.status, kept.problem, kept.checked_at) == (
        "refused",
        "secret_refused",
        refused.credential.checked_at,
    )
    assert (good.status, good.credential.problem) == ("active", None)
    subject = f"credential {credential_id}"
    assert await records(vaulted, "vault.credential.check") == [
        (subject, {"problem": "secret_refused"}),
        (subject, {"problem": None}),
    ]


async def test_nothing_is_kept_of_a_check_that_nobody_answered(vaulted: Vaulted) -> None:
    credential_id = await connect(vaulted)
    vaulted.registry.next_refusals = [Refused("115")]

    with pytest.raises(ProviderUnavailable):
        await vaulted.providers.status(vaulted.call(), CONNECTABLE, credential_id)

    assert (await vaulted.workplace.do(credentials.find, credential_id)).checked_at is None


async def test_a_registrar_is_worked_with_whatever_its_provider(vaulted: Vaulted) -> None:
    credential_id = await connect(vaulted)
    vaulted.registry.mine.domains["example.com"] = "2027-01-22"
    registrars, call = vaulted.registrars, vaulted.call()

    await registrars.set_name_servers(call, NAMESILO.id, credential_id, "example.com", ["a.ns.test", "b.ns.test"])

    assert registrars.providers == ("namecheap", "namesilo")
    assert [one.name for one in await registrars.domains(call, NAMESILO.id, credential_id)] == ["example.com"]
    assert await registrars.name_servers(call, NAMESILO.id, credential_id, "example.com") == ["a.ns.test", "b.ns.test"]
    facts = {"domain": "example.com", "name_servers": ["a.ns.test", "b.ns.test"]}
    subject = f"credential {credential_id}"
    assert await records(vaulted, "vault.intent") == [(subject, {"change": "domain.name_servers", **facts})]
    assert await records(vaulted, "vault.domain.name_servers") == [(subject, facts)]
    for provider in ("namecheap", "nobody"):
        with pytest.raises(CredentialNotFound):
            await registrars.domains(call, provider, credential_id)


async def test_name_servers_that_were_not_set_are_on_record_with_whether_they_may_be_all_the_same(
    vaulted: Vaulted,
) -> None:
    credential_id = await connect(vaulted)
    vaulted.registry.mine.domains["example.com"] = "2027-01-22"
    vaulted.registry.fault("GET", "/changeNameServers", Fate.LOSE_ANSWER, times=3)

    for domain, error in (("example.com", ProviderUnavailable), ("com", Invalid), ("other.com", ProviderRejected)):
        with pytest.raises(error):
            await vaulted.registrars.set_name_servers(
                vaulted.call(), NAMESILO.id, credential_id, domain, ["a.ns.test", "b.ns.test"]
            )

    failures = [facts for _, facts in await records(vaulted, "vault.intent.fail")]
    assert [one["may_have_landed"] for one in failures] == [True, False, False]
    assert {one["change"] for one in failures} == {"domain.name_servers"}


async def test_a_revoked_secret_opens_nothing(vaulted: Vaulted) -> None:
    credential_id = await connect(vaulted)
    await vaulted.workplace.do(credentials.revoke, credential_id)
    asked = len(vaulted.registry.came)

    standing = await vaulted.providers.status(vaulted.call(), CONNECTABLE, credential_id)
    with pytest.raises(CredentialRevoked):
        await vaulted.registrars.domains(vaulted.call(), NAMESILO.id, credential_id)

    assert (standing.status, len(vaulted.registry.came)) == ("revoked", asked)


async def test_no_record_holds_a_secret(vaulted: Vaulted) -> None:
    credential_id = await connect(vaulted)
    await vaulted.providers.status(vaulted.call(), CONNECTABLE, credential_id)

    statement = select(AUDIT_RECORDS.c.subject, AUDIT_RECORDS.c.facts)
    found = await vaulted.workplace.database.read(lambda connection: connection.execute(statement).all())

    assert API_KEY not in repr(found)
