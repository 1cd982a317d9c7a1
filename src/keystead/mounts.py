"""Which dialect answers at which prefix, and what each is given; part of the composition root (for ``main.py``)."""

from collections.abc import Callable, Sequence
from functools import partial

from keystead import founding
from keystead.access.signin.door import SessionDoor
from keystead.access.signin.rules import Binding, Registration
from keystead.dialects.auth import errors as auth_errors
from keystead.dialects.auth.services import PREFIX as AUTH_PREFIX
from keystead.dialects.auth.services import Services as AuthServices
from keystead.dialects.integrations import errors as integrations_errors
from keystead.dialects.integrations.services import PREFIX as INTEGRATIONS_PREFIX
from keystead.dialects.integrations.services import PREFIXES as INTEGRATIONS_PREFIXES
from keystead.dialects.integrations.services import Services as IntegrationsServices
from keystead.dialects.subscription.app import create_app as subscription_app
from keystead.dialects.subscription.backend import Backend, Shown
from keystead.dialects.v1 import errors as v1_errors
from keystead.dialects.v1.services import PREFIX as V1_PREFIX
from keystead.dialects.v1.services import Services as V1Services
from keystead.dialects.veil.app import create_app as veil_app
from keystead.dialects.veil.routes import Services as VeilServices
from keystead.dialects.vpnkeys.app import create_app as vpnkeys_app
from keystead.dialects.vpnkeys.auth import takes as vpnkeys_takes
from keystead.dialects.vpnkeys.services import Services as VpnkeysServices
from keystead.engines.xray import keys as xray_keys
from keystead.engines.xray.state import XrayActual
from keystead.examinations import Examinations
from keystead.http import cors, metrics_page, pages
from keystead.http.admission import Admission
from keystead.http.deferred import Deferred
from keystead.http.doors import App, Mount, Refusal, below, routes_of
from keystead.http.idempotency import Idempotency
from keystead.http.limits import RateLimits, RequestCounts
from keystead.http.pages import Specification
from keystead.kit import names
from keystead.operations.access.audit import AuditOperations
from keystead.operations.access.hashing import PasswordHashing
from keystead.operations.access.mails import Mails
from keystead.operations.access.myself import SelfOperations
from keystead.operations.access.people import PeopleOperations
from keystead.operations.access.signin import Rules, SignInOperations
from keystead.operations.access.tokens import TokenOperations
from keystead.operations.access.users import UserOperations
from keystead.operations.access.webhooks import WebhookOperations
from keystead.operations.instance.backup import Backups
from keystead.operations.instance.doctor import Doctor
from keystead.operations.instance.engines import EngineOperations
from keystead.operations.instance.export import Exports
from keystead.operations.instance.health import HealthCheck
from keystead.operations.instance.rotation import SecretsOperations
from keystead.operations.vpn import subscriptions
from keystead.operations.vpn.clients import ClientOperations
from keystead.operations.vpn.overview import Ground, OverviewOperations
from keystead.operations.vpn.polling import Polling, Serving
from keystead.operations.vpn.subscriptions import SubscriptionOperations
from keystead.parts import Parts, engines_of
from keystead.reconcile.plan import Passed
from keystead.sealing import SEALED_COLUMNS
from keystead.settings import Settings, places
from keystead.settings.places import EVERYTHING, Place
from keystead.shown_settings import shown
from keystead.vpn.clientrules import ClientVersions

# Where the vpnkeys wire's own documentation is: its endpoints are at the paths it documents.
VPNKEYS_PAGES = "/vpnkeys"
_WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised here, not listened on


