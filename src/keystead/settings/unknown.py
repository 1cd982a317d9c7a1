"""Variables that begin like a setting and are none: most likely misspelt, and told at the start and by ``doctor``.

Their values are never shown: what was meant to be set may be a secret.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from keystead import settings

# Read by the scripts and tests of this repository, and not by an instance.
_OF_SCRIPTS = frozenset({"KEYSTEAD_PYTHON", "KEYSTEAD_LIVE"})
_OF_TESTS = ("KEYSTEAD_TEST_", "KEYSTEAD_LIVE_", "KEYSTEAD_CHAOS_")


@dataclass(frozen=True)
class UnknownSetting:
    """A variable that is no setting, where it stands, and the setting whose name is nearest, if one is near."""

    name: str
    origin: str
    nearest: str | None

    @property
    def sentence(self) -> str:
        """Return what a person is told."""
        told = f"{self.name} ({self.origin}) is no setting and changes nothing"
        return told if self.nearest is None else f"{told}; is {self.nearest} meant?"


def found() -> list[UnknownSetting]:
    """Return what the environment, credentials and ``.env`` name that is no setting, by name."""
    origins = settings.named()
    known = {settings.environment_name(field) for field in settings.Settings.model_fields}
    strange = sorted(name for name in origins if _is_strange(name, known))
    return [UnknownSetting(name, origins[name], _nearest(name, known)) for name in strange]


def _is_strange(name: str, known: Iterable[str]) -> bool:
    is_ours = name.startswith(settings.PREFIX) and name not in known
    return is_ours and name not in _OF_SCRIPTS and not name.startswith(_OF_TESTS)


def _nearest(name: str, known: Iterable[str]) -> str | None:
    import difflib  # a start with every name spelt right does without it

    # What all names begin with would make any two of them alike.
    bare = {each.removeprefix(settings.PREFIX): each for each in known}
    near = difflib.get_close_matches(name.removeprefix(settings.PREFIX), bare, n=1)
    return bare[near[0]] if near else None
