"""Credentials on the shelf: what tests of the vault begin with."""

from typing import Any

from keystead.kit.secret import Secret
from keystead.vault import connecting
from keystead.vault.connecting import Connected, Made, Reserved, Wish
from keystead.vault.credentialvalue import Credential
from tests.support.work import Workplace

EXTERNAL = "7fadeb365dc925694b8dcfb313412345"


def wish(external_id: str = EXTERNAL, **more: Any) -> Wish:
    values = {"provider": "cloudflare", "alias": None, "default_alias": "301st-20250110-080000", **more}
    return Wish(external_id=external_id, **values)


async def added(
    workplace: Workplace, secret: str = "swordfish", external_id: str = EXTERNAL, **more: Any
) -> Credential:
    """Return a new credential that needed nothing made at its provider."""
    made = Made(Secret(secret), {"name": external_id}, more.pop("expires_at", None))
    wanted = wish(external_id, **{"provider": "namecheap", **more})
    return (await workplace.do(connecting.add, wanted, made)).credential


async def reserved(workplace: Workplace, external_id: str = EXTERNAL, **more: Any) -> Reserved:
    """Return a reservation."""
    bootstrap = Secret(more.pop("bootstrap", "bootstrap"))
    wanted = wish(external_id, **more)
    return await workplace.do(connecting.reserve, wanted, sweep={"token_name": "t"}, bootstrap=bootstrap)


async def activated(workplace: Workplace, holding: Reserved, secret: str = "swordfish") -> Connected:
    """Put a reservation in force."""
    made = Made(Secret(secret), {"cf_token_id": "t1"})
    return await workplace.do(connecting.activate, holding, made, retire={"tokens": []}, bootstrap=Secret("bootstrap"))
