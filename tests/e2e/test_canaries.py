"""A whole Keystead given nothing but marked secrets, through every way they have; then searched for them everywhere."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import create_engine, text

from keystead.access.permissions import ALL_PERMISSIONS
from tests.support import tokens
from tests.support.browser import Browser
from tests.support.canaries import Canaries
from tests.support.keystead import Keystead, keystead
from tests.support.standins.cloudflare import MINE, Cloudflare, cloudflare
from tests.support.standins.namecheap import API_KEY, IP, USERNAME, Namecheap, namecheap
from tests.support.standins.server import Fate

pytestmark = [pytest.mark.engine, pytest.mark.sqlite, pytest.mark.slow]

PASSPHRASE = "canary passphrase of a backup"
PERSON = "canary password 7 of a person"


@dataclass
class Stage:
    """An instance with its providers, and everything that it said."""

    instance: Keystead
    remote: Cloudflare
    registrar: Namecheap
    owner: httpx2.AsyncClient
    canaries: Canaries
    said: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """Ask as the owner and keep the answer."""
        answer = await self.owner.request(method, path, json=body)
        self.said[f"{len(self.said)} {method} {path}"] = f"{answer.headers} {answer.text}"
        assert answer.status_code == status, answer.text
        return answer.json()

    async def command(self, *arguments: object, stdin: str = "") -> None:
        """Run a command on the machine; look at its own command line while it runs, and keep what it says."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "keystead", *map(str, arguments)),
            env=self.instance.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.instance.data_dir.parent,
        )
        assert self.canaries.in_processes(process.pid) == []
        output, _ = await process.communicate(stdin.encode())
        self.said[f"{len(self.said)} {arguments}"] = output.decode()
        assert process.returncode == 0, output

    async def connect(self, *, status: int = 200, token: str | None = None) -> Any:
        """Connect the Cloudflare account; every token there is a secret of this test."""
        value = token or self.remote.bootstrap().value
        body = {"cf_account_id": MINE, "bootstrap_token": self.canaries.mark("a bootstrap token", value)}
        told = await self.ask("POST", "/integrations/cloudflare/init", body, status=status)
        for one in self.remote.working():
            self.canaries.mark("a working token", one.value)
        return told


@asynccontextmanager
async def stage(directory: Path) -> AsyncIterator[Stage]:
    """Run an instance where anybody may register, and its providers."""
    canaries = Canaries()
    with cloudflare() as remote, namecheap() as registrar:
        remote.add_zones(3)
        registrar.add_domains(3)
        async with keystead(
            directory, KEYSTEAD_PROVIDER_CLOUDFLARE_URL=remote.url, KEYSTEAD_REGISTRATION="open"
        ) as instance:
            token = await tokens.issue(instance, "owner", permissions=ALL_PERMISSIONS)
            headers = {"authorization": f"Bearer {canaries.mark('a token', token)}"}
            async with httpx2.AsyncClient(base_url=instance.url, timeout=30.0, headers=headers) as owner:
                yield Stage(instance, remote, registrar, owner, canaries)


@contextmanager
def changed(instance: Keystead, change: str, back: str) -> Iterator[None]:
    """Change the database beside the instance for the duration."""
    engine = create_engine(instance.database_url, connect_args={"timeout": 30})
    try:
        with engine.begin() as connection:
            connection.execute(text(change))
        yield
        with engine.begin() as connection:
            connection.execute(text(back))
    finally:
        engine.dispose()


