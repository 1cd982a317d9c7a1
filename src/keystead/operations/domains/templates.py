"""Operations on templates and rollouts: keep templates, plan one for many zones, start, watch and cancel that."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keystead.kit.page import Page
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.vault import rollouts, templates
from keystead.vault.rolloutvalue import Rollout, Selection, ZoneResult
from keystead.vault.store.templates import Kept
from keystead.vault.templateplan import Limits
from keystead.vault.templatevalue import Template


class TemplateOperations:
    """What callers may do with templates; ``on_started`` is told that there is a job to be done."""

    def __init__(self, transactions: Transactions, limits: Limits, *, on_started: Callable[[], None]) -> None:
        self._transactions = transactions
        self._limits = limits
        self._on_started = on_started

    async def list_(self, call: Call) -> list[Kept]:
        """Return the account's templates by name."""
        return await self._transactions.read_many(call, templates.list_)

    async def find(self, call: Call, name: str) -> Kept:
        """Return a template."""
        return await self._transactions.read(call, templates.find, name)

    async def put(self, call: Call, template: Template) -> Kept:
        """Keep a template by its name."""
        return (await self._transactions.write(call, templates.put, template)).value

    async def remove(self, call: Call, name: str) -> None:
        """Delete a template."""
        await self._transactions.write(call, templates.remove, name)

    async def plan(self, call: Call, template: str, selection: Selection, values: Mapping[str, Any]) -> Rollout:
        """Begin to plan a template for zones."""
        wanted: dict[str, Any] = {"template": template, "selection": selection, "values": values}
        committed = await self._transactions.write(call, rollouts.plan, **wanted, limits=self._limits)
        self._on_started()
        return committed.value

    async def start(self, call: Call, number: int, *, digest: str | None, forced: Sequence[str]) -> Rollout:
        """Begin to carry a plan out; it goes on by itself, also when Keystead is started anew."""
        wanted: dict[str, Any] = {"number": number, "digest": digest, "forced": forced}
        committed = await self._transactions.write(call, rollouts.start, **wanted, limits=self._limits)
        self._on_started()
        return committed.value

    async def rollouts(self, call: Call, page: Page) -> Sequence[Rollout]:
        """Return rollouts, the newest first."""
        return await self._transactions.read_many(call, rollouts.list_, page=page, limits=self._limits)

    async def rollout(self, call: Call, number: int) -> Rollout:
        """Return how a rollout stands."""
        return await self._transactions.read_many(call, rollouts.find, number=number, limits=self._limits)

    async def results(self, call: Call, number: int, *, outcome: str | None, page: Page) -> Sequence[ZoneResult]:
        """Return what a rollout does to which zone, and what became of it."""
        return await self._transactions.read_many(call, rollouts.results, number=number, outcome=outcome, page=page)

    async def cancel(self, call: Call, number: int) -> Rollout:
        """End a rollout where it is."""
        return (await self._transactions.write(call, rollouts.cancel, number=number, limits=self._limits)).value
