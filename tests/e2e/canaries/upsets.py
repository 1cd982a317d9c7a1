"""What nobody foresaw, with secrets at hand: a part of the database is gone, in the middle of whatever needs it."""

import httpx2

from tests.e2e.canaries.accounts import CLOUDFLARE, NAMECHEAP, connect
from tests.e2e.canaries.joined import PATH
from tests.e2e.canaries.people import ANNA, NEW
from tests.e2e.canaries.stage import Stage
from tests.support.browser import Browser
from tests.support.standins.cloudflare import OTHER
from tests.support.standins.namecheap import API_KEY
from tests.support.standins.namesilo import API_KEY as SILO_KEY


async def fail_with_providers(there: Stage) -> None:
    """Fail while secrets for providers are given and opened."""
    login = {"username": "x", "api_key": API_KEY}
    given = {"account_id": OTHER, "bootstrap_token": there.outside.remote.bootstrap(OTHER).value}
    there.canaries.mark("a bootstrap token", given["bootstrap_token"])
    relay = there.outside.registrar.relay()
    with there.without("zones"):
        await connect(there, status=500)
        await there.ask("POST", CLOUDFLARE, given, status=500)
    with there.without("credentials"):
        await there.ask("POST", "/integrations/namecheap/init", login, status=500)
        await there.ask("POST", NAMECHEAP, login, status=500)
        await there.ask("POST", f"{PATH}/namesilo/credentials", {"secret": {"api_key": SILO_KEY}}, status=500)
        await there.ask("POST", "/integrations/namesilo/init", {"api_key": SILO_KEY}, status=500)
        command = ("provider", "connect", "namesilo", "--secret-file", "-")
        await there.command(*command, stdin=f"{SILO_KEY}\n", is_refused=True)
    with there.without("provider_relays"):
        await there.ask("PUT", "/v1/providers/namecheap/relay", relay, status=500)
    with there.changed("UPDATE credentials SET scope = '[1'", "UPDATE credentials SET scope = '{}'"):
        await connect(there, status=500)


async def fail_with_people(there: Stage) -> None:
    """Fail while people give their passwords and get their secrets."""
    async with httpx2.AsyncClient(base_url=there.instance.url, timeout=30.0) as http:
        browser = Browser(http)
        for table, path, body in (
            ("sessions", "login", {"email": ANNA, "password": NEW}),
            ("second_factors", "login", {"email": ANNA, "password": NEW, "code": "canary-wrong-code"}),
            ("one_time_links", "register", {"email": "dora@example.com", "password": NEW}),
            ("one_time_links", "reset_password", {"email": ANNA}),
        ):
            with there.without(table):
                answer = await browser.post(path, body)
            there.said[f"{path} without {table}"] = answer.text
    with there.without("webhooks"):
        await there.ask("POST", "/v1/webhooks", {"url": there.receiver.url}, status=500)
    with there.without("users"):
        await there.ask("POST", "/v1/users", {"login": "emil", "password": NEW}, status=500)
