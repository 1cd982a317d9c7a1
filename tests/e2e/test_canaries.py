"""A whole Keystead given nothing but marked secrets, through every way they have; then searched for them everywhere."""

from pathlib import Path

import pytest

from tests.e2e.canaries import accounts, joined, people, telling, upsets
from tests.e2e.canaries.stage import SETTINGS_FILE, Stage, stage
from tests.support import tokens

pytestmark = [pytest.mark.engine, pytest.mark.sqlite, pytest.mark.slow]

PASSPHRASE = "canary passphrase of a backup"


async def test_no_secret_is_left_anywhere_by_anything(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        await people.invite(there)
        signing = await telling.add_webhooks(there)
        await hold_keys(there)
        await people.sign_in(there)
        await people.issue_tokens(there)
        await accounts.move_domains(there)
        await telling.alert(there)
        await there.command("secrets", "rotate")
        await reveal_everything(there)
        await upsets.fail_with_providers(there)
        await upsets.fail_with_people(there)
        await look_at_everything(there)
        telling.note_deliveries(there, signing)
        backup = tmp_path / "all.age"
        await there.command("backup", backup, stdin=f"{there.canaries.mark('a passphrase', PASSPHRASE)}\n")

        pid = there.instance.process.pid if there.instance.process else 0
        found = there.canaries.in_processes(pid) + there.canaries.in_files(tmp_path, apart_from=[SETTINGS_FILE])
        await there.instance.stop()

        assert "exc_type" in there.instance.log()
        assert found == []
        assert there.canaries.in_files(tmp_path, apart_from=[SETTINGS_FILE]) == []
        assert there.canaries.in_backup(backup, PASSPHRASE) == []
        assert there.canaries.in_texts(there.said) == []


async def hold_keys(there: Stage) -> None:
    """Connect every provider in every way."""
    await accounts.hold_keys_of_cloudflare(there)
    await accounts.hold_keys_of_another_account(there)
    await accounts.hold_keys_of_namecheap(there)
    await accounts.hold_keys_of_another_user(there)
    await joined.hold_keys_of_the_others(there)


async def reveal_everything(there: Stage) -> None:
    """Reveal every secret, which is the one answer that may hold it; to who may not see it, refuse it."""
    body, other = {"reason": "to see that it is nowhere else"}, await tokens.issue(there.instance, "viewer")
    held = (await there.ask("GET", "/v1/credentials"))["items"]
    for one in held:
        path = f"/v1/credentials/{one['id']}/reveal"
        shown = await there.told("POST", path, body)
        refused = await there.owner.post(path, json=body, headers={"authorization": f"Bearer {other}"})
        there.said[f"a refused reveal of {one['id']}"] = refused.text
        assert refused.status_code == 403
        assert there.canaries.in_bytes("it", f"{shown}".encode()) != []
    assert "CANARY" in await there.printed("credential", "reveal", held[0]["id"])
    await there.ask("POST", "/v1/credentials/999/reveal", body, status=404)


async def look_at_everything(there: Stage) -> None:
    """Read whatever shows what was done."""
    for path in (
        "/integrations/keys",
        "/v1/providers/errands",
        "/v1/providers/namecheap/relay",
        "/v1/doctor",
        "/v1/tokens",
        "/v1/webhooks",
        "/v1/domains",
        "/v1/domains/drift",
        "/v1/domain-moves",
        "/metrics",
    ):
        answer = await there.owner.get(path)
        there.said[path] = answer.text
        assert answer.status_code == 200, answer.text
    audit = await there.ask("GET", "/v1/audit?limit=500")
    assert len(audit["items"]) > 10
