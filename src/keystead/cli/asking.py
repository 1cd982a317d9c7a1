"""Secrets and confirmations, from a person or a file; never from the command line, which others can list."""

import sys
from pathlib import Path

import typer

from keystead.kit.errors import Invalid, Misconfigured, NeedsConfirmation
from keystead.kit.secret import Secret

STDIN = Path("-")


def secret(prompt: str, file: Path | None, *, option: str, is_new: bool) -> Secret[str]:
    """Return a secret from a file (``-`` is standard input), from a hidden prompt, or from a pipe.

    A new one is asked for twice. Raises Invalid for an empty one, Misconfigured for a file that cannot be read.
    """
    if file is not None and file != STDIN:
        text = read(prompt, file, option=option).reveal().partition("\n")[0]
    elif file == STDIN or not sys.stdin.isatty():
        text = sys.stdin.readline()
    else:
        text = typer.prompt(prompt, hide_input=True, confirmation_prompt=is_new, err=True)
    text = text.rstrip("\r\n")
    if not text:
        raise Invalid(f"{prompt.lower()}: nothing was given; type it, pipe it in, or name a file with {option}")
    return Secret(text)


def whole(what: str, file: Path | None, *, option: str) -> Secret[str]:
    """Return a secret of many lines from a file, or from standard input to its end; raise Invalid for an empty one."""
    text = sys.stdin.read() if file is None or file == STDIN else read(what, file, option=option).reveal()
    if not text.strip():
        raise Invalid(f"{what}: nothing was given; pipe it in, or name a file with {option}")
    return Secret(text.strip())


def read(what: str, file: Path, *, option: str) -> Secret[str]:
    """Return a secret file's content; raise Misconfigured when it cannot be read."""
    try:
        return Secret(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{what} ({option} {file}) cannot be read: {error}") from error


def confirm(question: str, *, is_given: bool, digest: str | None = None) -> None:
    """Ask a person to confirm; raise NeedsConfirmation where there is no terminal to ask at and nobody said yes before.

    ``digest`` is that of the plan which is asked about, where it can be approved by that.
    """
    if is_given:
        return
    if not sys.stdin.isatty():
        instead = "--yes" if digest is None else f"--yes, or --approve {digest}"
        raise NeedsConfirmation(f"{question} There is no terminal to ask at, so nothing was done; add {instead}")
    typer.confirm(question, abort=True, err=True)
