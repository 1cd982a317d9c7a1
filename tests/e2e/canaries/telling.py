"""Whom the instance tells of what happens: webhooks with their secrets, and mails to an account's owners."""

import asyncio

from tests.e2e.canaries.people import BERT
from tests.e2e.canaries.stage import Stage
from tests.support.receiver import is_genuine

WEBHOOKS = "/v1/webhooks"


async def add_webhooks(there: Stage) -> list[str]:
    """Add webhooks, also twice under one Idempotency-Key; rotate their secrets; deliver to them and fail to.

    Return the secrets, one of which everything is signed with.
    """
    headers, body = {"idempotency-key": "once"}, {"url": there.receiver.url}
    first = await there.owner.post(WEBHOOKS, json=body, headers=headers)
    again = await there.owner.post(WEBHOOKS, json=body, headers=headers)
    secrets = [there.canaries.mark("a webhook's secret", first.json()["secret"])]
    there.said["a webhook again"] = again.text
    assert (first.status_code, again.json()["secret"]) == (201, None)
    one = f"{WEBHOOKS}/{first.json()['id']}"
    rotated = await there.told("POST", f"{one}/secret")
    printed = [
        await there.printed("webhook", verb, subject)
        for verb, subject in (("rotate", rotated["id"]), ("add", there.receiver.url))
    ]
    secrets += [there.canaries.mark("another secret of webhooks", one) for one in (rotated["secret"], *printed)]
    there.receiver.statuses = [500]
    await there.ask("POST", f"{one}/test")
    told = await there.ask("POST", f"{one}/test")
    await there.ask("GET", f"{one}/deliveries")
    await there.ask("GET", f"{one}/deliveries/{told['number']}")
    return secrets


async def alert(there: Stage) -> None:
    """Have providers looked at: what Namecheap has to spend is little, of which owners hear by mail and webhook.

    People are told when somebody wants to know next, once it has been seen.
    """
    await there.ask("POST", "/v1/domains/look", {}, status=202)
    async with asyncio.timeout(30):
        while not await _is_seen(there):
            await asyncio.sleep(0.02)
    await there.ask("POST", "/v1/domains/look", {}, status=202)
    async with asyncio.timeout(30):
        while not any("to spend" in letter for letter in there.inbox.letters(BERT)):
            await asyncio.sleep(0.02)
        while not any(one.json["type"] == "credential.balance_low" for one in there.receiver.received):
            await asyncio.sleep(0.02)
    there.said |= {f"an alert {number}": text for number, text in enumerate(there.inbox.letters(BERT)[1:])}


async def _is_seen(there: Stage) -> bool:
    held = (await there.owner.get("/v1/credentials?provider=namecheap")).json()["items"]
    return all(one["look"] is not None and one["look"]["balance"] is not None for one in held)


def note_deliveries(there: Stage, secrets: list[str]) -> None:
    """Keep what webhooks were sent; each of it was signed with one of these."""
    for one in there.receiver.received:
        there.said[f"{len(there.said)} a delivery"] = f"{one.headers} {one.body.decode()}"
        assert any(is_genuine(secret, one) for secret in secrets)
