"""What the API's mirror of a core asks of the engine's driver that it mirrors the core for."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

from keystead.keeper.launch import Launch


class Standing(StrEnum):
    """What a program says of a process that a keeper was found with."""

    SERVING = "serving"
    LEAVING = "leaving"
    FOREIGN = "foreign"


class Program(Protocol):
    """What a core's mirror is told about the program it runs. Called on the event loop; nothing here may block."""

    async def prepare(self, echo_port: int) -> Launch:
        """Make a start's input from what is desired now; a KeysteadError puts the start off."""
        ...

    def standing(self, memo: Mapping[str, Any]) -> Standing:
        """Tell what a process is, by its memo; a foreign one is ended."""
        ...

    def began(self, process: str, memo: Mapping[str, Any]) -> None:
        """Take notice of the process that runs."""
        ...

    def leaves(self, core: str, process: str, memo: Mapping[str, Any]) -> None:
        """Take notice of a process that another one took the place of, and that still has to be seen off."""
        ...

    async def attend(self) -> None:
        """Do what has to be done while the process lives; cancelled when it ends."""
        ...

    def ended(self) -> None:
        """Take notice, in the same step as the mirror does, that the process has ended."""
        ...

    async def before_stop(self) -> None:
        """Take what will be lost with the process; must not take long."""
        ...
