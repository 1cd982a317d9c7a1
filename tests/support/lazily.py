"""Dialects built when somebody asks them: most tests ask one of seven, and building all takes longer than the test.

What a door has to know of a mount beforehand is the same for every instance, so it is read off the first one, whose
dialects are all built.
"""

from dataclasses import replace

from starlette.types import Receive, Scope, Send

from keystead.http.doors import App, Mount
from keystead.mounts import Mounts
from keystead.settings.places import EVERYTHING, Place

_SHAPES: dict[Place, list[Mount]] = {}


def lazily(mounts: Mounts) -> list[Mount]:
    """Return every dialect at the paths it documents, those of later instances not built yet."""
    made = mounts.at(())
    for place in EVERYTHING:
        if place not in _SHAPES:
            _SHAPES[place] = mounts.of(place, EVERYTHING)
            made += _SHAPES[place]
            continue
        built = _Built(mounts, place)
        made += [replace(shape, app=built.app(number)) for number, shape in enumerate(_SHAPES[place])]
    return made


class _Built:
    """The mounts of one dialect, once somebody has asked for one of them."""

    def __init__(self, mounts: Mounts, place: Place) -> None:
        self._mounts = mounts
        self._place = place
        self._made: list[Mount] | None = None

    def app(self, number: int) -> App:
        """Return an application that builds the dialect for its first request."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            if self._made is None:
                self._made = self._mounts.of(self._place, EVERYTHING)
            await self._made[number].app(scope, receive, send)

        return answer
