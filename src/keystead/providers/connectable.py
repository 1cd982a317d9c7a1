"""How a provider is connected by a secret alone: which fields it wants, who asks it, and what it then says of itself.

A provider's module declares one ``Connectable``; wire, native API, command line and vault work from it, so that a
further provider is one more declaration. Cloudflare and Namecheap have ways of their own and are not among them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import orjson

from keystead.kit.secret import Secret
from keystead.providers.capability import Provider
from keystead.providers.errors import FieldMissing, SecretRefused
from keystead.providers.transport import Transport

Secrets = Mapping[str, Secret[str]]


@dataclass(frozen=True)
class Field:
    """A field of a secret. ``hint`` tells a person what goes into it; one with ``is_json`` may come as an object."""

    name: str
    hint: str
    is_json: bool = False


@dataclass(frozen=True)
class RemoteAccount:
    """Whose secret it is, as the provider says.

    ``external_id`` is None where the provider has no name for the account: the secret's keyed hash stands for it then.
    ``name`` is what people call the account, where that is something else. ``scope`` is kept and shown with the
    credential, ``told`` is said once in the answer; neither holds a secret.
    """

    external_id: str | None = None
    name: str | None = None
    scope: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None


class Verifying(Protocol):
    """A client that can tell whether its secret is good now."""

    async def verify(self) -> RemoteAccount:
        """Ask the provider whose secret this is; raise SecretRefused when it is nobody's."""
        ...


C_co = TypeVar("C_co", bound=Verifying, covariant=True)


@dataclass(frozen=True)
class Connectable(Generic[C_co]):
    """A provider that is connected by a secret alone.

    ``ways`` are alternatives of fields, the usual one first; ``aliases`` further names of its paths on the wire.
    """

    provider: Provider
    ways: Sequence[Sequence[Field]]
    client: Callable[[Transport, Secrets], C_co]
    aliases: Sequence[str] = ()

    @property
    def id(self) -> str:
        """Return the provider's id."""
        return self.provider.id

    def read(self, given: Mapping[str, object]) -> Secrets:
        """Return the fields of the way that something is given for, else of the usual one.

        Raises FieldMissing naming the first that is missing or empty, and SecretRefused for one that no provider could
        have given.
        """
        chosen = next((way for way in self.ways if any(_text(given, one) for one in way)), self.ways[0])
        return {one.name: self._checked(one, _text(given, one)) for one in chosen}

    def _checked(self, one: Field, text: str) -> Secret[str]:
        if not text:
            raise FieldMissing(f"{self.provider.title} is connected with {one.name}, which is missing", field=one.name)
        if not one.is_json and not (text.isascii() and text.isprintable() and " " not in text):
            told = f"{one.name} holds characters that are in no secret of {self.provider.title}"
            raise SecretRefused(told, number=0, text=told)
        return Secret(text)


def _text(given: Mapping[str, object], one: Field) -> str:
    value = given.get(one.name)
    if one.is_json and isinstance(value, dict) and value:
        return orjson.dumps(value).decode()
    return value.strip() if isinstance(value, str) else ""
