"""The doctor: examines an instance and its surroundings, and says of every finding what to do next.

Put together by the composition root from the examinations in ``checks.py`` and the live ones it alone can give. A
check never raises: one that cannot be made is a finding too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from keystead.access import engines
from keystead.kit.errors import KeysteadError
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.shown_settings import ShownSetting

CHECK_TIMEOUT_S = 20.0


class Status(StrEnum):
    """How bad a finding is, in rising order."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """One finding; ``next`` is what a person should do about it."""

    name: str
    status: Status
    message: str
    next: str | None = None


@dataclass(frozen=True)
class Diagnosis:
    """All findings, and the settings they were made under."""

    checks: tuple[Check, ...]
    settings: tuple[ShownSetting, ...]

    @property
    def status(self) -> Status:
        """Return the worst status."""
        order = list(Status)
        return max((check.status for check in self.checks), key=order.index, default=Status.OK)


# An examination under its name; it may return several findings.
Examination = tuple[str, Callable[[], Awaitable[Sequence[Check]]]]


class Doctor:
    """Run every examination side by side."""

    def __init__(
        self, transactions: Transactions, examinations: Sequence[Examination], settings: Sequence[ShownSetting]
    ) -> None:
        self._transactions = transactions
        self._examinations = tuple(examinations)
        self._settings = tuple(settings)

    async def examine(self, call: Call) -> Diagnosis:
        """Return all findings, in the order the examinations were given."""
        await self._transactions.read(call, engines.diagnose)
        found = await asyncio.gather(*(_made(name, examine) for name, examine in self._examinations))
        return Diagnosis(tuple(check for checks in found for check in checks), self._settings)


async def _made(name: str, examine: Callable[[], Awaitable[Sequence[Check]]]) -> Sequence[Check]:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await examine()
    except TimeoutError:
        return [Check(name, Status.FAIL, f"no answer within {CHECK_TIMEOUT_S:g} s", "look at the log, then ask again")]
    except (KeysteadError, OSError) as error:
        told = error.message if isinstance(error, KeysteadError) else str(error)
        return [Check(name, Status.FAIL, told, "do what the message says, then ask again")]
