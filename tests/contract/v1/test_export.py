"""POST /v1/export: an account as one document; its secrets only for whom the caller names, and with leave."""

import json

import pyrage
import pytest

from keystead.access.permissions import ALL_PERMISSIONS, Permission
from keystead.importing import document
from keystead.kit.age import Unlock
from keystead.kit.secret import Secret
from tests.support.instance import InProcess

EXPORT = "/v1/export"


async def test_a_document_holds_the_keys_of_the_account(instance: InProcess) -> None:
    async with await instance.caller() as http:
        issued = (await http.post("/v1/vpn/keys", json={"name": "anna"})).json()
        answer = await http.post(EXPORT, json={})

    body = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "no-store"
    assert (body["format"], body["secrets"], body["public_host"]) == ("keystead-vpn", "left out", "vpn.example.com")
    assert [(key["number"], key["name"], key["inbound"]) for key in body["keys"]] == [
        (issued["number"], "anna", "shared")
    ]
    assert "sealed" not in body


async def test_secrets_are_sealed_for_whom_the_caller_names(instance: InProcess) -> None:
    identity = pyrage.x25519.Identity.generate()
    async with await instance.caller() as http:
        await http.post("/v1/vpn/keys", json={"name": "anna"})
        answer = await http.post(EXPORT, json={"recipient": str(identity.to_public())})

    read = document.read(answer.content, unlock=Unlock(identity=Secret(str(identity))))
    assert answer.json()["secrets"] == "sealed"
    assert read.keys[0].uuid is not None
    assert read.head.inbounds[0].private_key is not None


@pytest.mark.parametrize(
    ("body", "lacking"),
    [({}, Permission.EXPORT_MAKE), ({"passphrase": "correct horse"}, Permission.EXPORT_SECRETS)],
)
async def test_each_kind_is_refused_without_its_permission_and_that_is_on_record(
    instance: InProcess, body: dict[str, str], lacking: Permission
) -> None:
    async with await instance.caller(*(ALL_PERMISSIONS - {lacking})) as http:
        answer = await http.post(EXPORT, json=body)

    assert answer.status_code == 403
    assert lacking.value in answer.text
    [denied] = [record for record in await instance.records() if record.outcome == "denied"]
    assert str(denied.facts["reason"]).endswith(lacking.value)


@pytest.mark.parametrize(
    "body", [{"passphrase": "short"}, {"recipient": "age1nobody"}, {"passphrase": "correct horse", "recipient": "age1"}]
)
async def test_a_lock_that_is_none_is_refused(instance: InProcess, body: dict[str, str]) -> None:
    async with await instance.caller() as http:
        answer = await http.post(EXPORT, content=json.dumps(body))

    assert answer.status_code == 422
