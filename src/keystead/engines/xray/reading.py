"""Read what a process of the core has counted for customers."""

from typing import TYPE_CHECKING

from keystead.engines.xray.state import OWN_LABEL_PREFIX, Reading

if TYPE_CHECKING:
    from keystead.engines.xray.client import XrayClient


async def read(client: "XrayClient", process: str, label: str | None = None) -> Reading:
    """Return the counters of customers, of one label or of all; raise EngineUnavailable."""
    counters = await client.counters(label)
    customers = {name: found for name, found in counters.items() if not name.startswith(OWN_LABEL_PREFIX)}
    return Reading(process, customers)
