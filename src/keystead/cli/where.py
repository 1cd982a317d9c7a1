"""Which instance a command means: its data directory, and the socket it is reached at."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keystead.kit.errors import Forbidden, Unavailable
from keystead.kit.files import noted_directory

if TYPE_CHECKING:
    from keystead.settings import Settings

SOCKET_NAME = "control.sock"

DataDir = Annotated[
    Path | None, typer.Option(help="Directory of everything the instance keeps.", show_default="KEYSTEAD_DATA_DIR, var")
]
Account = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Work in this account, by name or number.", show_default="the house account"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table for people.")]


class NotRunning(Unavailable):
    """No service answers for this data directory."""

    code = "not_running"


@dataclass(frozen=True)
class Where:
    """The instance named on the command line, or by the settings."""

    data_dir: Path | None = None
    account: str | None = None

    def settings(self) -> "Settings":
        """Return the settings of the instance, and keep logs out of answers; raise Misconfigured."""
        from keystead import settings
        from keystead.kit import log

        log.configure_for_command()
        return settings.load() if self.data_dir is None else settings.load(data_dir=self.data_dir)

    def socket(self) -> Path:
        """Return the socket a service answers on; raise NotRunning, or Forbidden when it is another user's."""
        data_dir = self.settings().data_dir
        path = noted_directory(data_dir / "run") / SOCKET_NAME
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except PermissionError:
                raise Forbidden(f"{data_dir} is another user's; run this command as its owner or as root") from None
            except OSError:
                raise NotRunning(f"no Keystead runs on {data_dir}; start it with: keystead serve") from None
        return path


def where(context: typer.Context) -> Where:
    """Return the instance that a command means."""
    found = context.find_object(Where)
    return Where() if found is None else found