# An application, and its routes.
Made = tuple[App, tuple[str, ...]]


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
        self._idempotency = Idempotency(parts.database, parts.clock, check=parts.transactions.check)
        self._serving = Serving(
            parts.foundation.public_host,
            parts.scope,
            ClientVersions(parts.settings.vpn_client_versions),
            parts.settings.vpn_device_days,
        )
        self._health = HealthCheck(parts.database, parts.driver.probe, lambda: parts.targets.problem, parts.clock)
        # What counts, waits or remembers does so for all doors together.
        self._limits = RateLimits(RequestCounts(parts.clock) if settings.rate_limits == "on" else None)
        load_root = partial(founding.load_root, settings)
        self._secrets = SecretsOperations(
            parts.transactions,
            parts.database,
            load_root=load_root,
            ring=parts.keys.ring,
            columns=SEALED_COLUMNS,
            clock=parts.clock,
        )
        self._exports = Exports(parts.transactions, parts.database, data_dir=settings.data_dir)
        self._backups = Backups(
            parts.transactions,
            parts.database,
            data_dir=settings.data_dir,
            load_root=load_root,
        )

    def all(self) -> list[Mount]:
        """Return every dialect at the very paths it documents."""
        return self.at(EVERYTHING)

    def at(self, there: Sequence[Place]) -> list[Mount]:
        """Return the mounts of a door at which some dialects answer."""
        made = [Mount(pages.PREFIX, "assets", pages.assets_app())]
        for place in there:
            made += self.of(place, there)
        return made

    def of(self, place: Place, there: Sequence[Place]) -> list[Mount]:
        """Return the mounts of one dialect of those that answer at a door."""
        makers = {
            "veil": self._veil_at,
            "vpnkeys": self._vpnkeys_at,
            "v1": self._v1_at,
            "auth": self._auth_at,
            "integrations": self._integrations_at,
            "subscription": self._subscription_at,
            "metrics": self._metrics_at,
        }
        return [below(place.base, mount) for mount in makers[place.dialect](place, there)]

    def _veil_at(self, place: Place, there: Sequence[Place]) -> list[Mount]:
        app = veil_app(self.veil(), base=place.base, specifications=_specifications(there))
        return [Mount("", "veil", app, routes=routes_of(app))]

    def _vpnkeys_at(self, place: Place, there: Sequence[Place]) -> list[Mount]:
        """Return the wire on a door of its own; where veil has the same paths, its requests and its pages."""
        specifications = _specifications(there)
        is_shared = Place("veil", place.base) in there
        pages_at = VPNKEYS_PAGES if is_shared else ""
        app = vpnkeys_app(self.vpnkeys(), prefix=pages_at, base=place.base, specifications=specifications)
        if not is_shared:
            return [Mount("", "vpnkeys", app, routes=routes_of(app))]
        pages_mount = Mount(VPNKEYS_PAGES, "vpnkeys", app)
        return [pages_mount, Mount("", "vpnkeys", app, takes=vpnkeys_takes, routes=routes_of(app))]

    def _v1_at(self, place: Place, there: Sequence[Place]) -> list[Mount]:
        def make() -> Made:
            from keystead.dialects.v1.app import behind_credentials, create_api

            services = self.v1()
            api = create_api(services, base=place.base, specifications=_specifications(there))
            return self._crossing(behind_credentials(api, services)), routes_of(api)

        return _later(make, "v1", (V1_PREFIX,), v1_errors.bare_problem, there)

    def _auth_at(self, place: Place, there: Sequence[Place]) -> list[Mount]:
        del place

        def make() -> Made:
            from keystead.dialects.auth.app import create_app

            app = create_app(self.auth(), specifications=_specifications(there))
            return self._crossing(app), routes_of(app)

        return _later(make, "auth", (AUTH_PREFIX,), auth_errors.bare, there)

    def _integrations_at(self, place: Place, there: Sequence[Place]) -> list[Mount]:
        def make() -> Made:
            from keystead.dialects.integrations.app import create_app

            wanted = self._parts.settings.integrations_token_problem
            app = create_app(
                self.integrations(),
                base=place.base,
                specifications=_specifications(there),
                token_problem=integrations_errors.TOKEN_PROBLEMS[wanted],
            )
            return self._crossing(app), routes_of(app)

        return _later(make, "integrations", INTEGRATIONS_PREFIXES, integrations_errors.too_large, there)

    def _crossing(self, app: App) -> App:
        return cors.allowing(self._parts.settings.cors_origins, app)

    def _subscription_at(self, place: Place, there: Sequence[Place]) -> list[Mount]:
        del place, there
        parts = self._parts
        shown = Shown(self._base_url, parts.settings.subscription_title, parts.settings.support_url)
        backend = Backend(Polling(parts.transactions, parts.database, self._serving, self._core_version), shown)
        app = subscription_app(backend)
        return [Mount(subscriptions.PREFIX, "subscription", app, routes=routes_of(app))]

    def _metrics_at(self, place: Place, there: Sequence[Place]) -> list[Mount]:
        del place, there
        parts = self._parts
        app = metrics_page.create_app(
            parts.metrics,
            self._admission,
            self._transactions,
            parts.reconciler,
            lambda: engines_of(parts),
            {parts.scope: parts.driver.watching.state},
        )
        return [Mount(metrics_page.PATH, "metrics", app, routes=routes_of(app))]

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
            repair=self._repaired,
            targets=parts.targets,
            public_of=xray_keys.public_of,
            public_host=parts.foundation.public_host,
            ports=range(pool.first, pool.last + 1),
        )
        return VpnkeysServices(
            admission=self._admission,
            operations=self._vpn,
            overviews=OverviewOperations(self._transactions, ground),
            ports=parts.ports,
            idempotency=self._idempotency,
            health=self._health,
            limits=self._limits,
            clock=parts.clock,
            data_dir=parts.settings.data_dir,
        )

    async def _repaired(self, timeout_s: float) -> XrayActual:
        """Have the engine compared and repaired now, and return what it was seen to hold last."""
        passed: Passed[XrayActual] = await self._parts.reconciler.reconcile_now(self._parts.scope, timeout_s)
        return passed.seen

    def integrations(self) -> IntegrationsServices:
        """Return what the integrations wire calls."""
        return IntegrationsServices(admission=self._admission, transactions=self._transactions, vault=self._parts.vault)

    def v1(self) -> V1Services:
        """Return what the native API calls."""
        parts, transactions = self._parts, self._transactions
        examined = Examinations(parts, wanted=self._serving.wanted, base_url=self._base_url)
        return V1Services(
            admission=self._admission,
            idempotency=self._idempotency,
            health=self._health,
            doctor=Doctor(transactions, examined.all(), shown(parts.settings)),
            vpn=self._vpn,
            ports=parts.ports,
            pairs=parts.pairs,
            terms=parts.terms,
            bulks=parts.bulks,
            connections=parts.connections,
            subscriptions=SubscriptionOperations(transactions, base_url=self._base_url),
            clients=ClientOperations(transactions, self._serving, self._core_version),
            tokens=TokenOperations(transactions, parts.gate),
            users=UserOperations(transactions, parts.gate, self._people, self._hashing),
            people=PeopleOperations(transactions, parts.gate, self._people, self._mails),
            audit=AuditOperations(transactions, audit_key=parts.keys.audit_key, data_dir=parts.settings.data_dir),
            webhooks=WebhookOperations(transactions, parts.courier, parts.reach),
            vault=parts.vault,
            templates=parts.vault.templates,
            engines=EngineOperations(transactions, parts.reconciler, lambda: engines_of(parts)),
            secrets=self._secrets,
            backups=self._backups,
            exports=self._exports,
        )

    def _core_version(self) -> str:
        return self._parts.driver.status().binary.version


