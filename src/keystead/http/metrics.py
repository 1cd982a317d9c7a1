"""What Keystead counts about itself, for Prometheus; one registry per process, made by the composition root."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from keystead.engines.xray.state import WatchState
from keystead.operations.instance import guarantees

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)


class Metrics:
    """The metrics of one instance."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "keystead_http_requests_total",
            "Requests answered.",
            ["dialect", "method", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "keystead_http_request_seconds", "Time to answer.", ["dialect"], buckets=_SECONDS, registry=self.registry
        )
        self.engine_ready = Gauge(
            "keystead_engine_ready", "1 when a client would be served at once.", ["scope"], registry=self.registry
        )
        self.scope_lag = Gauge(
            "keystead_scope_generation_lag", "Desired minus applied generation.", ["scope"], registry=self.registry
        )

        self.connections = Gauge(
            "keystead_connections",
            "Live client connections, with owner or without; absent where nobody knows.",
            ["scope"],
            registry=self.registry,
        )
        self.ownerless = Gauge(
            "keystead_connections_ownerless_share",
            "Part of the connections whose owner no access line told; absent where nobody knows.",
            ["scope"],
            registry=self.registry,
        )
        self.doubtful = Gauge(
            "keystead_cut_doubtful_keys",
            "Removed keys still online by a connection not proven to be theirs; absent where nobody knows.",
            ["scope"],
            registry=self.registry,
        )
        self.tricks = Gauge(
            "keystead_trick_works",
            "1 when a trick with connections works here; see keystead doctor.",
            ["scope", "trick"],
            registry=self.registry,
        )
        self.cut = Gauge(
            "keystead_cut_way",
            "1 for the way in force to end a removed key's connections.",
            ["scope", "way"],
            registry=self.registry,
        )

    def watched(self, scope: str, state: WatchState | None) -> None:
        """Take how the connections of a scope are watched; None when that is not known now."""
        counted = None if state is None else state.connections
        share = None if state is None else state.ownerless_share
        doubtful = None if state is None else state.doubtful
        for gauge, value in ((self.connections, counted), (self.ownerless, share), (self.doubtful, doubtful)):
            if value is None:
                gauge.remove_by_labels({"scope": scope})
            else:
                gauge.labels(scope).set(value)
        if state is not None:
            for trick, is_working in guarantees.works(state).items():
                self.tricks.labels(scope, trick).set(is_working)
            for way in guarantees.WAYS:
                self.cut.labels(scope, way).set(way == state.cut)

    def observe(self, dialect: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests.labels(dialect, method, str(status)).inc()
        self.seconds.labels(dialect).observe(seconds)

    def render(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
