from datetime import timedelta

import pytest

from keystead.access import audit
from keystead.access.permissions import ALL_PERMISSIONS, Permission
from keystead.access.principal import Principal
from keystead.kit.errors import Forbidden, Invalid
from keystead.kit.page import Page
from keystead.vault import credentials, zones
from keystead.vault.credentials import Changes
from keystead.vault.credentialvalue import Status
from keystead.vault.errors import ConnectedElsewhere, CredentialExpired, CredentialNotFound, CredentialRevoked
from keystead.vault.zones import SeenZone
from tests.support import people
from tests.support.work import Workplace
from tests.unit.vault.shelf import EXTERNAL, added


async def verbs(workplace: Workplace) -> list[str]:
    return [record.verb for record in await workplace.do(audit.list_, Page(limit=100))]


async def other_account(workplace: Workplace) -> Principal:
    account_id = (await people.account(workplace, "other")).id
    return Principal(account_id, "user:9 eve", ALL_PERMISSIONS)


async def test_a_list_is_newest_first_and_without_secrets(workplace: Workplace) -> None:
    first = await added(workplace, "swordfish")
    workplace.clock.advance(1)
    second = await added(workplace, "marlin", "another")

    found = await workplace.do(credentials.list_)

    assert [one.id for one in found] == [second.id, first.id]
    assert "swordfish" not in repr(found)
    assert await workplace.do(credentials.list_, "namecheap") == found
    assert await workplace.do(credentials.list_, "cloudflare") == []


async def test_a_secret_is_revealed_with_its_own_permission_only_and_on_record(workplace: Workplace) -> None:
    found = await added(workplace, "swordfish")
    almost = Principal(workplace.account_id, "token:1 bot", ALL_PERMISSIONS - {Permission.VAULT_REVEAL})

    with pytest.raises(Forbidden, match=r"vault\.credentials\.reveal"):
        await workplace.do_as(almost, credentials.reveal, found.id)
    revealed = await workplace.do(credentials.reveal, found.id)

    assert revealed.reveal() == "swordfish"
    assert (await verbs(workplace)).count("vault.credential.reveal") == 1


async def test_the_record_of_a_reveal_is_written_before_anything_is_opened(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await added(workplace)
    opened: list[str] = []
    # The order of two calls within one verb is seen from outside in no other way.
    monkeypatch.setattr(credentials, "_opened", lambda *_: opened.append("opened"))

    def failing(*_: object, **__: object) -> None:
        raise OSError("no room for a record")

    def reveal(connection: object) -> None:
        work = workplace.work(connection)  # type: ignore[arg-type]
        work.audit = failing  # type: ignore[method-assign]
        credentials.reveal(work, found.id)

    with pytest.raises(OSError, match="no room"):
        await workplace.database.write(reveal)

    assert opened == []


async def test_use_notes_when_and_is_for_the_right_provider(workplace: Workplace) -> None:
    found = await added(workplace, "swordfish")
    workplace.clock.advance(60)

    opened = await workplace.do(credentials.use, found.id, "namecheap")

    again = await workplace.do(credentials.find, found.id)
    assert opened.secret.reveal() == "swordfish"
    assert again.last_used_at == workplace.clock.now()
    with pytest.raises(CredentialNotFound):
        await workplace.do(credentials.use, found.id, "cloudflare")


async def test_nobody_sees_or_changes_what_another_account_holds(workplace: Workplace) -> None:
    found = await added(workplace)
    stranger = await other_account(workplace)

    assert await workplace.do_as(stranger, credentials.list_) == []
    for verb in (credentials.find, credentials.reveal, credentials.revoke, credentials.remove, credentials.activate):
        with pytest.raises(CredentialNotFound):
            await workplace.do_as(stranger, verb, found.id)
    with pytest.raises(CredentialNotFound):
        await workplace.do_as(stranger, credentials.use, found.id, "namecheap")
    with pytest.raises(CredentialNotFound):
        await workplace.do_as(stranger, credentials.rename, found.id, "mine now")


async def test_a_revoked_credential_is_not_used_until_it_is_activated(workplace: Workplace) -> None:
    found = await added(workplace)
    await workplace.do(credentials.revoke, found.id)

    with pytest.raises(CredentialRevoked):
        await workplace.do(credentials.use, found.id, "namecheap")
    await workplace.do(credentials.activate, found.id)

    await workplace.do(credentials.use, found.id, "namecheap")
    assert [verb for verb in await verbs(workplace) if "credential" in verb] == [
        "vault.credential.revoke",
        "vault.credential.activate",
    ]


async def test_activating_is_refused_while_another_credential_holds_the_external_account(workplace: Workplace) -> None:
    before = await added(workplace)
    await workplace.do(credentials.revoke, before.id)
    await added(workplace, "newer")

    with pytest.raises(ConnectedElsewhere):
        await workplace.do(credentials.activate, before.id)


async def test_an_expiry_is_seen_at_once_and_put_on_record_once(workplace: Workplace) -> None:
    found = await added(workplace, expires_at=workplace.clock.now() + timedelta(days=1))
    workplace.clock.advance(86_400)

    shown = (await workplace.do(credentials.list_))[0]
    with pytest.raises(CredentialExpired):
        await workplace.do(credentials.use, found.id, "namecheap")
    noted = [await workplace.do(credentials.expire, found.id) for _ in range(2)]

    assert shown.status_at(workplace.clock.now()) is Status.EXPIRED
    assert noted == [True, False]
    assert (await workplace.do(credentials.find, found.id)).status is Status.EXPIRED
    with pytest.raises(CredentialExpired):
        await workplace.do(credentials.activate, found.id)


async def test_an_expired_credential_does_not_hold_its_external_account(workplace: Workplace) -> None:
    found = await added(workplace, expires_at=workplace.clock.now() + timedelta(days=1))
    workplace.clock.advance(86_400)

    newer = await added(workplace, "newer")

    assert newer.id != found.id
    assert (await workplace.do(credentials.find, found.id)).status is Status.EXPIRED


async def test_a_change_is_made_whole_or_not_at_all(workplace: Workplace) -> None:
    found = await added(workplace)

    with pytest.raises(Invalid):
        await workplace.do(credentials.change, found.id, Changes(alias="  ", is_active=False))
    unchanged = await workplace.do(credentials.find, found.id)
    changed = await workplace.do(credentials.change, found.id, Changes(alias=" Main ", is_active=False))

    assert unchanged == found
    assert (changed.alias, changed.status) == ("Main", Status.REVOKED)


async def test_a_removal_takes_the_zones_along_and_leaves_the_domains(workplace: Workplace) -> None:
    found = await added(workplace)
    seen = SeenZone("z1", "example.com", "active", "free", ("a.ns.test", "b.ns.test"))
    await workplace.do(zones.record, found.id, [seen])

    await workplace.do(credentials.remove, found.id)

    assert await workplace.do(zones.list_) == []
    domains = await workplace.do(zones.list_domains)
    assert [(one.name, one.zone_id, one.credential_id) for one in domains] == [("example.com", None, None)]
    assert EXTERNAL not in repr(domains)