async def test_no_secret_is_left_anywhere_by_anything(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        await hold_keys_of_cloudflare(there)
        await hold_keys_of_namecheap(there)
        await sign_in(there)
        await fail_unforeseen(there)
        await look_at_everything(there)
        backup = tmp_path / "all.age"
        await there.command("backup", backup, stdin=f"{PASSPHRASE}\n")

        pid = there.instance.process.pid if there.instance.process else 0
        found = there.canaries.in_processes(pid) + there.canaries.in_files(tmp_path)
        await there.instance.stop()

        assert "exc_type" in there.instance.log()
        assert found == []
        assert there.canaries.in_files(tmp_path) == []
        assert there.canaries.in_backup(backup, PASSPHRASE) == []
        assert there.canaries.in_texts(there.said) == []


async def hold_keys_of_cloudflare(there: Stage) -> None:
    """Connect, rotate, rename, seal everything again; and be refused in every way."""
    await there.connect(token="cfat_CANARY-of-nobody-0123456789", status=400)
    there.remote.fault("POST", "/tokens", Fate.REFUSE, status=502)
    await there.connect(status=503)
    there.remote.fault("POST", "/tokens", Fate.LOSE_ANSWER)
    await there.connect(status=503)
    key_id = (await there.connect())["key_id"]
    await there.ask("POST", "/v1/secrets/rotate")
    await there.connect()
    await there.ask("PATCH", f"/integrations/keys/{key_id}", {"key_alias": "renamed"})
    await there.ask("PATCH", f"/v1/credentials/{key_id}", {"alias": "renamed again"})
    await reveal(there, key_id)


async def reveal(there: Stage, key_id: int) -> None:
    """Reveal a secret: the one answer that may hold it; to who may not see it, and of a key that is none, refuse it."""
    path, body = f"/v1/credentials/{key_id}/reveal", {"reason": "to see that it is nowhere else"}
    answer = await there.owner.post(path, json=body)
    other = await tokens.issue(there.instance, "viewer")
    refused = await there.owner.post(path, json=body, headers={"authorization": f"Bearer {other}"})
    await there.ask("POST", "/v1/credentials/999/reveal", body, status=404)

    there.said["a refused reveal"] = refused.text
    assert (answer.status_code, refused.status_code) == (200, 403)
    assert there.remote.by_value(answer.json()["secret"]["token"]) in there.remote.working()


async def hold_keys_of_namecheap(there: Stage) -> None:
    """Set the relay, connect, list, point; and be refused by the relay and by Namecheap."""
    marked, registrar = there.canaries, there.registrar
    password = marked.mark("the relay's header", registrar.password)
    marked.mark("the relay's password", "relay:CANARY-relay")
    marked.mark("a Namecheap key", API_KEY)
    relay = ("provider", "relay", "set", "namecheap", "--url", registrar.url, "--ip", IP, "--auth-file", "-")

    def body(key: str) -> dict[str, str]:
        return {"username": USERNAME, "api_key": key}

    wrong = {**registrar.relay(), "relay_auth": marked.mark("a wrong header", "Basic Q0FOQVJZOndyb25n")}
    await there.ask("PUT", "/v1/providers/namecheap/relay", wrong)
    await there.ask("POST", "/integrations/namecheap/init", body(API_KEY), status=400)
    await there.command(*relay, stdin=f"{password}\n")
    other = marked.mark("a wrong key", "CANARY-wrong-namecheap-key")
    await there.ask("POST", "/integrations/namecheap/init", body(other), status=400)
    registrar.fault("GET", "/xml.response", Fate.REFUSE, status=500)
    await there.ask("POST", "/integrations/namecheap/init", body(API_KEY), status=400)
    key_id = (await there.ask("POST", "/integrations/namecheap/init", body(API_KEY)))["key_id"]
    await there.ask("GET", f"/integrations/namecheap/domains?key_id={key_id}")
    pointed = {"key_id": key_id, "domain": "domain-000.pro", "nameservers": ["bob.ns.cloudflare.com"]}
    await there.ask("POST", "/integrations/namecheap/set-ns", pointed)


async def sign_in(there: Stage) -> None:
    """Register, sign in with a right and a wrong password."""
    marked = there.canaries
    async with httpx2.AsyncClient(base_url=there.instance.url, timeout=30.0) as http:
        browser = Browser(http)
        await browser.register("anna@example.com", marked.mark("a password", PERSON))
        await browser.login("anna@example.com", marked.mark("a wrong password", "canary that is wrong"))
        await browser.login("anna@example.com", PERSON)
        marked.mark("an access token", browser.access)
        marked.mark("a refresh token", browser.refresh_token)


async def fail_unforeseen(there: Stage) -> None:
    """Fail where nobody foresaw it, with secrets at hand; what is logged of the last one has a traceback."""
    login = {"username": "x", "api_key": API_KEY}
    with changed(there.instance, "ALTER TABLE zones RENAME TO away", "ALTER TABLE away RENAME TO zones"):
        await there.connect(status=500)
    with changed(there.instance, "ALTER TABLE credentials RENAME TO away", "ALTER TABLE away RENAME TO credentials"):
        await there.ask("POST", "/integrations/namecheap/init", login, status=500)
    with changed(there.instance, "UPDATE credentials SET scope = '[1'", "UPDATE credentials SET scope = '{}'"):
        await there.connect(status=500)


async def look_at_everything(there: Stage) -> None:
    """Read whatever shows what was done."""
    for path in ("/integrations/keys", "/v1/providers/errands", "/v1/providers/namecheap/relay", "/v1/doctor"):
        await there.ask("GET", path)
    audit = await there.ask("GET", "/v1/audit?limit=500")
    assert len(audit["items"]) > 10
