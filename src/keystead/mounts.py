"""Which dialect answers at which prefix, and what each is given; part of the composition root (for ``main.py``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keystead import examining, founding
from keystead.access.datakeys import OpenKeys, RootKey
from keystead.access.gate import TokenDoor
from keystead.access.signin.door import SessionDoor
from keystead.access.signin.rules import Binding, Registration
from keystead.db.session import Database
from keystead.dialects.auth import errors as auth_errors
from keystead.dialects.auth.app import PREFIX as AUTH_PREFIX
from keystead.dialects.auth.app import create_app as auth_app
from keystead.dialects.auth.services import Services as AuthServices
from keystead.dialects.integrations import errors as integrations_errors
from keystead.dialects.integrations.app import create_app as integrations_app
from keystead.dialects.integrations.routes import PREFIX as INTEGRATIONS_PREFIX
from keystead.dialects.integrations.routes import Services as IntegrationsServices
from keystead.dialects.subscription.app import create_app as subscription_app
from keystead.dialects.subscription.backend import Backend, Shown
from keystead.dialects.v1 import errors as v1_errors
from keystead.dialects.v1.app import PREFIX as V1_PREFIX
from keystead.dialects.v1.app import create_app as v1_app
from keystead.dialects.v1.services import Services as V1Services
from keystead.dialects.veil.app import create_app as veil_app
from keystead.dialects.veil.routes import Services as VeilServices
from keystead.dialects.vpnkeys.app import create_app as vpnkeys_app
from keystead.dialects.vpnkeys.auth import takes as vpnkeys_takes
from keystead.dialects.vpnkeys.services import Services as VpnkeysServices
from keystead.engines.xray import keys as xray_keys
from keystead.engines.xray.driver import ManagedXray
from keystead.engines.xray.external import ExternalXray
from keystead.founding import Foundation
from keystead.http import checks, cors, guarantees, metrics_page, pages, subscription_operations
from keystead.http.access_operations import AccessOperations
from keystead.http.admission import Admission
from keystead.http.audit_operations import AuditOperations
from keystead.http.backup import Backups
from keystead.http.client_operations import ClientOperations
from keystead.http.connection_operations import ConnectionOperations
from keystead.http.doctor import Check, Doctor, Examination, Status
from keystead.http.doors import Mount
from keystead.http.engine_operations import EngineOperations, EngineStatus
from keystead.http.hashing import PasswordHashing
from keystead.http.health import HealthCheck
from keystead.http.idempotency import Idempotency
from keystead.http.limits import RateLimits, RequestCounts
from keystead.http.mails import Mailer, Mails
from keystead.http.metrics import Metrics
from keystead.http.operations import VpnOperations
from keystead.http.overview_operations import Ground, OverviewOperations
from keystead.http.pages import Specification
from keystead.http.people_operations import PeopleOperations
from keystead.http.polling import Polling, Serving
from keystead.http.port_operations import PortOperations
from keystead.http.secrets_operations import SecretsOperations
from keystead.http.self_operations import SelfOperations
from keystead.http.signin_operations import Rules, SignInOperations
from keystead.http.subscription_operations import SubscriptionOperations
from keystead.http.terms_operations import TermsOperations
from keystead.http.transaction import Transactions
from keystead.http.vault_operations import VaultOperations
from keystead.http.webhook_operations import WebhookOperations
from keystead.kit import names
from keystead.kit.clock import Clock
from keystead.kit.errors import Unavailable
from keystead.kit.reach import Reach
from keystead.outbox.courier import Courier
from keystead.reconcile.engine import Condition, EngineView
from keystead.reconcile.loop import Reconciler
from keystead.sealing import SEALED_COLUMNS
from keystead.settings import Settings
from keystead.shown_settings import shown
from keystead.vpn.clientrules import ClientVersions
from keystead.vpn.targets import TargetWatch

# Where the vpnkeys wire's own documentation is: its endpoints are at the paths it documents.
VPNKEYS_PAGES = "/vpnkeys"
_SPECIFICATIONS = (
    Specification("veil", ""),
    Specification("vpnkeys", VPNKEYS_PAGES),
    Specification("integrations", INTEGRATIONS_PREFIX),
    Specification("Keystead", V1_PREFIX),
    Specification("signing in", AUTH_PREFIX),
)
_WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised here, not listened on


@dataclass(frozen=True)
class Parts:
    """What dialects are made of: one instance's open parts."""

    settings: Settings
    foundation: Foundation
    database: Database
    keys: OpenKeys
    root: RootKey
    gate: TokenDoor
    driver: ManagedXray | ExternalXray
    reconciler: Reconciler
    transactions: Transactions
    vpn: VpnOperations
    ports: PortOperations
    terms: TermsOperations
    connections: ConnectionOperations
    vault: VaultOperations
    targets: TargetWatch
    courier: Courier
    reach: Reach
    mailer: Mailer | None
    metrics: Metrics
    clock: Clock
    scope: str


