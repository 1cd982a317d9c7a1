"""Cloudflare's accounts and Namecheap's users: connected on every wire, rotated, moved between, and refused."""

import asyncio
from typing import Any

from tests.e2e.canaries.stage import Stage
from tests.support.standins.cloudflare import MINE, OTHER
from tests.support.standins.namecheap import API_KEY, IP, USERNAME
from tests.support.standins.server import Fate

CLOUDFLARE, NAMECHEAP = "/v1/providers/cloudflare/credentials", "/v1/providers/namecheap/credentials"
RELAY, MOVES = "/v1/providers/namecheap/relay", "/v1/domain-moves"
ANOTHER_USER, ANOTHER_KEY = "OtherUser", "CANARY-other-namecheap-key"


async def hold_keys_of_cloudflare(there: Stage) -> None:
    """Connect, rotate, rename, seal everything again; and be refused in every way."""
    await connect(there, token="cfat_CANARY-of-nobody-0123456789", status=400)
    there.outside.remote.fault("POST", "/tokens", Fate.REFUSE, status=502)
    await connect(there, status=503)
    there.outside.remote.fault("POST", "/tokens", Fate.LOSE_ANSWER)
    await connect(there, status=503)
    key_id = (await connect(there))["key_id"]
    await there.ask("POST", "/v1/secrets/rotate")
    await connect(there)
    await there.ask("PATCH", f"/integrations/keys/{key_id}", {"key_alias": "renamed"})
    await there.ask("PATCH", f"/v1/credentials/{key_id}", {"alias": "renamed again"})


async def connect(there: Stage, *, status: int = 200, token: str | None = None) -> Any:
    """Connect the Cloudflare account; every token there is a secret of this test."""
    body = {"cf_account_id": MINE, "bootstrap_token": _bootstrap(there, token)}
    told = await there.ask("POST", "/integrations/cloudflare/init", body, status=status)
    note_working(there)
    return told


async def hold_keys_of_another_account(there: Stage) -> None:
    """Connect and rotate on ``/v1`` and by the command line; be refused by both, and for what no body may have."""
    body = {"account_id": OTHER, "bootstrap_token": _bootstrap(there, account_id=OTHER)}
    wrong = {**body, "bootstrap_token": _bootstrap(there, "cfat_CANARY-of-nobody-9876543210")}
    await there.ask("POST", CLOUDFLARE, wrong, status=502)
    await there.ask("POST", CLOUDFLARE, {**body, "bootstrap_token": [wrong["bootstrap_token"]]}, status=422)
    made = await there.ask("POST", CLOUDFLARE, body, status=201)
    note_working(there)
    again = {"bootstrap_token": _bootstrap(there, account_id=OTHER)}
    await there.ask("POST", f"{CLOUDFLARE}/{made['id']}/rotate", again)
    note_working(there)
    group, secret_file = ("provider", "cloudflare"), ("--secret-file", "-")
    await there.command(*group, "connect", OTHER, *secret_file, stdin=f"{wrong['bootstrap_token']}\n", is_refused=True)
    for verb, subject in (("connect", OTHER), ("rotate", made["id"])):
        given = _bootstrap(there, account_id=OTHER)
        await there.command(*group, verb, subject, *secret_file, stdin=f"{given}\n")
        note_working(there)


async def hold_keys_of_namecheap(there: Stage) -> None:
    """Set the relay, connect, list, point; and be refused by the relay and by Namecheap."""
    marked, registrar = there.canaries, there.outside.registrar
    password = marked.mark("the relay's header", registrar.password)
    marked.mark("the relay's password", "relay:CANARY-relay")
    marked.mark("a Namecheap key", API_KEY)
    relay = ("provider", "relay", "set", "namecheap", "--url", registrar.url, "--ip", IP, "--auth-file", "-")

    def body(key: str) -> dict[str, str]:
        return {"username": USERNAME, "api_key": key}

    wrong = {**registrar.relay(), "relay_auth": marked.mark("a wrong header", "Basic Q0FOQVJZOndyb25n")}
    await there.ask("PUT", RELAY, wrong)
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
    await _be_refused_a_way(there, key_id, wrong)


async def hold_keys_of_another_user(there: Stage) -> None:
    """Connect a user on ``/v1`` and by the command line, and be refused by both."""
    registrar, key = there.outside.registrar, there.canaries.mark("another Namecheap key", ANOTHER_KEY)
    registrar.users[ANOTHER_USER.lower()] = key
    wrong = there.canaries.mark("another wrong key", "CANARY-wrong-key-of-another")
    await there.ask("POST", NAMECHEAP, {"username": ANOTHER_USER, "api_key": wrong}, status=502)
    made = await there.ask("POST", NAMECHEAP, {"username": ANOTHER_USER, "api_key": key}, status=201)
    await there.ask("DELETE", f"/v1/credentials/{made['id']}", status=204)
    connect = ("provider", "namecheap", "connect", ANOTHER_USER, "--secret-file", "-")
    await there.command(*connect, stdin=f"{wrong}\n", is_refused=True)
    await there.command(*connect, stdin=f"{key}\n")


async def move_domains(there: Stage) -> None:
    """Plan a move of what Namecheap has, carry it out, undo it; Cloudflare fails once."""
    order = {"domains": [{"domain": name} for name in there.outside.registrar.domains]}
    found = (await there.ask("GET", "/v1/credentials"))["items"]
    own = {one["external_id"]: one["id"] for one in found}
    order |= {"zone_credential_id": own[MINE], "registrar_credential_id": own[USERNAME.lower()]}
    digest = (await there.ask("POST", MOVES, {**order, "dry_run": True}))["digest"]
    there.outside.remote.fault("POST", "/zones", Fate.REFUSE, status=500)
    number = (await there.ask("POST", MOVES, {**order, "digest": digest}, status=202))["id"]
    await _until_ended(there, number)
    undone = await there.ask("POST", f"{MOVES}/{number}/undo", {"removes_zones": True}, status=202)
    await _until_ended(there, undone["id"])
    await there.ask("GET", f"{MOVES}/{number}/results")


def note_working(there: Stage) -> None:
    """Mark every token that was made."""
    for account_id in (MINE, OTHER):
        for one in there.outside.remote.working(account_id):
            there.canaries.mark("a working token", one.value)


def _bootstrap(there: Stage, token: str | None = None, account_id: str = MINE) -> str:
    value = token or there.outside.remote.bootstrap(account_id).value
    return there.canaries.mark("a bootstrap token", value)


async def _be_refused_a_way(there: Stage, key_id: int, wrong: dict[str, str]) -> None:
    """Give one key a way of its own, with a header that no relay takes and with one that no body may have."""
    own = f"{RELAY}?credential_id={key_id}"
    await there.ask("PUT", own, wrong)
    await there.ask("GET", own)
    await there.ask("GET", f"/integrations/namecheap/domains?key_id={key_id}", status=500)
    await there.ask("PUT", own, {**wrong, "relay_auth": [wrong["relay_auth"]]}, status=422)
    await there.ask("PUT", own, {**wrong, "relay_url": f"ftp://{API_KEY}@127.0.0.1"}, status=422)
    await there.ask("DELETE", own, status=204)


async def _until_ended(there: Stage, number: int) -> None:
    async with asyncio.timeout(120):
        while (await there.owner.get(f"{MOVES}/{number}")).json()["ended_at"] is None:
            await asyncio.sleep(0.05)
    ended = await there.ask("GET", f"{MOVES}/{number}")
    assert ended["state"] == "done", ended
