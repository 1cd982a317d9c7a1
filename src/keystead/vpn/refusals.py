"""The loop that puts on record that a key is used from too many addresses at a time.

The keeper refuses them by itself (keeper/addresses.py); here is noticed that it does. Run by the composition root. The
addresses are no part of what is noted.
"""

from collections.abc import Awaitable, Callable

from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError, Unsupported
from keystead.kit.log import get_logger
from keystead.vpn.connections import ConnectionSource
from keystead.vpn.keyvalue import number_of

log = get_logger()

LOOK_EVERY_S = 2.0
# The record is made once in a period; a key that goes on being refused is asked about that seldom.
AGAIN_S = 60.0

# Notes a refusal: (number of the key, how many addresses are active).
Note = Callable[[int, int], Awaitable[None]]


class Refusals:
    """Watch what is refused."""

    def __init__(self, source: ConnectionSource, note: Note, *, clock: Clock) -> None:
        self._source = source
        self._note = note
        self._clock = clock
        self._noted_s: dict[int, float] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except Unsupported:
                log.debug("addresses are unknown here")
            except KeysteadError as error:
                log.warning("refused addresses not noted", reason=error.message)
            await self._clock.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Note each key of which an address is refused."""
        now_s = self._clock.monotonic_s()
        self._noted_s = {number: at_s for number, at_s in self._noted_s.items() if now_s - at_s < AGAIN_S}
        for label, use in (await self._source.address_use()).items():
            number = number_of(label)
            if use.refused and number is not None and number not in self._noted_s:
                await self._note(number, use.active)
                self._noted_s[number] = now_s
