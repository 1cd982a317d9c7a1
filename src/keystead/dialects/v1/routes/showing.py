"""A key as the answer of an endpoint: with its terms, and whether it is connected now."""

from typing import Any

from keystead.dialects.v1 import present
from keystead.dialects.v1.services import Services
from keystead.operations.calls import Call
from keystead.vpn.terms import KeyTerms


async def key(services: Services, call: Call, shown: KeyTerms, *, with_addresses: bool = False) -> dict[str, Any]:
    """Present a key the caller may see; its engine is asked once, and addresses are shown where they were asked for."""
    found = await services.connections.presence(call, [shown.key], with_addresses=with_addresses)
    return present.key(shown, found[shown.key.number])