def _later(
    make: Callable[[], Made], dialect: str, prefixes: Sequence[str], refusal: Refusal, there: Sequence[Place]
) -> list[Mount]:
    """Return the mounts of a dialect that is made when somebody uses it.

    Where an operator chose who answers where, it is made at once: its routes tell whether two dialects would overlap.
    """
    made: Made = (Deferred(lambda: make()[0]), ()) if tuple(there) == EVERYTHING else make()
    app, routes = made
    return [Mount(prefix, dialect, app, refusal, routes=routes) for prefix in prefixes]


def base_url(settings: Settings, public_host: str) -> str:
    """Return the address at which customers reach subscriptions; a wildcard listener is reached at the public host."""
    if settings.public_url is not None:
        return settings.public_url
    address, base = places.first_of(settings.layout, "subscription")
    scheme = "http" if settings.tls == "off" else "https"
    host = public_host if address.host in _WILDCARDS else address.host
    return f"{scheme}://{names.authority(host, address.port)}{base}"


def _specifications(there: Sequence[Place]) -> tuple[Specification, ...]:
    """Return the specifications that a door has, each with the prefix of its pages."""
    found: dict[Place, tuple[str, str]] = {}
    for place in there:
        is_shared = Place("veil", place.base) in there
        match place.dialect:
            case "veil":
                found[place] = ("veil", "")
            case "vpnkeys":
                found[place] = ("vpnkeys", VPNKEYS_PAGES if is_shared else "")
            case "v1":
                found[place] = ("Keystead", V1_PREFIX)
            case "integrations":
                found[place] = ("integrations", INTEGRATIONS_PREFIX)
            case "auth":
                found[place] = ("signing in", AUTH_PREFIX)
    return tuple(Specification(name, place.base + pages_at) for place, (name, pages_at) in found.items())
