"""What doctor examines of a running instance; part of the composition root, which alone sees all of it."""

from collections.abc import Sequence

from keystead import examining
from keystead.kit.errors import Unavailable
from keystead.operations.instance import checks, guarantees
from keystead.operations.instance.doctor import Check, Examination, Status
from keystead.parts import Parts, engines_of
from keystead.reconcile.engine import EngineView
from keystead.vpn.clientrules import ClientVersions


class Examinations:
    """The examinations of one instance, in the order in which they are told."""

    def __init__(self, parts: Parts, *, wanted: ClientVersions, base_url: str) -> None:
        """Take the client versions that the settings want, and the address of subscriptions."""
        self._parts = parts
        self._wanted = wanted
        self._base_url = base_url

    def all(self) -> Sequence[Examination]:
        """Return every examination with its name."""
        return (
            ("machine", self._examine_files),
            ("database", self._examine_database),
            ("engine", self._examine_engines),
            ("REALITY target", self._examine_target),
            ("addresses", self._examine_addresses),
        )

    async def _examine_files(self) -> Sequence[Check]:
        settings = self._parts.settings
        files = [checks.data_directory(settings.data_dir), checks.root_key(settings)]
        return [checks.machine(), *files, *checks.setting_names()]

    async def _examine_database(self) -> Sequence[Check]:
        parts = self._parts
        return [
            await checks.database(parts.database),
            await checks.audit_trail(parts.database, parts.settings.data_dir),
            await checks.alert_mails(parts.database, has_mail=parts.mailer is not None),
            await checks.credentials(parts.database),
        ]

    async def _examine_engines(self) -> Sequence[Check]:
        parts = self._parts
        found: list[Check] = []
        views = await parts.reconciler.views()
        for name, status in engines_of(self._parts).items():
            view = views.get(name, EngineView())
            found += [checks.engine_program(name, status, view), checks.engine_condition(name, status)]
            found += [*checks.keepers(name, view), *checks.foreign_listeners(name, view)]
            inbound = parts.foundation.inbound
            if inbound is not None:
                found.append(checks.vpn_port(inbound.listen, inbound.port, status.health))
        found.append(await checks.own_ports(parts.database, parts.scope, parts.settings.vpn_port_range))
        found += await self._examine_connections()
        found.append(await checks.client_versions(parts.database, parts.scope, self._wanted))
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
        is_ready = driver.status().health.condition.is_serving
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
