"""The core as its own client: one dial, end to end, answers whether a customer would be served.

Used by the managed driver. A dial goes through the loopback SOCKS inbound of the core, out as a VLESS client, in
again through the public listener, and out to the keeper's echo, which must send back what only this dial knows (the
SOCKS answer alone proves nothing: the core gives it before it has dialled).

REALITY examines every (target, server name) once per process, and who arrives meanwhile sleeps in steps of five
seconds (xtls/reality, tls.go and record_detect.go). So the proof of warmth does not wait for one dial: it starts a
new one every half second until any comes back.

What dials is imported by the first dial: the core is started before anything of it is needed.
"""

import asyncio

from keystead.engines.xray.config import ProbePlan, Route
from keystead.keeper.echo import NONCE_SIZE
from keystead.kit.clock import Clock
from keystead.kit.errors import EngineUnavailable
from keystead.kit.ids import Ids
from keystead.kit.secret import Secret
from keystead.kit.waiting import within

DIAL_TIMEOUT_S = 6.0
_EAGER_S = 0.5
_PATIENT_S = 5.0
# Nothing but a target that is down takes longer than this; then there is no reason to knock twice a second.
_EAGER_FOR_S = 30.0
_LOOPBACK = "127.0.0.1"


class Prober:
    """Dial the echo through the core."""

    def __init__(self, *, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids

    def password(self) -> Secret[str]:
        """Return a fresh password for the core's SOCKS inbound."""
        return Secret(self._ids.hex(16))

    async def dial(self, plan: ProbePlan, route: Route) -> None:
        """Dial once; raise EngineUnavailable when the echo does not come back in time."""
        from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

        nonce = self._ids.hex(NONCE_SIZE // 2).encode()
        try:
            async with asyncio.timeout(DIAL_TIMEOUT_S):
                answer = await self._exchange(plan, route, nonce)
        except (OSError, EOFError, ProxyError, ProxyConnectionError, ProxyTimeoutError) as error:
            raise EngineUnavailable(f"a dial through inbound {route.tag} does not come back") from error
        if answer != nonce:
            raise EngineUnavailable(f"a dial through inbound {route.tag} comes back wrong")

    async def prove(self, plan: ProbePlan, route: Route) -> None:
        """Return when a dial over a route has succeeded; try for as long as it takes."""
        proven = asyncio.Event()
        begun_s = self._clock.monotonic_s()
        attempts: set[asyncio.Task[None]] = set()
        try:
            while not proven.is_set():
                attempt = asyncio.create_task(self._attempt(plan, route, proven))
                attempts.add(attempt)
                attempt.add_done_callback(attempts.discard)
                is_early = self._clock.monotonic_s() - begun_s < _EAGER_FOR_S
                await within(self._clock, _EAGER_S if is_early else _PATIENT_S, proven.wait())
        finally:
            left = list(attempts)
            for attempt in left:
                attempt.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _attempt(self, plan: ProbePlan, route: Route, proven: asyncio.Event) -> None:
        try:
            await self.dial(plan, route)
        except EngineUnavailable:
            return
        proven.set()

    async def _exchange(self, plan: ProbePlan, route: Route, nonce: bytes) -> bytes:
        from python_socks import ProxyType
        from python_socks.async_.asyncio import Proxy

        proxy = Proxy(
            ProxyType.SOCKS5,
            _LOOPBACK,
            plan.socks_port,
            username=route.account,
            password=plan.password.reveal(),
        )
        sock = await proxy.connect(_LOOPBACK, plan.echo_port)
        reader, writer = await asyncio.open_connection(sock=sock)
        try:
            writer.write(nonce)
            return await reader.readexactly(len(nonce))
        finally:
            writer.transport.abort()
