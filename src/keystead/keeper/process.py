"""One living process of a core, as the watch has it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from keystead.keeper.borrowed import Borrower
from keystead.keeper.carrying import Connection
from keystead.keeper.connections import Table
from keystead.keeper.proving import Cutter


@dataclass
class Process:
    """Its connections, and the ways to them; ``lines`` counts those that told an owner."""

    pid: int
    table: Table
    borrower: Borrower | None
    cutter: Cutter
    lines: int = 0

    def live(self, labels: Collection[str] | None) -> Iterable[Connection]:
        """Return the open connections of these labels (None: all)."""
        if labels is None:
            return self.table.live()
        return [connection for label in labels for connection in self.table.live(label)]
