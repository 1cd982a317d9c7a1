"""The examination of the shared inbound's REALITY target, and the choice of one where the settings name none.

Part of the composition root (called by ``wiring.py`` and ``mounts.py``): it joins settings, vpn and the engine's own
examination. Starting waits for none of it.
"""

from collections.abc import Callable

from sqlalchemy import Connection

from keystead.access import principal
from keystead.access.work import Work
from keystead.engines.xray import pool, target
from keystead.founding import PORT, Foundation, Ground, found_inbound
from keystead.kit.log import get_logger
from keystead.settings import Settings
from keystead.vpn.inbound import Inbound
from keystead.vpn.targets import Examine

log = get_logger()


def examiner(ground: Ground, *, on_founded: Callable[[], None]) -> Examine:
    """Return the examination of this instance's target; without a target it chooses one from the pool first."""
    settings, foundation = ground.settings, ground.foundation

    async def examine() -> str | None:
        if foundation.inbound is None:
            chosen = await pool.choose(own=_own(settings, foundation))
            if chosen is None:
                return "none of the built-in REALITY targets is reachable and valid; set KEYSTEAD_REALITY_TARGET"

            def unit(connection: Connection) -> Inbound:
                by = principal.system(foundation.account_id)
                work = Work(connection, by, ground.clock, ground.ids, ground.keys.ring, "start")
                return found_inbound(work, ground.scope, settings, chosen.target, chosen.server_names)

            foundation.inbound = await ground.database.write(unit)
            on_founded()
            return None
        inbound = foundation.inbound
        found = await examine_target(settings, foundation, inbound)
        for warning in found.warnings:
            log.warning("REALITY target", target=inbound.target, warning=warning.sentence)
        problems = " ".join(problem.sentence for problem in found.problems)
        return f"REALITY target {inbound.target}: {problems}" if problems else None

    return examine


async def examine_target(settings: Settings, foundation: Foundation, inbound: Inbound) -> target.Examination:
    """Examine the target of the shared inbound now."""
    return await target.examine(
        inbound.target,
        inbound.server_names,
        allow_loopback=settings.reality_target is not None,
        own=_own(settings, foundation),
    )


def _own(settings: Settings, foundation: Foundation) -> list[tuple[str, int]]:
    port = foundation.inbound.port if foundation.inbound else settings.vpn_port or PORT
    return [(settings.vpn_host, port), (foundation.public_host, port), (settings.host, settings.port)]
