"""A rotation of all keys over many secrets, while somebody reads: what the readers notice of it."""

import asyncio
import time
from pathlib import Path

from bench import held
from bench.figures import Row, at_most, milliseconds, p99
from bench.instances import instance
from bench.scale import Scale
from bench.wire import Wire

_EVERY_S = 0.004
_ROTATE = "/v1/secrets/rotate"
_READ = "/integrations/keys/7"


async def measure(directory: Path, scale: Scale) -> list[Row]:
    """Read in a calm, then while all secrets are sealed again."""
    async with instance(directory / "rewrapping", 0) as running:
        await running.stop()
        token = await held.owner_token(running)
        await asyncio.to_thread(held.credentials, running, scale.secrets)
        await running.start()
        with Wire(running.port, token) as reading, Wire(running.port, token) as rotating:
            await asyncio.to_thread(_read, reading, scale.calm_s / 4)  # the first reads warm everything up
            calm = await asyncio.to_thread(_read, reading, scale.calm_s)
            rotation = asyncio.create_task(asyncio.to_thread(_rotate, rotating))
            busy = await asyncio.to_thread(_read, reading, 3600, rotation)
            took_s, resealed = await rotation
    if resealed < scale.secrets:
        raise RuntimeError(f"only {resealed} secrets were sealed again")
    case = f"{scale.secrets:,} secrets"
    note = f"{milliseconds(busy)} over {milliseconds(calm)}; {len(busy):,} reads"
    return [
        Row("reads' p99 in a rotation, over the calm", case, p99(busy) / p99(calm), at_most(2), note=note),
        Row("rotation while serving", case, took_s, None, "s"),
    ]


def _read(wire: Wire, seconds: float, until: "asyncio.Task[object] | None" = None) -> list[float]:
    """Read one credential again and again, at a pace that leaves the server time; until something is done."""
    took: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end and not (until is not None and until.done()):
        took.append(wire.ask("GET", _READ)[0])
        time.sleep(_EVERY_S)
    return took


def _rotate(wire: Wire) -> tuple[float, int]:
    begun = time.perf_counter()
    done = wire.ask_json("POST", _ROTATE)
    return time.perf_counter() - begun, int(done["resealed"])
