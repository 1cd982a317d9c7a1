"""What the service does by itself over some time, seen from the command line: watched, paused, continued, cancelled.

Bulks, domain moves and rollouts are such: each is asked for at a path, has a number, a state and a progress, and goes
on when nobody looks. Their commands say here what is theirs.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keystead.cli import output
from keystead.cli.where import AsJson

if TYPE_CHECKING:
    from keystead.cli.client import Client

Found = dict[str, Any]

_POLL_S = 0.25
_ACTS = {
    "pause": "Have nothing more done until the {noun} is continued.",
    "continue": "Go on with a {noun} that was paused.",
    "cancel": "End a {noun} where it is; what is done stays done.",
}


@dataclass(frozen=True)
class Underway:
    """A kind of such things.

    ``command`` is the one that its commands are below, and ``hints`` those of them that help who looks away.
    ``progress`` says in a few words what is being done, ``say`` in a line how one stands.
    """

    path: str
    command: str
    noun: str
    progress: Callable[[Mapping[str, Any]], str]
    say: Callable[[Mapping[str, Any]], None]
    open_states: frozenset[str] = frozenset({"waiting", "running"})
    hints: tuple[str, ...] = ("show", "cancel")

    def watched(self, client: "Client", found: Found, *, is_quiet: bool) -> Found:
        """Show how far one is until it has ended or is paused; it goes on when nobody looks."""
        from rich.console import Console
        from rich.progress import Progress

        try:
            with Progress(console=Console(stderr=True), transient=True, disable=is_quiet) as shown:
                task = shown.add_task(self.progress(found), total=found["total"])
                while found["state"] in self.open_states:
                    time.sleep(_POLL_S)  # noqa: TID251 - a person looks on; the service does the work
                    found = client.get(f"{self.path}/{found['id']}")
                    shown.update(task, completed=found["done"], description=self.progress(found))
        except KeyboardInterrupt:
            commands = ", ".join(f"keystead {self.command} {hint} {found['id']}" for hint in self.hints)
            output.note(f"it goes on; see: {commands}")
            raise
        return found

    def act(self, context: typer.Context, number: int, act: str, as_json: bool) -> None:
        """Have something done with one, and say how it stands then."""
        from keystead.cli.client import connect

        with connect(context) as client:
            output.answer(client.post(f"{self.path}/{number}/{act}"), as_json, self.say)

    def add_acts(self, app: typer.Typer, *acts: str) -> None:
        """Add the commands that pause, continue or cancel one."""
        for act in acts:
            app.command(act, help=_ACTS[act].format(noun=self.noun))(self._command(act))

    def _command(self, act: str) -> Callable[..., None]:
        number_of = typer.Argument(metavar="ID", help=f"The {self.noun}'s number.")

        def command(context: typer.Context, number: Annotated[int, number_of], as_json: AsJson = False) -> None:
            self.act(context, number, act, as_json)

        return command
