"""Providers that a secret alone connects: on every wire, asked for what they know, and refused."""

import json
from dataclasses import dataclass
from typing import Any

from tests.e2e.canaries.stage import Stage
from tests.support.standins import google_analytics, hosttracker, namesilo, yandex_metrica
from tests.support.standins.server import Fate, StandIn

PATH = "/v1/providers"
OF_OAUTH = ("client_id", "client_secret", "refresh_token")


@dataclass
class Connected:
    """A provider, its right secret and a wrong one, and what is read with it on the documented wire."""

    name: str
    standin: StandIn
    right: dict[str, Any]
    wrong: dict[str, Any]
    reads: tuple[str, ...]


def providers(there: Stage) -> list[Connected]:
    """Return every provider with its secrets, which are marked."""
    out, mark = there.outside, there.canaries.mark
    account = google_analytics.uploaded()
    for key in (google_analytics.private_key(), google_analytics.other_key()):
        # A key is many lines, which JSON writes in another way: one of them is enough to know it by.
        mark("a private key", key.splitlines()[5])
    found = there.outside.analytics.add(1)
    found.viewers.add(google_analytics.SUBJECT)
    other = {**account, "private_key": google_analytics.other_key()}
    silo = {"api_key": mark("a NameSilo key", namesilo.API_KEY)}
    tracker = {"token": mark("a HostTracker token", hosttracker.TOKEN)}
    metrica = {"token": mark("a token of Metrica", yandex_metrica.TOKEN)}
    wrong = {name: mark(f"a wrong secret of {name}", f"CANARY-wrong-{name}") for name in ("silo", "tracker", "metrica")}
    return [
        Connected("namesilo", out.registry, silo, {"api_key": wrong["silo"]}, ("domains",)),
        Connected("hosttracker", out.tracker, tracker, {"token": wrong["tracker"]}, ("monitors", "states")),
        Connected("yandex_metrica", out.metrica, metrica, {"token": wrong["metrica"]}, ("counters",)),
        Connected(
            "google_analytics",
            out.analytics,
            {"service_account": json.dumps(account)},
            {"service_account": json.dumps(other)},
            ("properties", "realtime?property_id=1"),
        ),
    ]


async def hold_keys_of_the_others(there: Stage) -> None:
    """Connect each on every wire, ask it for what it knows, and be refused by all of them."""
    for one in providers(there):
        await _be_refused(there, one)
        key_id = (await there.ask("POST", f"/integrations/{one.name}/init", one.right))["key_id"]
        await there.ask("POST", f"/integrations/{one.name}/init", one.right, status=409)
        await _read(there, one, key_id)
        await there.ask("DELETE", f"/v1/credentials/{key_id}", status=204)
        made = await there.ask("POST", f"{PATH}/{one.name}/credentials", {"secret": one.right}, status=201)
        await there.ask("DELETE", f"/v1/credentials/{made['id']}", status=204)
        await there.command("provider", "connect", one.name, "--secret-file", "-", stdin=_lines(one.right))
    connect, wrong = ("provider", "connect", "namesilo", "--secret-file", "-"), _lines(providers(there)[0].wrong)
    await there.command(*connect, stdin=wrong, is_refused=True)
    await _hold_tokens_of_google(there)
    for token in there.outside.analytics.tokens:
        there.canaries.mark("an access token of Google", token)


async def _be_refused(there: Stage, one: Connected) -> None:
    init, credentials = f"/integrations/{one.name}/init", f"{PATH}/{one.name}/credentials"
    [field] = one.wrong
    await there.ask("POST", init, one.wrong, status=400)
    await there.ask("POST", credentials, {"secret": one.wrong}, status=502)
    await there.ask("POST", credentials, {"secret": {field: [one.wrong[field]]}}, status=422)
    await there.ask("POST", credentials, {"secret": {"unknown": one.right[field]}}, status=422)
    one.standin.fault("GET", "", Fate.REFUSE, status=500, body=b"{}")
    one.standin.fault("POST", "", Fate.REFUSE, status=500, body=b"{}")
    answer = await there.owner.post(init, json=one.right)
    there.said[f"{one.name} fails"] = answer.text
    assert answer.status_code >= 400, answer.text
    one.standin.faults.clear()


async def _read(there: Stage, one: Connected, key_id: int) -> None:
    for read in ("status", *one.reads):
        await there.ask("GET", f"/integrations/{one.name}/{read}{'&' if '?' in read else '?'}key_id={key_id}")
    if one.name == "hosttracker":
        wanted = {"key_id": key_id, "url": "https://example.com"}
        await there.ask("POST", "/integrations/hosttracker/monitors", wanted)


async def _hold_tokens_of_google(there: Stage) -> None:
    """Connect Google Analytics the other way: an OAuth client and a token to refresh."""
    values = (google_analytics.CLIENT_ID, google_analytics.CLIENT_SECRET, google_analytics.REFRESH_TOKEN)
    for value in values[1:]:
        there.canaries.mark("a secret of OAuth", value)
    secret = dict(zip(OF_OAUTH, values, strict=True))
    wrong = {**secret, "refresh_token": there.canaries.mark("a wrong token", "CANARY-wrong-refresh")}
    await there.ask("POST", f"{PATH}/google_analytics/credentials", {"secret": wrong}, status=502)
    made = await there.ask("POST", f"{PATH}/google_analytics/credentials", {"secret": secret}, status=201)
    await there.ask("GET", f"{PATH}/google_analytics/credentials/{made['id']}/properties")


def _lines(secret: dict[str, Any]) -> str:
    return "".join(f"{value}\n" for value in secret.values())
