"""Kill a Keystead, or its core, at a chosen step of a create or a delete; found by Python itself, through PYTHONPATH.

The file that ``STRIKE`` names holds the step and the process id to kill, and is removed with the first blow. While
there is no such file everything goes on as it does without us.
"""

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

_TOLD = os.environ.get("STRIKE")


def _strike(step: str) -> None:
    assert _TOLD is not None
    try:
        wanted, victim = Path(_TOLD).read_text().split()
    except FileNotFoundError:
        return
    if wanted == step:
        Path(_TOLD).unlink()
        os.kill(int(victim), signal.SIGKILL)


def _around(owner: type, name: str, *, before: str | None = None, after: str | None = None) -> None:
    """Strike before or after an asynchronous call."""
    genuine: Callable[..., Awaitable[Any]] = getattr(owner, name)

    async def struck(*given: Any, **named: Any) -> Any:
        if before is not None:
            _strike(before)
        answer = await genuine(*given, **named)
        if after is not None:
            _strike(after)
        return answer

    setattr(owner, name, struck)


def _in_transaction(owner: type, name: str, step: str) -> None:
    """Strike when a verb has done its work, and nothing is committed yet."""
    genuine: Callable[..., Any] = getattr(owner, name)

    def struck(*given: Any, **named: Any) -> Any:
        answer = genuine(*given, **named)
        _strike(step)
        return answer

    setattr(owner, name, struck)


if _TOLD is not None:
    from keystead.access.work import Work
    from keystead.engines.xray.client import XrayClient
    from keystead.operations.transaction import Transactions
    from keystead.reconcile.confirming import Confirmations

    _in_transaction(Work, "mark", "marked")
    _around(Transactions, "settle", before="committed", after="settled")
    for _call in ("add_user", "remove_user"):
        _around(XrayClient, _call, before="telling", after="told")
    _around(Confirmations, "confirm", after="confirmed")
