"""Endpoints of what goes on by itself once it was asked for: pause it, go on with it, cancel it.

Bulks and domain moves are such, and mean the same by these words.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import Path
from pydantic import BaseModel
from starlette.responses import Response

from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import NUMBER_MAX, WRITE
from keystead.http.routing import ValidatedEndpoints
from keystead.operations.calls import Call

Number = Annotated[int, Path(ge=1, le=NUMBER_MAX)]

F_co = TypeVar("F_co", covariant=True)
F = TypeVar("F")


class Acting(Protocol[F_co]):
    """Operations on a kind of such things, each found by its number."""

    async def pause(self, call: Call, number: int) -> F_co:
        """Have nothing more done for now."""
        ...

    async def go_on(self, call: Call, number: int) -> F_co:
        """Go on with one that was paused."""
        ...

    async def cancel(self, call: Call, number: int) -> F_co:
        """End one where it is."""
        ...


def add_acts(
    routes: ValidatedEndpoints,
    acting: Acting[F],
    show: Callable[[F], Mapping[str, Any]],
    *,
    noun: str,
    model: type[BaseModel],
) -> None:
    """Add the endpoints for a kind, whose answers show how it stands then."""

    def add(word: str, told: str, act: Callable[[Call, int], Awaitable[F]]) -> None:
        @routes.post(
            f"/{{number}}/{word}", name=f"{word}_{noun}", description=told, response_model=model, responses=WRITE
        )
        async def endpoint(call: Caller, number: Number) -> Response:
            return answer(show(await act(call, number)))

    add("pause", f"Have nothing more done until the {noun} is continued.", acting.pause)
    add("continue", f"Go on with a {noun} that was paused.", acting.go_on)
    add("cancel", f"End a {noun} where it is; what is done stays done.", acting.cancel)
