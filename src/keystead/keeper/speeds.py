"""Hold every limited label to its speed: what its connections have sent goes in, caps on their sockets come out.

Used by the watch after every look. One budget per label covers its connections in every process of this keeper, and in
those of other keepers beside it (``siblings``); only our own can be capped here.
"""

from collections.abc import Callable, Mapping

from keystead.keeper.budgets import Budgets, Conn
from keystead.keeper.process import Process
from keystead.keeper.siblings import Sent


class Speeds:
    """The limits in force over the connections of some processes."""

    def __init__(
        self, processes: Mapping[str, Process], beside: Callable[[Sent], Mapping[str, Mapping[Conn, int]]]
    ) -> None:
        """Take the processes, as they come and go; ``beside`` adds what other keepers' connections have sent."""
        self._processes = processes
        self._beside = beside
        self._budgets = Budgets()

    @property
    def limits(self) -> dict[str, int]:
        """Return the limit of each label in bytes a second."""
        return self._budgets.limits

    def change(self, limits: Mapping[str, int | None]) -> None:
        """Hold labels to other limits, or let them go with None."""
        for label, rate in limits.items():
            if rate is None:
                self._budgets.limits.pop(label, None)
            else:
                self._budgets.limits[label] = rate

    def keep_only(self, limits: Mapping[str, int]) -> None:
        """Hold exactly these labels."""
        self._budgets.limits = dict(limits)

    def pace(self, now_s: float) -> None:
        """Cap each connection through the process that has it."""
        by_process: dict[str, dict[int, int | None]] = {}
        for (name, inode), cap in self._budgets.share(self._beside(self.sent()), now_s).items():
            by_process.setdefault(name, {})[inode] = cap
        for name, process in self._processes.items():
            if name in by_process and process.borrower is not None:
                process.borrower.pace_many(by_process[name])

    def sent(self) -> dict[str, dict[Conn, int]]:
        """Return what our open connections of limited labels have sent; labels without any cost nothing."""
        sent: dict[str, dict[Conn, int]] = {}
        for name, process in self._processes.items():
            limited = [label for label in process.table.connected if label in self.limits]
            for one in process.live(limited if process.borrower is not None else ()):
                if one.label is not None and one.socket.inode:
                    sent.setdefault(one.label, {})[name, one.socket.inode] = one.downlink
        return sent