class Mounts:
    """Build every dialect over the same operations."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._base_url = base_url(parts.settings, parts.foundation.public_host)
        settings = parts.settings
        self._binding = Binding(settings.fingerprint)
        self._people = SessionDoor(parts.clock, parts.keys.ring, self._binding)
        self._hashing = PasswordHashing()
        self._mails = Mails(parts.mailer, settings.sign_in_url)
        self._admission = Admission(
            parts.gate, self._people, parts.database, parts.clock, default_account_id=parts.foundation.account_id
        )
        self._transactions, self._vpn = parts.transactions, parts.vpn
        self._idempotency = Idempotency(parts.database, parts.clock)
        self._serving = Serving(
            parts.foundation.public_host,
            parts.scope,
            ClientVersions(parts.settings.vpn_client_versions),
            parts.settings.vpn_device_days,
        )
        self._health = HealthCheck(parts.database, parts.driver.probe, lambda: parts.targets.problem, parts.clock)

    def all(self) -> list[Mount]:
        """Return every mount of a door."""
        parts = self._parts
        shown = Shown(self._base_url, parts.settings.subscription_title, parts.settings.support_url)
        backend = Backend(Polling(parts.transactions, parts.database, self._serving, self._core_version), shown)
        scrape = metrics_page.create_app(
            parts.metrics,
            self._admission,
            self._transactions,
            parts.reconciler,
            self._engines,
            {parts.scope: parts.driver.watching.state},
        )
        origins = parts.settings.cors_origins
        auth = cors.allowing(origins, auth_app(self.auth(), specifications=_SPECIFICATIONS))
        native = cors.allowing(origins, v1_app(self.v1(), specifications=_SPECIFICATIONS))
        vpnkeys = vpnkeys_app(self.vpnkeys(), prefix=VPNKEYS_PAGES, specifications=_SPECIFICATIONS)
        return [
            Mount(pages.PREFIX, "assets", pages.assets_app()),
            Mount(subscription_operations.PREFIX, "subscription", subscription_app(backend)),
            Mount(metrics_page.PATH, "metrics", scrape),
            Mount(V1_PREFIX, "v1", native, v1_errors.bare_problem),
            Mount(AUTH_PREFIX, "auth", auth, auth_errors.bare),
            Mount(VPNKEYS_PAGES, "vpnkeys", vpnkeys),
            Mount(
                INTEGRATIONS_PREFIX,
                "integrations",
                cors.allowing(origins, integrations_app(self.integrations(), specifications=_SPECIFICATIONS)),
                integrations_errors.too_large,
            ),
            Mount("", "vpnkeys", vpnkeys, takes=vpnkeys_takes),
            Mount("", "veil", veil_app(self.veil(), specifications=_SPECIFICATIONS)),
        ]

    def auth(self) -> AuthServices:
        """Return what the auth wire calls."""
        parts, settings = self._parts, self._parts.settings
        rules = Rules(parts.foundation.account_id, Registration(settings.registration), self._binding)
        return AuthServices(
            admission=self._admission,
            signing_in=SignInOperations(self._transactions, self._people, self._hashing, self._mails, rules),
            oneself=SelfOperations(self._transactions, self._people, self._hashing, self._binding),
            clock=parts.clock,
            origins=frozenset(settings.cors_origins),
        )

    def veil(self) -> VeilServices:
        """Return what the veil wire calls."""
        return VeilServices(
            admission=self._admission, operations=self._vpn, idempotency=self._idempotency, health=self._health
        )

    def vpnkeys(self) -> VpnkeysServices:
        """Return what the vpnkeys wire calls."""
        parts = self._parts
        pool = parts.ports.pool
        ground = Ground(
            observe=parts.driver.observe,
            targets=parts.targets,
            public_of=xray_keys.public_of,
            public_host=parts.foundation.public_host,
            ports=range(pool.first, pool.last + 1),
        )
        return VpnkeysServices(
            admission=self._admission,
            operations=self._vpn,
            overviews=OverviewOperations(self._transactions, self._vpn, ground),
            ports=parts.ports,
            idempotency=self._idempotency,
            health=self._health,
            limits=RateLimits(RequestCounts(parts.clock) if parts.settings.rate_limits == "on" else None),
            clock=parts.clock,
            data_dir=parts.settings.data_dir,
        )

    def integrations(self) -> IntegrationsServices:
        """Return what the integrations wire calls."""
        return IntegrationsServices(admission=self._admission, transactions=self._transactions, vault=self._parts.vault)

    def v1(self) -> V1Services:
        """Return what the native API calls."""
        parts, transactions = self._parts, self._transactions
        return V1Services(
            admission=self._admission,
            idempotency=self._idempotency,
            health=self._health,
            doctor=Doctor(transactions, self._examinations(), shown(parts.settings)),
            vpn=self._vpn,
            ports=parts.ports,
            terms=parts.terms,
            connections=parts.connections,
            subscriptions=SubscriptionOperations(transactions, base_url=self._base_url),
            clients=ClientOperations(transactions, self._serving, self._core_version),
            access=AccessOperations(transactions, parts.gate, self._people, self._hashing),
            people=PeopleOperations(transactions, parts.gate, self._people, self._mails),
            audit=AuditOperations(transactions, audit_key=parts.keys.audit_key, data_dir=parts.settings.data_dir),
            webhooks=WebhookOperations(transactions, parts.courier, parts.reach),
            vault=parts.vault,
            engines=EngineOperations(transactions, parts.reconciler, self._engines),
            secrets=SecretsOperations(
                transactions,
                parts.database,
                root=parts.root,
                ring=parts.keys.ring,
                columns=SEALED_COLUMNS,
                clock=parts.clock,
            ),
            backups=Backups(
                transactions,
                parts.database,
                data_dir=parts.settings.data_dir,
                load_root=lambda: founding.load_root(parts.settings),
            ),
        )

    def _core_version(self) -> str:
        return self._parts.driver.status().binary.version

    def _engines(self) -> Mapping[str, EngineStatus]:
        status = self._parts.driver.status()
        return {
            self._parts.scope: EngineStatus(
                binary=str(status.binary.path),
                version=status.binary.version,
                why=status.binary.reason,
                state=status.state,
                pid=status.pid,
                health=status.health,
                trouble=status.trouble,
                last_lines=status.last_lines,
            )
        }

    def _examinations(self) -> Sequence[Examination]:
        return (
            ("machine", self._examine_files),
            ("database", self._examine_database),
            ("engine", self._examine_engines),
            ("REALITY target", self._examine_target),
            ("addresses", self._examine_addresses),
        )

    async def _examine_files(self) -> Sequence[Check]:
        settings = self._parts.settings
        return [checks.machine(), checks.data_directory(settings.data_dir), checks.root_key(settings)]

    async def _examine_database(self) -> Sequence[Check]:
        parts = self._parts
        return [
            await checks.database(parts.database),
            await checks.audit_trail(parts.database, parts.settings.data_dir),
        ]

    async def _examine_engines(self) -> Sequence[Check]:
        parts = self._parts
        found: list[Check] = []
        views = await parts.reconciler.views()
        for name, status in self._engines().items():
            view = views.get(name, EngineView())
            found += [checks.engine_program(name, status, view), checks.engine_condition(name, status)]
            found += [*checks.keepers(name, view), *checks.foreign_listeners(name, view)]
            inbound = parts.foundation.inbound
            if inbound is not None:
                found.append(checks.vpn_port(inbound.listen, inbound.port, status.health))
        found += await self._examine_connections()
        found.append(await checks.client_versions(parts.database, parts.scope, self._serving.wanted))
        found += [
            Check(f"scope {scope.name}", Status.FAIL, scope.message or scope.state, f"run: keystead plan {scope.name}")
            for scope in await parts.reconciler.statuses()
            if scope.state in {"blocked", "held"}
        ]
        return found

    async def _examine_connections(self) -> Sequence[Check]:
        scope, driver = self._parts.scope, self._parts.driver
        try:
            state = await driver.watching.state()
        except Unavailable as error:
            advice = "look at keeper.log in the data directory"
            return [Check(f"{scope} connections", Status.FAIL, error.message, advice)]
        is_ready = driver.status().health.condition is Condition.READY
        return guarantees.checks(scope, state, is_ready=is_ready, without=self._parts.settings.keeper_without)

    async def _examine_target(self) -> Sequence[Check]:
        parts = self._parts
        inbound = parts.foundation.inbound
        if inbound is None:
            return checks.target([parts.targets.problem or "none is chosen yet"], [], "no target")
        found = await examining.examine_target(parts.settings, parts.foundation, inbound)
        return checks.target(
            [problem.sentence for problem in found.problems],
            [warning.sentence for warning in found.warnings],
            f"{inbound.target} for {', '.join(inbound.server_names)}",
        )

    async def _examine_addresses(self) -> Sequence[Check]:
        settings = self._parts.settings
        return [
            checks.public_host(settings, self._parts.foundation.public_host),
            checks.exposure(settings),
            checks.subscription_address(settings, self._base_url),
        ]


def base_url(settings: Settings, public_host: str) -> str:
    """Return the address at which customers reach subscriptions; a wildcard listener is reached at the public host."""
    if settings.public_url is not None:
        return settings.public_url
    scheme = "http" if settings.tls == "off" else "https"
    host = public_host if settings.host in _WILDCARDS else settings.host
    return f"{scheme}://{names.authority(host, settings.port)}"
