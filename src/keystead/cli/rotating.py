"""How far a rotation of keys is, shown while the request for it is on its way."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from keystead.kit.errors import KeysteadError

_POLL_S = 0.25


@contextmanager
def shown(ask: Callable[[], Mapping[str, Any]], *, is_quiet: bool) -> Iterator[None]:
    """Show for the duration what ``ask`` says of a rotation; an answer that does not come stops nothing."""
    from rich.console import Console
    from rich.progress import Progress

    ended = threading.Event()
    with Progress(console=Console(stderr=True), transient=True, disable=is_quiet) as bar:
        task = bar.add_task("sealing every secret again", total=None)

        def look() -> None:
            while not ended.wait(_POLL_S):
                with suppress(KeysteadError):
                    found = ask()
                    bar.update(
                        task, total=found["total"] or None, completed=found["resealed"], description=_said(found)
                    )

        looking = threading.Thread(target=look)
        looking.start()
        try:
            yield
        finally:
            ended.set()
            looking.join()


def _said(found: Mapping[str, Any]) -> str:
    return f"sealed again: {found['resealed']:,} of {found['total']:,}"
