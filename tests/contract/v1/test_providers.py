"""The way requests to a provider leave by."""

from datetime import timedelta
from typing import Any

import pytest

from keystead.access.permissions import Permission
from keystead.access.principal import operator
from keystead.access.work import Work
from keystead.kit.ids import RandomIds
from keystead.kit.secret import Secret
from keystead.vault import errands
from keystead.vault.errands import Kind
from tests.support.instance import InProcess

PATH = "/v1/providers/namecheap/relay"
RELAY = {
    "ip": "51.68.21.133",
    "relay_url": "https://relay.example.com",
    "relay_host": "relay.example.com",
    "relay_auth": "Basic Q0FOQVJZ",
}


async def test_a_relay_is_set_shown_without_its_password_and_forgotten(instance: InProcess) -> None:
    operator = instance.operator
    shown = {
        "provider": "namecheap",
        "credential_id": None,
        "ip": "51.68.21.133",
        "relay_url": "https://relay.example.com",
        "relay_host": "relay.example.com",
    }

    assert (await operator.get(PATH)).status_code == 404
    assert (await operator.put(PATH, json=RELAY)).json() == shown
    assert (await operator.put(PATH, json={"ip": "203.0.113.7"})).json()["relay_url"] is None
    assert (await operator.put(PATH, json=RELAY)).json() == (await operator.get(PATH)).json() == shown
    assert (await operator.delete(PATH)).status_code == 204
    assert (await operator.delete(PATH)).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ip", "relay.example.com"),
        ("relay_url", "http://relay.example.com"),
        ("relay_host", "other.example.com"),
        ("relay_auth", "Bearer x"),
    ],
)
async def test_a_relay_that_is_not_whole_is_refused_by_its_field(instance: InProcess, field: str, value: str) -> None:
    answer = await instance.operator.put(PATH, json={**RELAY, field: value})

    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["errors"]] == [field]
    assert "Q0FOQVJZ" not in answer.text


async def test_a_key_that_is_not_there_gets_no_way(instance: InProcess) -> None:
    assert (await instance.operator.put(f"{PATH}?credential_id=7", json=RELAY)).status_code == 404


async def test_only_who_may_set_it_does(instance: InProcess) -> None:
    reader = await instance.caller(Permission.VAULT_READ)

    assert (await reader.put(PATH, json=RELAY)).status_code == 403
    assert (await reader.get(PATH)).status_code == 404


async def test_what_is_still_to_be_done_at_providers_is_listed(instance: InProcess) -> None:
    parts = instance.parts

    def put(connection: Any) -> int:
        principal = operator(parts.foundation.account_id)
        work = Work(connection, principal, parts.clock, RandomIds(), parts.keys.ring, "test")
        return errands.put(work, Kind.RETIRE, {}, secret=Secret("CANARY"), after=timedelta(days=1), credential_id=7)

    number = await parts.database.write(put)
    answer = await instance.operator.get("/v1/providers/errands")

    [shown] = answer.json()["items"]
    assert (shown["id"], shown["credential_id"], shown["kind"], shown["state"]) == (number, 7, "retire", "waiting")
    assert "CANARY" not in answer.text
