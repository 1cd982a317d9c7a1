"""The ``keystead`` command: an error is one clear line, what to do next, and an exit code.

Customers wait for ``keystead serve`` when a machine has restarted, and the library of the command line takes as long to
be there as the settings and the keeper's start together. So a ``serve`` that leaves nothing to explain is run without
it; whatever else is typed goes to the tree of commands (``commands.py``).
"""

import os
import sys
from collections.abc import Sequence

from keystead.cli.answers import Answered
from keystead.cli.output import shown_error
from keystead.kit.errors import KeysteadError, Misconfigured, NotFound, Unavailable

_VALUES = {"--data-dir": "data_dir", "--host": "host", "--port": "port"}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; whatever it writes is its owner's alone."""
    os.umask(0o077)
    try:
        _run(sys.argv[1:] if arguments is None else arguments)
    except (KeysteadError, Answered) as error:
        shown_error(error.message)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def _run(arguments: list[str]) -> None:
    plain = plain_serve(arguments)
    if plain is None:
        from keystead.cli import commands

        commands.app(arguments)
    else:
        from keystead.cli import running

        running.run(plain, is_foreground="--foreground" in arguments)


def plain_serve(arguments: Sequence[str]) -> dict[str, object] | None:
    """Return the settings that a ``serve`` names, if it is one and nothing about it is in doubt; None otherwise."""
    if not arguments or arguments[0] != "serve":
        return None
    given: dict[str, object] = {}
    rest = iter(arguments[1:])
    for argument in rest:
        name, is_joined, value = argument.partition("=")
        if name in _VALUES:
            value = value if is_joined else next(rest, "")
            if not _is_plain(name, value):
                return None
            given[_VALUES[name]] = value
        elif argument != "--foreground":
            return None
    return given


def _is_plain(name: str, value: str) -> bool:
    if name == "--port":
        return value.isascii() and value.isdigit()
    return value != "" and not value.startswith("-")


def exit_code(error: KeysteadError | Answered) -> int:
    """Return the exit code of an error, our own or one that the service answered."""
    match error:
        case Answered(status=404):
            return 5
        case Answered(status=status) if status in (502, 503, 504):
            return 4
        case Misconfigured():
            return 3
        case Unavailable():
            return 4
        case NotFound():
            return 5
        case _:
            return 1
