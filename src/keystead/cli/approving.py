"""Agreeing to a plan: the options of every command that shows what it would do before it does it.

``--approve DIGEST`` carries out the plan that has this digest and no other one; it does not ask, since somebody has
read the plan. Commands that had another word for it go on taking that (``FORMER_WORDS``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
Approve = Annotated[
    str | None,
    typer.Option("--approve", metavar="DIGEST", help="Do what has this digest, and nothing else, without a question."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]

_FORMER = frozenset({"apply", "digest"})


def _present_word(option: str) -> str:
    return "approve" if option in _FORMER else option


# The context of a command whose option was called otherwise; its help tells the present word alone.
FORMER_WORDS: dict[str, Callable[[str], str]] = {"token_normalize_func": _present_word}


@dataclass(frozen=True)
class Approval:
    """How a person agrees: not at all yet, to the plan of a digest, or to whatever is planned now."""

    is_dry: bool
    digest: str | None
    is_given: bool

    @property
    def is_agreed(self) -> bool:
        """Tell whether nobody has to be asked any more."""
        return self.is_given or self.digest is not None
