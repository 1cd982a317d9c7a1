"""Credentials on the wire."""

from datetime import UTC, datetime, timedelta

from keystead.access.permissions import ALL_PERMISSIONS, Permission
from tests.contract.v1.test_domains import credential
from tests.support.instance import InProcess

PATH = "/v1/credentials"


async def test_credentials_are_listed_shown_renamed_revoked_used_again_and_deleted(instance: InProcess) -> None:
    operator = instance.operator
    ends = datetime.now(UTC) + timedelta(days=9)
    first = await credential(instance, "namecheap", "shop")
    second = await credential(instance, "cloudflare", "a1", expires_at=ends)

    listed = (await operator.get(PATH)).json()["items"]
    [narrowed] = (await operator.get(f"{PATH}?provider=namecheap")).json()["items"]
    renamed = (await operator.patch(f"{PATH}/{first}", json={"alias": "Main"})).json()
    revoked = (await operator.patch(f"{PATH}/{first}", json={"status": "revoked"})).json()
    active = (await operator.patch(f"{PATH}/{first}", json={"status": "active"})).json()
    deleted = await operator.delete(f"{PATH}/{first}")

    assert [one["id"] for one in listed] == [second, first]
    assert datetime.fromisoformat(listed[0]["expires_at"]) == ends
    assert (narrowed["id"], narrowed["look"]) == (first, None)
    assert (renamed["alias"], revoked["status"], active["status"]) == ("Main", "revoked", "active")
    assert (deleted.status_code, (await operator.get(f"{PATH}/{first}")).status_code) == (204, 404)
    assert "CANARY" not in str(listed)


async def test_a_secret_is_revealed_to_who_may_see_it_with_the_reason_on_record(instance: InProcess) -> None:
    held = await credential(instance, "namecheap", "shop")
    almost = await instance.caller(*(ALL_PERMISSIONS - {Permission.VAULT_REVEAL}))
    path = f"{PATH}/{held}/reveal"

    refused = await almost.post(path, json={"reason": "curious"})
    given = await instance.operator.post(path, json={"reason": "  moving house "})
    bad = await instance.operator.post(path, json={"reason": "a\nb"})

    records = await instance.records(verb="vault.credential.reveal")
    assert (refused.status_code, "CANARY" in refused.text, bad.status_code) == (403, False, 422)
    assert given.json() == {
        "id": held,
        "provider": "namecheap",
        "secret": {"api_key": "CANARY", "username": "u"},
    }
    assert given.headers["cache-control"] == "no-store"
    assert [record.facts["reason"] for record in records if record.outcome == "done"] == ["moving house"]


async def test_a_balance_is_asked_of_registrars_only(instance: InProcess) -> None:
    cloudflare = await credential(instance, "cloudflare", "a1")
    namecheap = await credential(instance, "namecheap", "shop")

    assert (await instance.operator.post(f"{PATH}/{cloudflare}/balance")).status_code == 501
    wayless = await instance.operator.post(f"{PATH}/{namecheap}/balance")
    assert (wayless.status_code, wayless.json()["code"]) == (500, "no_way")
