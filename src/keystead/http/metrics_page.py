"""``GET /metrics`` for Prometheus: for this machine's own scraper, or for a token with ``metrics.read``.

A request that says it was forwarded does not count as this machine's, whoever forwarded it: a proxy beside us that is
not among the trusted ones would otherwise open the page to everybody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from keystead.access import engines
from keystead.engines.xray.state import WatchState
from keystead.http.admission import Admission
from keystead.http.facts import facts_of
from keystead.http.metrics import CONTENT_TYPE, Metrics
from keystead.kit import names
from keystead.kit.errors import Forbidden, KeysteadError, Unauthenticated, Unavailable
from keystead.operations.instance.engines import EngineStatuses
from keystead.operations.transaction import Transactions
from keystead.reconcile.loop import Reconciler

PATH = "/metrics"
_WATCH_TIMEOUT_S = 1.0
# How well the connections of each scope can be seen and ended.
WatchStates = Mapping[str, Callable[[], Awaitable[WatchState]]]
_FORWARDED = ("x-forwarded-for", "x-real-ip", "forwarded", "via")
_STATUSES: tuple[tuple[type[KeysteadError], int], ...] = (
    (Unauthenticated, 401),
    (Forbidden, 403),
    (Unavailable, 503),
    (KeysteadError, 500),
)


def create_app(
    metrics: Metrics,
    admission: Admission,
    transactions: Transactions,
    reconciler: Reconciler,
    statuses: EngineStatuses,
    watches: WatchStates,
) -> Starlette:
    """Return the application with its one route."""

    async def scrape(request: Request) -> Response:
        await _admit(request, admission, transactions)
        await _refresh(metrics, reconciler, statuses)
        await _refresh_watches(metrics, watches)
        return Response(metrics.render(), headers={"content-type": CONTENT_TYPE})

    return Starlette(
        routes=[Route(PATH, scrape, methods=["GET"])], exception_handlers={KeysteadError: _refused_as(_STATUSES)}
    )


async def _admit(request: Request, admission: Admission, transactions: Transactions) -> None:
    facts = facts_of(request.scope)
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    is_own = names.is_loopback(facts.address) and not any(name in request.headers for name in _FORWARDED)
    if not scheme and (facts.is_local or is_own):
        return
    if scheme.lower() != "bearer":
        raise Unauthenticated("scrape from this machine, or send Authorization: Bearer <token>")
    await transactions.read(await admission.by_token(credential.strip(), facts), engines.measure)


async def _refresh(metrics: Metrics, reconciler: Reconciler, statuses: EngineStatuses) -> None:
    for scope, engine in statuses().items():
        metrics.engine_ready.labels(scope).set(engine.health.condition.is_serving)
    for status in await reconciler.statuses():
        metrics.scope_lag.labels(status.name).set(status.generation - status.applied_generation)


async def _refresh_watches(metrics: Metrics, watches: WatchStates) -> None:
    for scope, watch in watches.items():
        try:
            async with asyncio.timeout(_WATCH_TIMEOUT_S):
                metrics.watched(scope, await watch())
        except (TimeoutError, Unavailable):
            metrics.watched(scope, None)


def _refused_as(table: tuple[tuple[type[KeysteadError], int], ...]) -> Callable[[Request, Exception], Response]:
    def refused(request: Request, error: Exception) -> Response:
        status = next(status for kind, status in table if isinstance(error, kind))
        headers = {"www-authenticate": "Bearer"} if status == 401 else {}
        return PlainTextResponse(f"{error}\n", status, headers)

    return refused
