"""One transaction a request: open the Work, call the verb, commit, wake the loops, and only then wait.

The only place above the subjects where a unit of work is opened. A denial is audited in a transaction of its own,
because the one it happened in is rolled back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from keystead.access import audit
from keystead.access.permissions import permission_of
from keystead.access.work import Work
from keystead.db.session import Connection, Database, Weight
from keystead.kit.clock import Clock
from keystead.kit.crypto import KeyRing
from keystead.kit.errors import Forbidden
from keystead.kit.ids import Ids
from keystead.operations.calls import Call
from keystead.reconcile.ahead import Telling
from keystead.reconcile.loop import Reconciler
from keystead.reconcile.marks import Mark
from keystead.reconcile.settle import Outcome, Settlement

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Committed(Generic[R]):
    """What a verb returned, the marks it left and how many events it wrote, after the commit."""

    value: R
    marks: tuple[Mark, ...]
    emitted: int = 0


class Transactions:
    """Run verbs."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        ids: Ids,
        keys: KeyRing,
        reconciler: Reconciler,
        on_emitted: Callable[[], None],
    ) -> None:
        self.clock = clock
        self._database = database
        self._ids = ids
        self._keys = keys
        self._reconciler = reconciler
        self._on_emitted = on_emitted

    async def read(
        self, call: Call, verb: Callable[Concatenate[Work, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run a verb that reads a row or two."""
        return await self._read(call, Weight.POINT, verb, lambda work: verb(work, *args, **kwargs))

    async def read_many(
        self, call: Call, verb: Callable[Concatenate[Work, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run a verb that may read many rows."""
        return await self._read(call, Weight.LIST, verb, lambda work: verb(work, *args, **kwargs))

    async def write(
        self, call: Call, verb: Callable[Concatenate[Work, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Committed[R]:
        """Run a verb in a transaction, commit, and wake the reconciler; return without waiting for any engine."""

        return await self._write(call, verb, lambda work: verb(work, *args, **kwargs), None)

    async def add(
        self, call: Call, verb: Callable[Concatenate[Work, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Committed[R]:
        """Do the same for a verb that adds one subject to an engine, which may be told while this is committed."""
        telling = self._reconciler.telling()
        # Not to be called off: what was told ahead of a commit is settled or taken back by how it ended.
        return await self._write(call, verb, lambda work: verb(work, *args, **kwargs), telling)

    async def check(self, call: Call, verb: Callable[..., Any]) -> None:
        """Raise Forbidden, and put it on record, unless the caller holds what a verb needs; runs nothing."""
        needed = permission_of(verb)
        if needed is not None and needed not in call.principal.permissions:
            denial = Forbidden(f"this credential lacks the permission {needed.value}", permission=needed.value)
            await self._record_denial(call, verb, denial)
            raise denial

    async def settle(self, committed: Committed[Any], timeout_s: float) -> Settlement:
        """Wait until what a commit marked is in force."""
        if not committed.marks:
            return Settlement(Outcome.SETTLED)
        return await self._reconciler.settle(committed.marks, timeout_s)

    async def settle_each(self, marks: Sequence[Mark], timeout_s: float) -> list[Settlement]:
        """Wait until each of these marks is in force, and say of each how it ended."""
        return await self._reconciler.settle_each(marks, timeout_s)

    async def reconcile(self, scope: str, timeout_s: float) -> None:
        """Run a full pass over a scope now; raise EngineUnavailable when it does not end in time."""
        await self._reconciler.reconcile_now(scope, timeout_s)

    async def held(self, scope: str) -> Mapping[str, int]:
        """Return what the engine of a scope holds, by place; raise EngineUnavailable when it does not answer."""
        return await self._reconciler.sizes(scope)

    def wake_fully(self, scope: str) -> None:
        """Ask for a comparison of a scope soon."""
        self._reconciler.wake_fully(scope)

    async def when_written(self, scope: str, timeout_s: float) -> None:
        """Wait until the database knows what is settled in a scope by now, or time is over."""
        await self._reconciler.when_written(scope, timeout_s)

    def is_applied(self, subject: str) -> bool:
        """Tell whether a subject is in its engine although the database does not say so yet."""
        return self._reconciler.is_applied(subject)

    def is_gone(self, subject: str) -> bool:
        """Tell whether a subject is out of its engine although the database does not say so yet."""
        return self._reconciler.is_gone(subject)

    async def _read(self, call: Call, weight: Weight, verb: Callable[..., R], run: Callable[[Work], R]) -> R:
        try:
            return await self._database.read(lambda connection: run(self._work(connection, call)), weight)
        except Forbidden as denial:
            await self._record_denial(call, verb, denial)
            raise

    async def _write(
        self, call: Call, verb: Callable[..., R], run: Callable[[Work], R], telling: Telling | None
    ) -> Committed[R]:
        def unit(connection: Connection) -> Committed[R]:
            work = self._work(connection, call)
            committed = Committed(run(work), tuple(work.marks), work.emitted)
            if telling is not None:
                telling.note(connection, committed.marks)
            return committed

        is_committed = is_told = False
        try:
            committed = await (self._database.write(unit) if telling is None else self._database.write_whole(unit))
            is_committed = True
        except Forbidden as denial:
            await self._record_denial(call, verb, denial)
            raise
        finally:
            if telling is not None:
                is_told = await telling.end(is_committed=is_committed)
        if not is_told:
            self._reconciler.wake(committed.marks)
        if committed.emitted:
            self._on_emitted()
        return committed

    async def _record_denial(self, call: Call, verb: Callable[..., Any], denial: Forbidden) -> None:
        def unit(connection: Connection) -> None:
            audit.record_denial(
                connection,
                account_id=call.principal.account_id,
                actor=call.principal.actor,
                request_id=call.request_id,
                at=self.clock.now(),
                verb=f"{verb.__module__.removeprefix('keystead.')}.{verb.__name__}",
                subject=str(denial.context.get("permission", "")),
                reason=denial.message,
            )

        await self._database.write(unit)

    def _work(self, connection: Connection, call: Call) -> Work:
        return Work(connection, call.principal, self.clock, self._ids, self._keys, call.request_id)
