"""The settings in force, for people: what each is, where it comes from, and no secret among them.

Told by ``keystead doctor``.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from keystead.settings import Settings, environment_name, named

# The password of a database URL, before the host or in the query.
_URL_SECRET = re.compile(r"(://[^/@:]*:)[^@]*(?=@)|([?&]password=)[^&]*")


@dataclass(frozen=True)
class ShownSetting:
    """A setting for people: its environment variable, its value without secrets, and where it comes from."""

    name: str
    value: str
    origin: str


def shown(settings: Settings) -> list[ShownSetting]:
    """Return every setting; secrets only as set or unset."""
    origins = named()
    found = []
    for field, described in Settings.model_fields.items():
        name, value = environment_name(field), getattr(settings, field)
        is_default = field not in settings.model_fields_set or value in (described.default, Path("var").absolute())
        origin = origins.get(name) or ("default" if is_default else "command line")
        found.append(ShownSetting(name, _shown(value), origin))
    return found


def _shown(value: object) -> str:
    match value:
        case None:
            return "unset"
        case SecretStr():
            return "set"
        case tuple():
            return ",".join(map(str, value)) or "unset"
        case bool():
            return str(value).lower()
        case _:
            return _URL_SECRET.sub(r"\1\2***", str(value))
